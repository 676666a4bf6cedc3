//go:build !unit

package app_test

import (
	"net/url"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

func TestDiffs_ListsCompletedComparisons(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (LIKE a INCLUDING ALL); INSERT INTO a VALUES (1, 'x')`)
	c.Exec(t, 1, `UPDATE a SET v = 'y'`)
	s := apptest.New(t, c, apptest.Options{})
	of := map[string]apptest.Diff{"public.a": s.Diff(t, "public.a"), "public.b": s.Diff(t, "public.b")}
	for name, diff := range of {
		// The entry is added after the task has ended.
		var list api.DiffList
		for range 1000 {
			s.Get(t, "/ace/diffs", url.Values{"cluster_name": {c.Name}, "table_name": {name}, "limit": {"1"}}, &list)
			if len(list.Diffs) > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, verdict := range []string{api.VerdictMatch, api.VerdictDiffer} {
			var filtered api.DiffList
			s.Get(t, "/ace/diffs/", url.Values{"table_name": {name}, "verdict": {verdict}}, &filtered)
			if found := len(filtered.Diffs) == 1; found != (verdict == diff.Result.Verdict) {
				t.Errorf("of %s with the verdict %s are listed %+v", name, verdict, filtered)
			}
		}
		if len(list.Diffs) != 1 || list.Next != "" {
			t.Fatalf("of %s are listed %+v", name, list)
		}
		got := list.Diffs[0]
		if got.TaskID != diff.TaskID || got.TableName != name || got.Verdict != diff.Result.Verdict || got.DiffFile != diff.Result.DiffFile ||
			got.MismatchedRows != diff.Result.MismatchedRows || got.Size != int64(len(diff.Raw)) {
			t.Errorf("listed is %+v, the result was %+v", got, diff.Result)
		}
	}
}
