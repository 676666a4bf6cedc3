package app_test

import (
	"strings"
	"testing"

	"ace/shared/app/apptest"
	"ace/shared/pg/pgtest"
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
