//go:build !unit

package app_test

import (
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// Case T-P11, see docs/RELIABILITY.md.
func TestTableDiff_AVirtualColumnThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id text PRIMARY KEY, a int, h int GENERATED ALWAYS AS (a + 1) VIRTUAL, g int GENERATED ALWAYS AS (100 / a) VIRTUAL)`,
		`INSERT INTO t SELECT 'k' || i, i FROM generate_series(1, 2000) i`)
	c.Exec(t, 1, `UPDATE t SET a = 0 WHERE id = 'k777'`)
	for _, args := range [][]string{{}, {"block_rows", "1000"}, {"checksum", "sha256"}, {"table_filter", "a < 1000"}} {
		got := s.Fail(t, "public.t", args...)
		for _, want := range []string{`node "n2"`, "division by zero", `column "t"."g" of the row with the key ('k777')`, "ignore_columns"} {
			if !strings.Contains(got, want) {
				t.Errorf("%v: the error is %q, want %q", args, got, want)
			}
		}
	}
	if got := s.Fail(t, "public.t", "table_filter", "1 / (a - 5) < 9", "ignore_columns", "g"); !strings.Contains(got, "division by zero") || strings.Contains(got, "column") {
		t.Errorf("a filter that fails: the error is %q, want one that names no column", got)
	}
	c.Exec(t, 0, `UPDATE t SET a = 0 WHERE id = 'k777'`, `UPDATE t SET a = 7 WHERE id = 'k5'`)
	d := s.Diff(t, "public.t", "ignore_columns", "g")
	if d.Result.MismatchedRows != 1 {
		t.Errorf("without the column %d rows differ, want 1", d.Result.MismatchedRows)
	}
	r := repair(t, s, d.TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+0 ~1 -0 =0 /0 committed" {
		t.Errorf("the repair ended %s: %s", got, r.Error)
	}
	if after := s.Diff(t, "public.t", "ignore_columns", "g"); after.Result.Verdict != "match" {
		t.Errorf("after the repair: %s", after.Result.Verdict)
	}
}

// Case T-P13, see docs/RELIABILITY.md.
func TestTableRepair_AValueThatCannotBeConvertedIsNamed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, b boolean)`, `INSERT INTO t SELECT i, nullif(i > 0, i < 7) FROM generate_series(1, 9) i`)
	c.Exec(t, 1, `CREATE TABLE t (id int PRIMARY KEY, b int)`, `INSERT INTO t SELECT i FROM generate_series(1, 8) i`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 3 {
		t.Errorf("%d rows differ, want 3", d.Result.MismatchedRows)
	}
	for _, change := range []func(*api.TableRepairRequest){dryRun, nil} {
		r := repair(t, s, d.TaskID, "n1", change)
		if r.Status != api.StatusFailed {
			t.Errorf("the repair ended %s", r.Status)
		}
		for _, want := range []string{`node "n2"`, `column "b"`, `the row with the key ('7')`, `invalid input syntax for type integer: "t"`} {
			if !strings.Contains(r.Error, want) {
				t.Errorf("the error is %q, want %q", r.Error, want)
			}
		}
	}
	if got := content(t, c, 1, "t"); len(got) != 8 {
		t.Errorf("node n2 has %d rows after repairs that failed, want 8", len(got))
	}
}

// A check of a domain calls a function whose body names a table without its schema. The
// check passes when the row is written, so it must pass when the value is converted.
func TestTableRepair_ConvertsToADomainUnderTheSearchPathOfTheRole(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 9) i`)
	c.Exec(t, 1, `CREATE TABLE limits (length int)`, `INSERT INTO limits VALUES (3)`,
		`CREATE FUNCTION fits(v text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN length(v) <= (SELECT max(l.length) FROM limits l); END'`,
		`CREATE DOMAIN short AS text CHECK (fits(VALUE))`, `CREATE TABLE t (id int PRIMARY KEY, v short)`, `INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5) i`)
	d := s.Diff(t, "public.t")
	for _, change := range []func(*api.TableRepairRequest){dryRun, nil} {
		if r := repair(t, s, d.TaskID, "n1", change); r.Status != api.StatusCompleted || r.Nodes["n2"].Inserted != 4 || r.Nodes["n2"].Updated != 5 {
			t.Errorf("the repair ended %s: %s; n2 %+v", r.Status, r.Error, r.Nodes["n2"])
		}
	}
	c.Exec(t, 0, `INSERT INTO t VALUES (10, 'longer')`)
	if r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil); !strings.Contains(r.Error, `the row with the key ('10')`) || !strings.Contains(r.Error, "short") {
		t.Errorf("a value that is too long: %s, %q", r.Status, r.Error)
	}
}

// Case T-P9, see docs/RELIABILITY.md.
func TestTableDiff_RowSecurityIsReportedWithARemedy(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE guarded (id int PRIMARY KEY, v text)`, `INSERT INTO guarded VALUES (1, 'a'), (2, 'b')`,
		`CREATE POLICY p ON guarded USING (id > 1)`)
	c.Exec(t, 1, `ALTER TABLE guarded ENABLE ROW LEVEL SECURITY`, `DELETE FROM guarded WHERE id = 1`)
	plain := asRole(t, c, `GRANT SELECT ON guarded TO ROLE`)
	s := apptest.New(t, plain, apptest.Options{})
	for _, args := range [][]string{{}, {"checksum", "sha256"}, {"table_filter", "id > 1"}} {
		got := s.Fail(t, "public.guarded", args...)
		for _, want := range []string{`node "n2"`, `public.guarded`, `role "` + plain.User + `"`, "BYPASSRLS"} {
			if !strings.Contains(got, want) {
				t.Errorf("%v: the error is %q, want %q", args, got, want)
			}
		}
	}
	c.Exec(t, 1, "ALTER ROLE "+plain.User+" BYPASSRLS")
	if d := s.Diff(t, "public.guarded"); d.Result.MismatchedRows != 1 {
		t.Errorf("with BYPASSRLS %d rows differ, want 1", d.Result.MismatchedRows)
	}
}

// Case T-P10, see docs/RELIABILITY.md.
func TestTableDiff_AMissingGrantOnATypesSchemaIsReported(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE SCHEMA "Ext"`, `CREATE EXTENSION citext SCHEMA "Ext"`, `CREATE TYPE "Ext".e AS ENUM ('a', 'b')`,
		`CREATE TABLE keys (id "Ext".citext PRIMARY KEY, v text)`, `CREATE TABLE enums (id "Ext".e PRIMARY KEY, v text)`,
		`INSERT INTO keys SELECT 'k' || i, 'v' FROM generate_series(1, 2000) i`, `INSERT INTO enums VALUES ('a', 'v'), ('b', 'v')`)
	c.Exec(t, 1, `DELETE FROM keys WHERE id = 'k7'`, `DELETE FROM enums WHERE id = 'b'`)
	plain := asRole(t, c, `GRANT SELECT ON keys, enums TO ROLE`)
	s := apptest.New(t, plain, apptest.Options{})
	grant := `GRANT USAGE ON SCHEMA "Ext" TO "` + plain.User + `"`
	for _, name := range []string{"keys", "enums"} {
		if got := s.Fail(t, "public."+name); !strings.Contains(got, grant) || !strings.Contains(got, `nodes "n1", "n2"`) {
			t.Errorf("%s: the error is %q, want %s", name, got, grant)
		}
	}
	c.ExecAll(t, grant)
	for _, name := range []string{"keys", "enums"} {
		if d := s.Diff(t, "public."+name); d.Result.MismatchedRows != 1 {
			t.Errorf("%s: after the GRANT %d rows differ, want 1", name, d.Result.MismatchedRows)
		}
	}
}
