//go:build !unit

package app_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/table"
	"ace/shared/visible"
)

// scripted makes a dry run store scripts for psql.
func scripted(r *api.TableRepairRequest) { r.DryRun, r.GenerateSQL = true, true }

// script downloads the script of a dry run for a node.
func script(t *testing.T, s *apptest.Service, id, node string) string {
	t.Helper()
	name, text := saved(t, s, "/ace/reports/"+id+"?format=sql&node="+node)
	if name != id+"."+node+".sql" {
		t.Errorf("the script of node %s is called %s", node, name)
	}
	return text
}

// psql runs a script on a node and returns what psql prints.
func psql(t *testing.T, c *pgtest.Cluster, node int, script string) (stdout string, failed error) {
	t.Helper()
	program, err := pgserver.FindPsql(pgserver.Installations())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "script.sql")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-X", "-A", "-t", "-d", c.DSN(node), "-f", file)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c standard_conforming_strings=off -c DateStyle=German")
	var out, notes bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &notes
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("psql: %w: %s", err, notes.String())
	}
	return out.String(), nil
}

// digestOf returns a statement that prints a digest of a table's rows.
func digestOf(name string) string {
	return `SELECT pg_catalog.md5(pg_catalog.string_agg(whole_row::text, E'\n' ORDER BY whole_row::text COLLATE "C")) FROM ` + name + ` whole_row;` + "\n"
}

// tryScript runs a script but rolls its transaction back. It returns the digest that the
// table had before.
func tryScript(t *testing.T, c *pgtest.Cluster, node int, script, name string) string {
	t.Helper()
	begin, _, found := strings.Cut(script, "COMMIT\\; ")
	if !found {
		t.Fatalf("the script has no COMMIT:\n%s", script)
	}
	digest, err := psql(t, c, node, begin+`SET LOCAL search_path = public;`+"\n"+digestOf(name)+"ROLLBACK;\n")
	if err != nil {
		t.Errorf("%v\n%s", err, script)
	}
	return digest
}

// checkScript checks that a script makes the same changes as the task that ran in the
// meantime. tried is the digest of the table with the changes of the script.
func checkScript(t *testing.T, c *pgtest.Cluster, node int, tried, name string) {
	t.Helper()
	var settings strings.Builder
	for _, s := range table.TextSettings() {
		fmt.Fprintf(&settings, "SET %s = '%s';\n", s.Name, s.Value)
	}
	got, err := psql(t, c, node, "\\set QUIET on\n"+settings.String()+"SET search_path = public;\n"+digestOf(name))
	if err != nil {
		t.Error(err)
	}
	if got != tried {
		t.Errorf("the script makes other changes than the task: digest %q, want %q", tried, got)
	}
}

func TestScript_MakesTheChangesOfADryRun(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, $$it's \ $ace$ :v "x"$$), (3, NULL)`)
	c.Exec(t, 1, `INSERT INTO t VALUES (2, 'b'), (3, ''), (4, 'd')`)
	c.Exec(t, 2, `INSERT INTO t VALUES (1, 'a')`)
	d := s.Diff(t, "public.t")
	dry := repair(t, s, d.TaskID, "n1", scripted)

	for i, node := range []string{"n2", "n3"} {
		if dry.Nodes[node].SQLFile == "" {
			t.Errorf("node %s has no sql_file: %+v", node, dry)
		}
		printed, err := psql(t, c, i+1, script(t, s, dry.TaskID, node))
		if err != nil || !strings.HasPrefix(printed, node+": ") || !strings.HasSuffix(printed, " committed\n") {
			t.Errorf("node %s: %v, %q", node, err, printed)
		}
	}
	if got := s.Diff(t, "public.t"); got.Result.Verdict != api.VerdictMatch {
		t.Errorf("%+v", got.Result)
	}

	// The rows have changed since the dry run.
	if _, err := psql(t, c, 1, script(t, s, dry.TaskID, "n2")); err == nil || !strings.Contains(err.Error(), `node n2: the row with the key ('1') exists already; nothing was changed`) {
		t.Errorf("run again: %v", err)
	}
}

func TestScript_StopsWhenARowWasChanged(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, w numeric); INSERT INTO t SELECT i, 'v', i FROM generate_series(1, 5) i`)
	c.Exec(t, 0, `UPDATE t SET v = NULL WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (6, 'six', 6)`)
	d := s.Diff(t, "public.t")
	text := script(t, s, repair(t, s, d.TaskID, "n1", scripted).TaskID, "n2")
	before := content(t, c, 1, "t")
	for _, tt := range []struct{ change, back, want string }{
		{`UPDATE t SET w = 1.0 WHERE id = 1`, `UPDATE t SET w = 1 WHERE id = 1`, `the row with the key ('1') is no longer as it was in the dry run`},
		{`UPDATE t SET v = '' WHERE id = 1`, `UPDATE t SET v = 'v' WHERE id = 1`, `the row with the key ('1') is no longer`},
		{`UPDATE t SET v = NULL WHERE id = 2`, `UPDATE t SET v = 'v' WHERE id = 2`, `the row with the key ('2') is no longer`},
		{`DELETE FROM t WHERE id = 2`, `INSERT INTO t VALUES (2, 'v', 2)`, `the row with the key ('2') is no longer`},
		{`INSERT INTO t VALUES (6)`, `DELETE FROM t WHERE id = 6`, `the row with the key ('6') exists already`},
	} {
		c.Exec(t, 1, tt.change)
		changed := content(t, c, 1, "t")
		if _, err := psql(t, c, 1, text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("after %s: %v, want %s", tt.change, err, tt.want)
		}
		if got := content(t, c, 1, "t"); fmt.Sprint(got) != fmt.Sprint(changed) {
			t.Errorf("after %s the script changed something: %v", tt.change, got)
		}
		c.Exec(t, 1, tt.back)
	}
	if fmt.Sprint(before) != fmt.Sprint(content(t, c, 1, "t")) {
		t.Error("the rows are not as they were")
	}

	running, err := c.Connect(t, 1).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := running.Exec(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended(concat('ace-repair/', current_database(), '/', '"public"."t"'), 0))`); err != nil {
		t.Fatal(err)
	}
	if _, err := psql(t, c, 1, text); err == nil || !strings.Contains(err.Error(), "node n2: a repair of the table is running; nothing was changed") {
		t.Errorf("during a repair: %v", err)
	}
	if err := running.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}

	c.Exec(t, 1, `CREATE TABLE other (LIKE t INCLUDING ALL); INSERT INTO other SELECT * FROM t; DROP TABLE t; ALTER TABLE other RENAME TO t`)
	if _, err := psql(t, c, 1, text); err == nil || !strings.Contains(err.Error(), "node n2: this is not the table public.t for which the changes were decided; nothing was changed") {
		t.Errorf("another table: %v", err)
	}
}

func TestScript_OfAnUndoRestoresTheRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v text, g text GENERATED ALWAYS AS (v || '!') STORED)`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, 500) i`)
	c.Exec(t, 1, `INSERT INTO t SELECT i, 1 + i % 600, 'w' FROM generate_series(101, 600) i`)
	before := content(t, c, 1, "t")
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	dry := undo(t, s, r.TaskID, func(r *api.TableUndoRequest) { r.DryRun, r.GenerateSQL = true, true })
	if _, err := psql(t, c, 1, script(t, s, dry.TaskID, "n2")); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(content(t, c, 1, "t")) != fmt.Sprint(before) {
		t.Error("the rows are not as they were before the repair")
	}
}

// Each change is made after the dry run. The script must stop, and the rows must be as
// the change left them.
func TestScript_StopsWhereARepairWould(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, tt := range []struct{ name, columns, change, want string }{
		{"a column was added", `u int UNIQUE, v int`, `ALTER TABLE NAME ADD w text DEFAULT 'precious'`, "the table was altered after the dry run"},
		{"a column has another type", `v int`, `ALTER TABLE NAME ALTER v TYPE bigint`, "the table was altered after the dry run"},
		{"a trigger changes the row", `v int`, `CREATE FUNCTION NAME_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 99; RETURN NEW; END';
			CREATE TRIGGER other BEFORE INSERT OR UPDATE ON NAME FOR EACH ROW EXECUTE FUNCTION NAME_f(); ALTER TABLE NAME ENABLE ALWAYS TRIGGER other`,
			"the row with the key ('1') differs from the decision after it was written"},
		{"a trigger prevents it", `v int`, `CREATE FUNCTION NAME_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
			CREATE TRIGGER other BEFORE UPDATE ON NAME FOR EACH ROW EXECUTE FUNCTION NAME_f(); ALTER TABLE NAME ENABLE ALWAYS TRIGGER other`,
			"the row with the key ('1') was not written"},
		{"a rule writes elsewhere", `v int`, `CREATE TABLE NAME_log (v int); INSERT INTO NAME_log VALUES (1);
			CREATE RULE other AS ON UPDATE TO NAME DO INSTEAD UPDATE NAME_log SET v = 2; ALTER TABLE NAME ENABLE ALWAYS RULE other`,
			"the table has a rule"},
		{"a deferrable constraint", `v int`, `ALTER TABLE NAME ADD UNIQUE (v) DEFERRABLE`, "the table has a deferrable constraint, which only a repair can check"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprintf("t%d", i)
			c.ExecAll(t, `CREATE TABLE `+name+` (id int PRIMARY KEY, `+tt.columns+`); INSERT INTO `+name+` VALUES (1, 1)`)
			c.Exec(t, 0, `UPDATE `+name+` SET `+strings.Fields(tt.columns)[0]+` = 2`)
			text := script(t, s, repair(t, s, s.Diff(t, "public."+name).TaskID, "n1", scripted).TaskID, "n2")
			c.Exec(t, 1, strings.ReplaceAll(tt.change, "NAME", name))
			before := content(t, c, 1, name)
			if _, err := psql(t, c, 1, text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if after := content(t, c, 1, name); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("the script changed %v to %v", before, after)
			}
		})
	}
}

// No script can check a deferrable constraint, whose trigger does not fire.
func TestScript_IsNotWrittenForADeferrableConstraint(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, u int CONSTRAINT just_one UNIQUE DEFERRABLE)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 10)`)
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", scripted)
	if warnings := strings.Join(r.Warnings, "\n"); r.Nodes["n2"].SQLFile != "" || !strings.Contains(warnings, `node n2: no script was written, because only a repair can check the deferrable constraint "just_one"`) {
		t.Errorf("script %q, warnings %q", r.Nodes["n2"].SQLFile, warnings)
	}
}

// U+FDD0 escapes bytes in stored texts. Control characters become escapes in a literal,
// whose quotes, backslashes and other bytes must stay the same. A label of PL/pgSQL has
// the name of the second table, and a variable that of its column.
func TestScript_KeepsBytesAndNamesOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ encoding, value string }{
		{"UTF8", `U&'x\FDD0y'`}, {"SQL_ASCII", `E'caf\xe9'`},
		{"UTF8", `E'\x01a\n\x1b[2J\\n\\\\''\' $$ $ace$ :x \r\t0\x7f7f \u009b漢🙂\\'`},
		{"SQL_ASCII", `E'caf\xe9\n\\\\''\x1bf\x80\x9b\\'`}, {"EUC_JP", `E'\n日本\\x41''語\x1b\\'`},
		{"UTF8", `E'a\u202eb\u2066c\u0085d\ufeff7\U000e0041a\u2028\\\\''\u009b2J'`}, {"LATIN1", `E'\u0085\u009b7f\u00ad\u00e9'`},
		{"SQL_ASCII", `E'\xe2\x80\xae7\xc2\x9b2J\xc2\xad\xe2\xef\xb7\x90'`}, {"WIN1256", `E'a\u200e\u200fb\u200c\u200d\u00ad'`},
	} {
		c, s := encoded(t, tt.encoding, tt.encoding)
		for _, name := range []string{"t", "inline_code_block"} {
			c.ExecAll(t, `CREATE TABLE `+name+` (id text PRIMARY KEY, found text, n int, same bool, ace_row text)`)
			c.Exec(t, 0, `INSERT INTO `+name+` (id, found) VALUES (`+tt.value+`, `+tt.value+`), ('u', 'v')`)
			c.Exec(t, 1, `INSERT INTO `+name+` (id, found) VALUES ('u', `+tt.value+`), ('gone', `+tt.value+`)`)
			dry := repair(t, s, s.Diff(t, "public."+name).TaskID, "n1", scripted)
			text := script(t, s, dry.TaskID, "n2")
			if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && visible.IsUnsafe(r) }); i >= 0 {
				t.Errorf("%s: the script has %q", tt.value, text[max(0, i-20):min(len(text), i+20)])
			}
			if _, err := psql(t, c, 1, text); err != nil {
				t.Error(err)
			}
			bytes := `SELECT encode(convert_to(id, getdatabaseencoding()), 'hex'), encode(convert_to(found, getdatabaseencoding()), 'hex') FROM ` + name + ` ORDER BY 1`
			if diff := cmp.Diff(c.QueryStrings(t, 0, bytes), c.QueryStrings(t, 1, bytes)); diff != "" {
				t.Errorf("%s: %s", tt.value, diff)
			}
			if got := s.Diff(t, "public."+name); got.Result.Verdict != api.VerdictMatch {
				t.Errorf("%s: %+v", name+" in "+tt.encoding, got.Rows)
			}
		}
	}
}

// With fire_triggers, a script needs no right to disable triggers. A script that only
// inserts needs only privileges on the columns.
func TestScript_LeavesTheSessionAsItWas(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (v text)`, `CREATE ROLE writer LOGIN PASSWORD 'pgtest secret'`, `GRANT SELECT, INSERT (id, v) ON t TO writer`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	d := s.Diff(t, "public.t")
	fire := func(r *api.TableRepairRequest) { scripted(r); r.FireTriggers = true }
	text := script(t, s, repair(t, s, d.TaskID, "n1", scripted).TaskID, "n2")
	printed, err := psql(t, c, 1, text+`SELECT pg_replication_origin_session_is_setup(), current_setting('session_replication_role'), current_setting('search_path');`)
	if err != nil || !strings.Contains(printed, `f|origin|"$user", public`) {
		t.Errorf("%v, %s", err, printed)
	}

	c.Exec(t, 1, `DELETE FROM t`)
	text = script(t, s, repair(t, s, d.TaskID, "n1", fire).TaskID, "n2")
	origin, rest, _ := strings.Cut(text, "-- Subscriptions with origin")
	_, rest, _ = strings.Cut(rest, "$ace$;\n") // the user deletes the statement, which the role may not run
	writer := *c
	writer.User = "writer"
	if printed, err := psql(t, &writer, 1, origin+rest); err != nil || !strings.HasSuffix(printed, " committed\n") {
		t.Errorf("%v, %s", err, printed)
	}
}
