//go:build !unit

package main_test

import (
	"slices"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// rerun submits a table-rerun of a document.
func (s *service) rerun(t testing.TB, c *pgtest.Cluster, table, diffFile string, args ...string) string {
	t.Helper()
	var submitted api.Submitted
	s.read(t, "/ace/table-rerun", diffQuery(c, table, append(args, "diff_file", diffFile)...), &submitted)
	return submitted.TaskID
}

func TestRerun_SurvivesKillNine(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 12000) i`)
	h := newHome(t, c)
	first := h.serve(t, nil)
	diff := first.completed(t, first.submit(t, c, "public.t"))
	c.Exec(t, 1, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 12000) i WHERE i % 4000 <> 0`)
	for _, behavior := range []string{api.BehaviorMultiprocessing, api.BehaviorHostDB} {
		id := first.rerun(t, c, "public.t", diff.DiffFile, "behavior", behavior, "confirm_delay", "4s")
		eventually(t, taskTimeout, "the keys are compared", func() bool { return len(h.partFiles(t, id)) > 0 })
		first.kill() // while it waits for the confirmation
		kept := h.parts(t, id)
		if len(kept) == 0 {
			t.Errorf("%s: no part is left by the process that was killed", behavior)
		}
		first = h.serve(t, nil)
		result := first.completed(t, id)
		if result.TotalRows != 12000 || result.MismatchedRows != 3 || result.Verdict != api.VerdictDiffer {
			t.Errorf("%s: %s, %d of %d rows", behavior, result.Verdict, result.MismatchedRows, result.TotalRows)
		}
		if got := first.found(t, id, "id")["n1"]; !slices.Equal(got, []string{"4000", "8000", "12000"}) {
			t.Errorf("%s: the document has %v", behavior, got)
		}
	}
}
