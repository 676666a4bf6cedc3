//go:build !unit

package app_test

import (
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// Case T-F9, see docs/RELIABILITY.md.
func TestIdentity_ColumnsWithOtherModifiersAreComparedByValueAndRepaired(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE TABLE t (id numeric(10,2) PRIMARY KEY, c numeric(10,2), n numeric, b char(5), v varchar(10), ts timestamp(0), a numeric(5,1)[])`)
	c.Exec(t, 1, `CREATE TABLE t (id numeric(10,3) PRIMARY KEY, c numeric(10,3), n numeric(10,1), b char(8), v varchar(20), ts timestamp(6), a numeric(5,1)[])`)
	c.ExecAll(t, `INSERT INTO t SELECT i, 1.5, 2.5, 'ab', 'v', '2024-01-01', '{1.5}' FROM generate_series(1, 300) i`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 0 {
		t.Fatalf("%d rows differ, want none: %v", d.Result.MismatchedRows, d.Rows[0])
	}
	warnings := strings.Join(d.Summary.Warnings, "\n")
	for _, want := range []string{`"c" has different modifiers: numeric(10,2) on node n1, numeric(10,3) on node n2`, "character(5)", "character varying(20)", "timestamp(0)"} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings are %q, want %q", warnings, want)
		}
	}
	c.Exec(t, 1, `DELETE FROM t WHERE id = 7`, `UPDATE t SET c = 9, b = 'x', v = NULL WHERE id = 8`, `INSERT INTO t VALUES (1000, 1.5)`)
	d = s.Diff(t, "public.t", "ignore_columns", "c")
	if d.Result.MismatchedRows != 3 {
		t.Fatalf("%d rows differ, want 3", d.Result.MismatchedRows)
	}
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+1 ~1 -1 =0 /0 committed" {
		t.Errorf("the repair ended %s %s", got, r.Error)
	}
	if after := s.Diff(t, "public.t"); after.Result.MismatchedRows != 0 {
		t.Errorf("after the repair %d rows differ", after.Result.MismatchedRows)
	}
	c.Exec(t, 1, `UPDATE t SET c = 1.505 WHERE id = 9`)
	refused := repair(t, s, s.Diff(t, "public.t").TaskID, "n2", dryRun)
	if !strings.Contains(refused.Error, `column "c"`) || !strings.Contains(refused.Error, "numeric(10,2)") || !strings.Contains(refused.Error, "('9')") {
		t.Errorf("a value that would be rounded: %s %s", refused.Status, refused.Error)
	}
}

// Case T-P7, T-P8, O-F9, see docs/RELIABILITY.md.
func TestTableRepair_ReportsRowsThatDifferOnlyInGeneratedColumns(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + 1) STORED, o oid)`)
	c.Exec(t, 1, `CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + 2) STORED, o oid)`)
	c.ExecAll(t, `INSERT INTO t SELECT i, i FROM generate_series(1, 3) i`, `SELECT lo_create(0)`)
	c.Exec(t, 1, `DELETE FROM t WHERE id = 3`)
	d := s.Diff(t, "public.t")
	warnings := strings.Join(d.Summary.Warnings, "\n")
	if !strings.Contains(warnings, `column "g" is generated as ((a + 1)) on node n1, generated as ((a + 2)) on node n2`) || !strings.Contains(warnings, `column "o" may refer to large objects`) {
		t.Errorf("warnings are %q", warnings)
	}
	for _, change := range []func(*api.TableRepairRequest){dryRun, nil} {
		r := repair(t, s, d.TaskID, "n1", change)
		if n := r.Nodes["n2"]; n.Unrepairable < 2 || n.Unchanged != 0 || n.Inserted != 1 || !strings.Contains(strings.Join(r.Warnings, "\n"), `"g"`) {
			t.Errorf("%s %s: %+v, warnings %q", r.Status, r.Error, n, r.Warnings)
		}
	}
}

// Case T-F9, see docs/RELIABILITY.md.
func TestIdentity_ArraysAndDomainsWithOtherModifiersAreComparedByTextAndRepaired(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE DOMAIN d AS numeric(10,2)`, `CREATE DOMAIN e AS char(3)`, `CREATE TABLE t (id int PRIMARY KEY, a numeric(10,2)[], d d, v varchar(5)[], b char(3)[], e e)`)
	c.Exec(t, 1, `CREATE DOMAIN d AS numeric(10,3)`, `CREATE DOMAIN e AS char(5)`, `CREATE TABLE t (id int PRIMARY KEY, a numeric(10,3)[], d d, v varchar(9)[], b char(5)[], e e)`)
	c.ExecAll(t, `INSERT INTO t SELECT i, NULL, NULL, '{v}' FROM generate_series(1, 20) i`)
	c.Exec(t, 0, `INSERT INTO t VALUES (100, '{1.5}', 2.5, '{a,NULL}', '{x}', 'y')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (200, '{1.5}', 2.5, '{a,NULL}', '{x}', 'y')`)
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 2 {
		t.Errorf("%d rows differ, want 2", d.Result.MismatchedRows)
	}
	warnings := strings.Join(d.Summary.Warnings, "\n")
	for _, want := range []string{`"a" has different modifiers: numeric(10,2)[] on node n1`, `"d" has different modifiers: public.d (numeric(10,2)) on node n1, public.d (numeric(10,3)) on node n2`} {
		if !strings.Contains(warnings, want) {
			t.Errorf("warnings are %q, want %q", warnings, want)
		}
	}
	r := repair(t, s, d.TaskID, "n1", nil)
	if got := r.counts("n2"); got != "+1 ~0 -1 =0 /0 committed" {
		t.Errorf("the repair ended %s %s", got, r.Error)
	}
	if got := c.QueryStrings(t, 1, `SELECT concat(t) FROM t WHERE id = 100`); len(got) != 1 || got[0][0] != `(100,{1.500},2.500,"{a,NULL}","{""x    ""}","y    ")` {
		t.Errorf("the row that was repaired is %q", got)
	}

	c.Exec(t, 1, `DELETE FROM t WHERE id = 100`, `UPDATE t SET d = 1.505 WHERE id = 9`)
	refused := repair(t, s, s.Diff(t, "public.t").TaskID, "n2", dryRun)
	if !strings.Contains(refused.Error, `column "d"`) || !strings.Contains(refused.Error, "('9')") {
		t.Errorf("a value that would be rounded: %s %s", refused.Status, refused.Error)
	}
}

// A cast to bit(8) pads a shorter value, and a cast to bit varying(4) truncates a longer
// one. A repair must refuse such values, also if the column has a domain over the type.
func TestIdentity_BitsThatDoNotFitAreNeitherPaddedNorTruncated(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE DOMAIN bits AS bit(5); CREATE DOMAIN bitlike AS varbit(6); CREATE DOMAIN bitter AS numeric(5,2)`)
	c.Exec(t, 1, `CREATE DOMAIN bits AS bit(8); CREATE DOMAIN bitlike AS varbit(4); CREATE DOMAIN bitter AS numeric(5,1)`)
	c.Exec(t, 0, `CREATE TABLE b (id int PRIMARY KEY, v bit(5)); CREATE TABLE v (id int PRIMARY KEY, v varbit(6))`)
	c.Exec(t, 1, `CREATE TABLE b (id int PRIMARY KEY, v bit(8)); CREATE TABLE v (id int PRIMARY KEY, v varbit(4))`)
	c.ExecAll(t, `CREATE TABLE db (id int PRIMARY KEY, v bits); CREATE TABLE dv (id int PRIMARY KEY, v bitlike); CREATE TABLE dn (id int PRIMARY KEY, v bitter)`)
	for table, value := range map[string]string{"b": "B'10110'", "v": "B'101101'", "db": "B'10110'", "dv": "B'101101'", "dn": "1.25"} {
		c.Exec(t, 0, `INSERT INTO `+table+` VALUES (1, `+value+`)`)
		r := repair(t, s, s.Diff(t, "public."+table).TaskID, "n1", nil)
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, "('1')") {
			t.Errorf("%s: %s %s, %+v", table, r.Status, r.Error, r.Nodes["n2"])
		}
		if got := content(t, c, 1, table); len(got) != 0 {
			t.Errorf("%s: n2 has %v", table, got)
		}
	}
}
