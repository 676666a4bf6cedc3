//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// parameters returns a request as the parameters of a query, which have the names of its
// JSON form.
func parameters(t *testing.T, req any) url.Values {
	t.Helper()
	raw, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		t.Fatal(err)
	}
	query := url.Values{}
	for name, value := range members {
		switch v := value.(type) {
		case []any:
			var texts []string
			for _, value := range v {
				texts = append(texts, fmt.Sprint(value))
			}
			query.Set(name, strings.Join(texts, ","))
		default:
			query.Set(name, fmt.Sprint(v))
		}
	}
	return query
}

// submitRepair submits a repair with the document of a comparison.
func submitRepair(t *testing.T, s *apptest.Service, diffID, source string, change func(*api.TableRepairRequest)) string {
	t.Helper()
	diff, err := s.App.Tasks().Get(t.Context(), diffID)
	if err != nil {
		t.Fatal(err)
	}
	table, err := api.ParseTableName(diff.TableName)
	if err != nil {
		t.Fatal(err)
	}
	req := api.TableRepairRequest{ClusterName: s.Cluster.Name, DiffFile: api.DiffFile{TaskID: diffID}, SourceOfTruth: source, Table: table}
	if change != nil {
		change(&req)
	}
	var submitted api.Submitted
	s.Get(t, "/ace/table-repair", parameters(t, req), &submitted)
	return submitted.TaskID
}

// repaired is the result of a repair.
type repaired struct {
	api.RepairResult
	TaskID, Status, Error string
}

func (r repaired) counts(node string) string {
	n := r.Nodes[node]
	return fmt.Sprintf("+%d ~%d -%d =%d /%d %s", n.Inserted, n.Updated, n.Deleted, n.Unchanged, n.Skipped, n.Outcome)
}

// repair repairs with the document of a comparison and waits for the end of the task.
func repair(t *testing.T, s *apptest.Service, diffID, source string, change func(*api.TableRepairRequest)) repaired {
	t.Helper()
	status := s.Wait(t, submitRepair(t, s, diffID, source, change))
	r := repaired{TaskID: status.TaskID, Status: status.Status, Error: status.Error}
	if status.Result != nil {
		if err := json.Unmarshal(status.Result, &r.RepairResult); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func dryRun(r *api.TableRepairRequest) { r.DryRun = true }

// content returns the rows of a table as texts.
func content(t *testing.T, c *pgtest.Cluster, node int, name string) [][]string {
	t.Helper()
	return c.QueryStrings(t, node, `SELECT whole_row::text FROM `+name+` whole_row ORDER BY whole_row::text COLLATE "C"`)
}

// repairTwice repairs a table with the document of a comparison: first a dry run, whose
// scripts are tried, then the repair, then the same repair again.
func repairTwice(t *testing.T, s *apptest.Service, table, source string) repaired {
	t.Helper()
	d := s.Diff(t, table)
	before := content(t, s.Cluster, 1, table)
	dry := repair(t, s, d.TaskID, source, scripted)
	tried := map[int]string{}
	for node, n := range s.Cluster.Nodes {
		if dry.Nodes[n.Name].SQLFile != "" {
			tried[node] = tryScript(t, s.Cluster, node, script(t, s, dry.TaskID, n.Name), table)
		}
	}
	if diff := cmp.Diff(before, content(t, s.Cluster, 1, table)); diff != "" {
		t.Errorf("the dry run changed something:\n%s", diff)
	}
	real := repair(t, s, d.TaskID, source, nil)
	if real.Status != api.StatusCompleted || dry.Status != api.StatusCompleted {
		t.Fatalf("dry run %s %s, repair %s %s", dry.Status, dry.Error, real.Status, real.Error)
	}
	for node, digest := range tried {
		checkScript(t, s.Cluster, node, digest, table)
	}
	again := repair(t, s, d.TaskID, source, nil)
	for node, n := range real.Nodes {
		if n.Outcome != api.OutcomeCommitted {
			t.Errorf("node %s: %+v", node, n)
		}
		if got, want := dry.counts(node)+"committed", real.counts(node); got != want {
			t.Errorf("node %s: the dry run counts %s, the repair %s", node, got, want)
		}
		if a := again.Nodes[node]; a.Inserted+a.Updated+a.Deleted != 0 || a.Outcome != api.OutcomeCommitted {
			t.Errorf("node %s: a second repair counts %s", node, again.counts(node))
		}
	}
	if after := s.Diff(t, table); after.Result.MismatchedRows != 0 {
		t.Errorf("after the repair %d rows differ: %+v", after.Result.MismatchedRows, after.Rows)
	}
	return real
}

func TestTableRepair_EachNodeCanBeTheSource(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	for source, want := range map[string]map[string]string{
		"n1": {"n2": "+10 ~10 -5 =0 /0 committed", "n3": "+0 ~0 -1 =0 /0 committed"},
		"n2": {"n1": "+5 ~10 -10 =0 /0 committed", "n3": "+5 ~10 -11 =0 /0 committed"},
		"n3": {"n1": "+1 ~0 -0 =0 /0 committed", "n2": "+11 ~10 -5 =0 /0 committed"},
	} {
		t.Run(source, func(t *testing.T) {
			c.ExecAll(t, `DROP TABLE IF EXISTS t`, `CREATE TABLE t (id int PRIMARY KEY, a text, b numeric, c timestamptz DEFAULT now());
				INSERT INTO t SELECT i, 'a' || i, i / 7.0, '2024-01-01'::timestamptz + i * interval '1 day' FROM generate_series(1, 3000) i`)
			c.Exec(t, 1, `DELETE FROM t WHERE id % 300 = 0`, `UPDATE t SET a = NULL, b = b + 1 WHERE id % 300 = 1`, `INSERT INTO t SELECT i, 'new' FROM generate_series(4001, 4005) i`)
			c.Exec(t, 2, `INSERT INTO t VALUES (5000, '')`)
			r := repairTwice(t, s, "public.t", source)
			for node, counts := range want {
				if got := r.counts(node); got != counts {
					t.Errorf("node %s counts %s, want %s", node, got, counts)
				}
			}
		})
	}
}

func TestTableRepair_RestoresValuesExactly(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TYPE mood AS ENUM ('sad', 'so so'); CREATE TYPE pair AS (a int, "B b" text); CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> 'bad')`,
		`CREATE SCHEMA "My ""Schema"; CREATE TABLE "My ""Schema"."t.x" (
			"the ""key" numeric, part text, b bytea, j json, jb jsonb, arr text[], r int4range, m mood, p pair, d short, ts timestamptz, iv interval,
			f float8, bits varbit, x xml, inet inet, "char" "char", bp char(7), tsv tsvector, mny money, big text, u uuid, texts text, lo point,
			gen text GENERATED ALWAYS AS (part || '!') STORED, idn int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (part, "the ""key"))`)
	c.Exec(t, 0, `INSERT INTO "My ""Schema"."t.x" VALUES
		(1.50, E'a\nb\t"\\', '\x00ff27', '{"b": 1,  "a": [null]}', '{"a": "\\u00e9"}', '{{NULL,"NULL"},{"a\\b","c,\"d"}}', '[1,5)', 'so so', '(7,"x,""y\\")', 'ab', '0044-03-15 12:00:00 BC', '1 mon -3 days',
		 '-0', B'101', '<a b="1">x</a>', '::1/64', 'c', 'pad', 'a:1 b:2', '12.50', repeat('é', 300000), '00000000-0000-0000-0000-000000000001', '', '(1,-2.5)'),
		('NaN', 'null', '', 'null', '"null"', '{}', 'empty', NULL, '(,)', NULL, 'infinity', '0', 'NaN', B'', NULL, NULL, '', '', '', NULL, '', NULL, 'null', NULL),
		(2, 'nothing', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
	c.Exec(t, 1, `INSERT INTO "My ""Schema"."t.x" (part, "the ""key", texts, idn) OVERRIDING SYSTEM VALUE VALUES ('null', 'NaN', NULL, 99), ('nothing', 2.0, 'x', 3)`)
	r := repairTwice(t, s, `"My ""Schema"."t.x"`, "n1")
	if got := r.counts("n2"); got != "+1 ~2 -0 =0 /0 committed" {
		t.Error(got)
	}
}

func TestTableRepair_UniqueValuesCanBeSwappedBetweenRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, e text, d int, kept int DEFAULT 7, UNIQUE (d) DEFERRABLE); CREATE UNIQUE INDEX ON t (lower(e)) WHERE id > 2`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, i, 'e' || i, i FROM generate_series(1, 2000) i`)
	c.Exec(t, 1, `INSERT INTO t SELECT i, 1 + i % 2000, 'E' || (CASE i WHEN 10 THEN 11 WHEN 11 THEN 10 ELSE i END), 1 + i % 2000 FROM generate_series(1, 2000) i WHERE i <> 5`,
		`INSERT INTO t VALUES (3000, 6, 'x', 3000)`)
	if got := repairTwice(t, s, "public.t", "n1").counts("n2"); got != "+1 ~1999 -1 =0 /0 committed" {
		t.Error(got)
	}
}

func TestTableRepair_AUniqueValueOfARowOutsideTheDocumentIsRefused(t *testing.T) {
	t.Parallel()
	for name, unique := range map[string]string{"at once": "UNIQUE", "by a trigger": "UNIQUE DEFERRABLE INITIALLY DEFERRED"} {
		t.Run(name, func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Nodes(3))
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, u int CONSTRAINT just_one `+unique+`); INSERT INTO t SELECT i, i FROM generate_series(1, 10) i`)
			c.Exec(t, 0, `UPDATE t SET u = 77 WHERE id = 3`)
			d := s.Diff(t, "public.t")
			c.Exec(t, 1, `UPDATE t SET u = 77 WHERE id = 8`)
			r := repair(t, s, d.TaskID, "n1", nil)
			if r.Status != api.StatusFailed || !strings.Contains(r.Error, `"just_one"`) || !strings.Contains(r.Error, "('3')") || !strings.Contains(r.Error, "n2") {
				t.Errorf("ended %s: %s", r.Status, r.Error)
			}
			if r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" || r.counts("n3") != "+0 ~1 -0 =0 /0 committed" {
				t.Errorf("n2 %s, n3 %s", r.counts("n2"), r.counts("n3"))
			}
			if got := c.QueryStrings(t, 1, `SELECT u FROM t WHERE id = 3`); got[0][0] != "3" {
				t.Errorf("n2 has %v", got)
			}
		})
	}
}

func TestTableRepair_RepairsShapesOfTablesOfEveryKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		all    string // on every node
		n1, n2 string
		counts string
	}{
		{"only a key, of two columns", `CREATE TABLE t (a text COLLATE "C", b int, PRIMARY KEY (b, a))`,
			`INSERT INTO t VALUES ('x', 1), ('', 2), ('y', 1)`, `INSERT INTO t VALUES ('x', 1), ('z', 9)`, "+2 ~0 -1 =0 /0 committed"},
		{"partitions that a row moves between", `CREATE TABLE t (id int, p int, v text, PRIMARY KEY (id, p)) PARTITION BY LIST (p);
			CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT`,
			`INSERT INTO t SELECT i, i % 3, 'v' FROM generate_series(1, 30) i`, `INSERT INTO t SELECT i, (i + 1) % 3, 'v' FROM generate_series(1, 30) i`, "+30 ~0 -30 =0 /0 committed"},
		{"an update that moves a row to another partition", `CREATE TABLE t (id int, p numeric, v text, PRIMARY KEY (id, p)) PARTITION BY LIST (p);
			CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t DEFAULT`,
			`INSERT INTO t VALUES (1, 1.0, 'a')`, `INSERT INTO t VALUES (1, 1.00, 'b')`, "+0 ~1 -0 =0 /0 committed"},
		{"an inheritance parent", `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (1, 'child')`,
			`INSERT INTO t VALUES (1, 'a'), (2, 'b')`, `INSERT INTO t VALUES (1, 'x'), (3, 'c')`, "+1 ~1 -1 =0 /0 committed"},
		{"foreign keys in both directions", `CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
			CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p, self int REFERENCES t); CREATE TABLE child (t int REFERENCES t ON DELETE CASCADE)`,
			`INSERT INTO p VALUES (2)`, `INSERT INTO t VALUES (7, 1, NULL), (8, 1, 7); INSERT INTO child VALUES (7)`, "+0 ~0 -2 =0 /0 committed"},
		{"an identity that is not the key", `CREATE TABLE t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (id * 2) STORED, v text)`,
			`INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'b')`, `INSERT INTO t (id, v) VALUES (2, 'b'), (1, 'x')`, "+0 ~2 -0 =0 /0 committed"},
		{"an identity that is the key", `CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)`,
			`INSERT INTO t (v) VALUES ('a'), ('b'), ('c')`, `INSERT INTO t (v) VALUES ('a'), ('x')`, "+1 ~1 -0 =1 /0 committed"},
		{"rows without anything between null and empty", `CREATE TABLE t (id int PRIMARY KEY, v text, w text)`,
			`INSERT INTO t VALUES (1, NULL, ''), (2, '', 'null'), (3, 'NULL', NULL)`, `INSERT INTO t VALUES (1, '', NULL), (2, 'null', ''), (3, NULL, 'NULL')`, "+0 ~3 -0 =0 /0 committed"},
		{"keys that are spelt otherwise", `CREATE TABLE t (id numeric PRIMARY KEY, v text)`,
			`INSERT INTO t VALUES (1.0, 'a'), (2.50, 'b')`, `INSERT INTO t VALUES (1.00, 'a'), (2.5, 'x')`, "+0 ~2 -0 =0 /0 committed"},
		{"a column called like nothing else", `CREATE TABLE t ("a b""c" int PRIMARY KEY, "select" text, "$1" text, ord int)`,
			`INSERT INTO t VALUES (1, 'a', 'b', 1)`, `INSERT INTO t VALUES (1, 'x', 'y', 2), (2, 'x', 'y', 2)`, "+0 ~1 -1 =0 /0 committed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, tt.all)
			c.Exec(t, 0, tt.n1)
			c.Exec(t, 1, tt.n2)
			s := apptest.New(t, c, apptest.Options{})
			d := s.Diff(t, "public.t")
			if d.Result.MismatchedRows == 0 && !strings.Contains(tt.counts, "=1") {
				t.Fatal("nothing differs")
			}
			r := repairTwice(t, s, "public.t", "n1")
			got := strings.Replace(r.counts("n2"), "=1 ", "=0 ", 1)
			if want := strings.Replace(tt.counts, "=1 ", "=0 ", 1); got != want {
				t.Errorf("counts %s, want %s", got, want)
			}
		})
	}
}

func TestTableRepair_WritesTheCurrentRowsAndNotThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, 'old' FROM generate_series(1, 6) i`)
	d := s.Diff(t, "public.t")
	c.Exec(t, 0, `UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id IN (2, 3)`)
	c.Exec(t, 1, `INSERT INTO t VALUES (3, 'since then'), (4, 'old'), (5, 'mine'), (99, 'not in the file')`)
	r := repair(t, s, d.TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+2 ~1 -1 =2 /0 committed" {
		t.Errorf("%s: %s", got, r.Error)
	}
	want := [][]string{{"(1,new)"}, {"(4,old)"}, {"(5,old)"}, {"(6,old)"}, {`(99,"not in the file")`}}
	if diff := cmp.Diff(want, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

func TestTableRepair_UpsertOnlyAndInsertOnlyLimitTheChanges(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, counts string
		change       func(*api.TableRepairRequest)
		rows         [][]string
	}{
		{"no deletions", "+1 ~1 -0 =0 /1 committed", func(r *api.TableRepairRequest) { r.UpsertOnly = true }, [][]string{{"(1,a)"}, {"(2,b)"}, {"(3,x)"}}},
		{"insertions only", "+1 ~0 -0 =0 /2 committed", func(r *api.TableRepairRequest) { r.InsertOnly = true }, [][]string{{"(1,a)"}, {"(2,x)"}, {"(3,x)"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := pgtest.NewCluster(t)
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
			c.Exec(t, 1, `INSERT INTO t VALUES (2, 'x'), (3, 'x')`)
			d := s.Diff(t, "public.t")
			dry := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { dryRun(r); tt.change(r) })
			r := repair(t, s, d.TaskID, "n1", tt.change)
			if r.counts("n2") != tt.counts || dry.counts("n2")+"committed" != tt.counts {
				t.Errorf("dry run %s, repair %s %s", dry.counts("n2"), r.counts("n2"), r.Error)
			}
			if diff := cmp.Diff(tt.rows, content(t, c, 1, "t")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTableRepair_IgnoredColumnsAreInsertedAndNeverUpdated(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, u int UNIQUE, ignored text)`)
	c.Exec(t, 1, `ALTER TABLE t ADD local text DEFAULT 'd'`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a', 2, 'n1'), (2, 'b', 1, 'n1'), (3, 'c', 3, 'n1'), (4, 'd', 4, 'n1')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'a', 1, 'n2', 'here'), (2, 'b', 2, 'n2', 'here'), (4, 'd', 4, 'n2', 'd')`)
	d := s.Diff(t, "public.t", "ignore_columns", "ignored,local", "table_filter", "ignored <> 'n3'")
	r := repair(t, s, d.TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+1 ~2 -0 =0 /0 committed" {
		t.Errorf("%s: %s", got, r.Error)
	}
	want := [][]string{{"(1,a,2,n2,here)"}, {"(2,b,1,n2,here)"}, {"(3,c,3,n1,d)"}, {"(4,d,4,n2,d)"}}
	if diff := cmp.Diff(want, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

func TestTableRepair_ARowThatTheFilterExcludesAtTheSourceIsNotDeleted(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'hidden')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'seen')`)
	d := s.Diff(t, "public.t", "table_filter", "v = 'seen'")
	if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+0 ~1 -0 =0 /0 committed" {
		t.Errorf("%s: %s", r.counts("n2"), r.Error)
	}
}

func TestTableRepair_AcceptsDifferentTypesOnTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, n int, v text); INSERT INTO t VALUES (1, 5, 'abc'), (2, 6, 'abcd'), (3, 7, NULL)`)
	c.Exec(t, 1, `CREATE TABLE t (id bigint PRIMARY KEY, n numeric(10,2), v varchar(5)); INSERT INTO t VALUES (1, 5, 'abc'), (2, 1, NULL)`)
	d := s.Diff(t, "public.t")
	if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != "+1 ~1 -0 =0 /0 committed" || r.Nodes["n2"].Unrepairable != 3 {
		t.Errorf("%s: %s", r.counts("n2"), r.Error)
	}
	if diff := cmp.Diff([][]string{{"(1,5.00,abc)"}, {"(2,6.00,abcd)"}, {"(3,7.00,)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
	c.Exec(t, 0, `UPDATE t SET v = 'too long' WHERE id = 1`)
	d = s.Diff(t, "public.t")
	if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusFailed || !strings.Contains(r.Error, "too long") {
		t.Errorf("a value that does not fit: %s %s", r.Status, r.Error)
	}
}

func TestTableRepair_TriggersFireOnlyOnRequest(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, changed text); CREATE TABLE log (what text)`,
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (TG_NAME || TG_OP); NEW.changed := ''by '' || TG_NAME; RETURN NEW; END'`,
		`CREATE TRIGGER plain BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note()`)
	reset := func(t *testing.T) string {
		c.ExecAll(t, `TRUNCATE t, log`, `ALTER TABLE t DISABLE TRIGGER plain; INSERT INTO t VALUES (1, 'a', 'x'), (2, 'b', 'x')`)
		c.Exec(t, 1, `UPDATE t SET v = 'z' WHERE id = 1; DELETE FROM t WHERE id = 2`)
		c.ExecAll(t, `ALTER TABLE t ENABLE TRIGGER plain`)
		return s.Diff(t, "public.t").TaskID
	}
	for _, tt := range []struct {
		name   string
		before string
		change func(*api.TableRepairRequest)
		rows   [][]string
		fired  string
		warns  string
	}{
		{"not fired", ``, nil, [][]string{{"(1,a,x)"}, {"(2,b,x)"}}, "0", ""},
		{"fired", ``, func(r *api.TableRepairRequest) { r.FireTriggers = true }, [][]string{{`(1,a,"by plain")`}, {`(2,b,"by plain")`}}, "2", ""},
		{"always", `ALTER TABLE t ENABLE ALWAYS TRIGGER plain`, nil, [][]string{{`(1,a,"by plain")`}, {`(2,b,"by plain")`}}, "2", `"plain"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := reset(t)
			if tt.before != "" {
				c.Exec(t, 1, tt.before)
			}
			r := repair(t, s, id, "n1", tt.change)
			if r.counts("n2") != "+1 ~1 -0 =0 /0 committed" || !strings.Contains(strings.Join(r.Warnings, " "), tt.warns) {
				t.Errorf("%s %s, warnings %v", r.counts("n2"), r.Error, r.Warnings)
			}
			if diff := cmp.Diff(tt.rows, content(t, c, 1, "t")); diff != "" {
				t.Error(diff)
			}
			if fired := c.QueryStrings(t, 1, `SELECT count(*) FROM log`)[0][0]; fired != tt.fired {
				t.Errorf("%s triggers fired", fired)
			}
			u := undo(t, s, r.TaskID, nil)
			if n := u.Nodes["n2"]; n.Updated != 1 || n.Deleted != 1 || n.Outcome != api.OutcomeCommitted {
				t.Errorf("the undo: %+v", u)
			}
		})
	}
}

func TestTableRepair_TriggersFireOnRequestDespiteTheDatabasesConfiguration(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE TABLE fired (id int)`,
		`CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.fired VALUES (NEW.id); RETURN NEW; END'`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `CREATE TRIGGER f BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()`,
		fmt.Sprintf(`ALTER DATABASE "%s" SET session_replication_role = replica`, c.DB))
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", func(r *api.TableRepairRequest) { r.FireTriggers = true })
	if diff := cmp.Diff([][]string{{"(1)"}}, content(t, c, 1, "fired")); diff != "" || r.Status != api.StatusCompleted {
		t.Errorf("%s %s\n%s", r.Status, r.Error, diff)
	}
}

func TestTableRepair_CascadingDeletesNeedPermission(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child (t int CONSTRAINT belongs REFERENCES t ON DELETE CASCADE)`,
		`CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF parts DEFAULT;
			CREATE TABLE of_part (t int CONSTRAINT belongs REFERENCES part ON DELETE CASCADE)`,
		`CREATE TABLE whole (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE piece PARTITION OF whole DEFAULT;
			CREATE TABLE of_whole (t int CONSTRAINT belongs REFERENCES whole ON DELETE CASCADE)`)
	for _, tt := range []struct{ name, table, child string }{
		{"a plain table", "t", "child"},
		{"a table with a partition that is referred to", "parts", "of_part"},
		{"a partition of a table that is referred to", "piece", "of_whole"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.Exec(t, 1, `INSERT INTO `+tt.table+` VALUES (1)`, `INSERT INTO `+tt.child+` VALUES (1)`)
			d := s.Diff(t, "public."+tt.table)
			fire := func(r *api.TableRepairRequest) {
				r.FireTriggers, r.Table = true, api.TableName{Schema: "public", Name: tt.table}
			}
			for _, dry := range []bool{true, false} {
				r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { fire(r); r.DryRun = dry })
				if r.Status != api.StatusFailed || !strings.Contains(r.Error, `"belongs"`) || !strings.Contains(r.Error, "allow_cascade") {
					t.Errorf("dry run %v: %s %s", dry, r.Status, r.Error)
				}
			}
			r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { fire(r); r.AllowCascade = true })
			if left := content(t, c, 1, tt.child); r.counts("n2") != "+0 ~0 -1 =0 /0 committed" || len(left) != 0 {
				t.Errorf("%s %s, the other table has %v", r.counts("n2"), r.Error, left)
			}
		})
	}
}

// A dry run must predict the result of the repair.
func TestTableRepair_CascadingUpdatesNeedPermissionEvenInADryRun(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); CREATE TABLE r (u int REFERENCES t (u) ON UPDATE CASCADE)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 1)`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 2); INSERT INTO r VALUES (2)`)
	d := s.Diff(t, "public.t").TaskID
	for _, dry := range []bool{false, true} {
		r := repair(t, s, d, "n1", func(r *api.TableRepairRequest) { r.FireTriggers, r.DryRun = true, dry })
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, "allow_cascade") {
			t.Errorf("dry run %t ended %s: %s", dry, r.Status, r.Error)
		}
	}
}

func TestTableRepair_ReportHasEveryRowBeforeAndAfter(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, NULL)`)
	c.Exec(t, 1, `INSERT INTO t VALUES (2, 'x'), (3, 'y')`)
	d := s.Diff(t, "public.t")
	for _, dry := range []bool{true, false} {
		r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.GenerateReport, r.DryRun = true, dry })
		object, err := s.Store.Get(t.Context(), r.ReportFile)
		if err != nil {
			t.Fatalf("report %q: %v", r.ReportFile, err)
		}
		var report struct {
			TaskID    string         `json:"task_id"`
			RunTime   float64        `json:"run_time"`
			TimeStamp string         `json:"time_stamp"`
			Arguments map[string]any `json:"arguments"`
			Changes   map[string]map[string]any
		}
		err = json.NewDecoder(object.Body).Decode(&report)
		object.Body.Close()
		if err != nil || report.TaskID != r.TaskID || report.RunTime <= 0 || report.TimeStamp == "" || report.Arguments["source_of_truth"] != "n1" {
			t.Errorf("error %v, report %+v", err, report)
		}
		would := map[bool]string{true: "would_"}[dry]
		row := func(id float64, v any) map[string]any { return map[string]any{"id": id, "v": v} }
		want := map[string]any{
			"upserted_rows": []any{map[string]any{"before": nil, "after": row(1, "a")}, map[string]any{"before": row(2, "x"), "after": row(2, nil)}},
			"deleted_rows":  []any{map[string]any{"before": row(3, "y"), "after": nil}},
		}
		for name, rows := range want {
			if diff := cmp.Diff(rows, report.Changes["n2"][would+name]); diff != "" {
				t.Errorf("%s%s: %s", would, name, diff)
			}
		}
	}
}

func TestTableRepair_AnUncheckedDeferrableConstraintIsRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, r int4range, CONSTRAINT apart EXCLUDE USING gist (r WITH &&) DEFERRABLE)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, '[1,5)')`)
	d := s.Diff(t, "public.t")
	if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusFailed || !strings.Contains(r.Error, `"apart"`) {
		t.Errorf("%s %s", r.Status, r.Error)
	}
	if r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.FireTriggers = true }); r.counts("n2") != "+1 ~0 -0 =0 /0 committed" {
		t.Errorf("%s %s", r.counts("n2"), r.Error)
	}
}

func TestTableRepair_WaitsForARowThatAnotherTransactionWrites(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'x')`)
	d := s.Diff(t, "public.t")
	other := c.Connect(t, 1)
	if _, err := other.Exec(t.Context(), `BEGIN; UPDATE t SET v = 'y'`); err != nil {
		t.Fatal(err)
	}
	id := submitRepair(t, s, d.TaskID, "n1", nil)
	for len(c.QueryStrings(t, 1, `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)) == 0 {
		if t.Context().Err() != nil {
			t.Fatal("no session waits for the row")
		}
	}
	if _, err := other.Exec(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if status := s.Wait(t, id); status.Status != api.StatusCompleted {
		t.Errorf("ended %s: %s", status.Status, status.Error)
	}
	if diff := cmp.Diff([][]string{{"(1,a)"}}, content(t, c, 1, "t")); diff != "" {
		t.Error(diff)
	}
}

// A comparison and a repair of one table do not block each other.
func TestTableRepair_AndAConcurrentComparisonBothComplete(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'a' FROM generate_series(1, 20000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id % 10 = 0; DELETE FROM t WHERE id % 10 = 1; INSERT INTO t SELECT i, 'y' FROM generate_series(30001, 30500) i`)
	d := s.Diff(t, "public.t")
	for range 3 { // during, before and after the repair
		comparison := s.Submit(t, "public.t", "block_rows", "1000")
		id := submitRepair(t, s, d.TaskID, "n1", nil)
		if status := s.Wait(t, comparison); status.Status != api.StatusCompleted {
			t.Errorf("the comparison is %s: %s", status.Status, status.Error)
		}
		if status := s.Wait(t, id); status.Status != api.StatusCompleted {
			t.Errorf("the repair is %s: %s", status.Status, status.Error)
		}
	}
	if after := s.Diff(t, "public.t"); after.Result.MismatchedRows != 0 {
		t.Errorf("%d rows differ", after.Result.MismatchedRows)
	}
}
