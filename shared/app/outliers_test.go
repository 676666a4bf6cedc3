//go:build !unit

package app_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/difffile"
)

// Case O-P36, see docs/RELIABILITY.md.
func TestOutliers_AreNamedByComparisonRerunAndRepair(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(4))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 6, 7)`)                               // alone
	c.Exec(t, 3, `UPDATE t SET v = 'z' WHERE id IN (7, 9)`, `DELETE FROM t WHERE id = 2999`) // 7: two versions against two nodes that agree
	c.Exec(t, 2, `UPDATE t SET v = 'z' WHERE id = 9`)                                        // 9: two against two
	s := apptest.New(t, c, apptest.Options{})

	want := map[string]difffile.Outlier{"n2": {Alone: 2, Minority: 3}, "n4": {Alone: 1, Minority: 2}}
	d := s.Diff(t, "public.t")
	again := s.Rerun(t, d.TaskID, "public.t")
	counted := s.Diff(t, "public.t", "max_diff_rows", "1") // most rows are only counted
	for what, d := range map[string]apptest.Diff{"diff": d, "rerun": again, "counted rows": counted} {
		if diff := cmp.Diff(want, d.Summary.Outliers); diff != "" || d.Result.MismatchedRows != 5 {
			t.Errorf("%s: %d rows differ; outliers (-want +got):\n%s", what, d.Result.MismatchedRows, diff)
		}
	}

	const says = "source_of_truth n2 is in the minority: for 3 of the 5 rows that differ, more nodes have another version than have its own; for 2, all other nodes agree"
	for source, warned := range map[string]bool{"n1": false, "n2": true} {
		for _, dry := range []bool{true, false} {
			r := repair(t, s, d.TaskID, source, func(r *api.TableRepairRequest) { r.DryRun = dry })
			if r.Status != api.StatusCompleted || strings.Contains(strings.Join(r.Warnings, "\n"), says) != warned {
				t.Errorf("repair from %s, dry run %t: %s %s, warnings %q", source, dry, r.Status, r.Error, r.Warnings)
			}
		}
	}

	two := s.Diff(t, "public.t", "nodes", "n1,n2")
	if two.Summary.Outliers != nil {
		t.Errorf("of two nodes, none is the exception: %v", two.Summary.Outliers)
	}
}
