//go:build !unit

package app_test

import (
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

// keysIn returns the keys of a document's rows as text.
func keysIn(d apptest.Diff) map[string]bool {
	keys := map[string]bool{}
	for _, row := range d.Rows {
		keys[keyIn(d, row)] = true
	}
	return keys
}

func keyIn(d apptest.Diff, row apptest.Row) string {
	texts := make([]string, len(d.Summary.PrimaryKey))
	for i, column := range d.Summary.PrimaryKey {
		texts[i] = row.Values[column]
	}
	return strings.Join(texts, "\x00")
}

// For the keys of its document, a rerun must find the same as a new comparison of the
// whole tables.
func TestTableRerun_IsAComparisonOfTheDocumentsKeys(t *testing.T) {
	t.Parallel()
	for i, table := range driftingTables() {
		t.Run(table.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Nodes(3))
			s := apptest.New(t, c, apptest.Options{})
			for node, create := range table.create {
				c.Exec(t, node, create)
			}
			c.ExecAll(t, table.fill)
			c.Exec(t, 1, table.sql(mutation{every: 70, which: 3, how: "delete"}))
			c.Exec(t, 2, table.sql(mutation{every: 110, which: 4, how: "update"}))
			before := s.Diff(t, "public.t")
			c.Exec(t, 1, strings.TrimSuffix(table.fill, "; ANALYZE t")+" ON CONFLICT DO NOTHING") // restores the rows that were deleted
			for step := range 3 {
				d := mutations().Example(1000 + 100*i + step)
				c.Exec(t, d.node, table.sql(d))
			}
			checkAgainstComparison(t, s, "public.t", before)
		})
	}
}

// checkAgainstComparison reruns a document, compares the tables again, checks that both
// have the same result for the document's keys, and returns it. It uses the given
// behavior, or both.
func checkAgainstComparison(t *testing.T, s *apptest.Service, table string, before apptest.Diff, behavior ...string) apptest.Diff {
	t.Helper()
	keys := keysIn(before)
	now := s.Diff(t, table)
	now.Rows = slices.DeleteFunc(now.Rows, func(row apptest.Row) bool { return !keys[keyIn(now, row)] })
	var again apptest.Diff
	if len(behavior) > 0 {
		again = s.Rerun(t, before.TaskID, table, "behavior", behavior[0])
	} else {
		again = rerunBoth(t, s, before.TaskID, table)
	}
	if got, want := rendered(again), rendered(now); !slices.Equal(got, want) {
		t.Errorf("the document has %d rows, want %d; first difference: %s", len(got), len(want), firstDifference(got, want))
	}
	total, mismatched := int64(len(keys)), int64(len(keysIn(now)))
	if again.Result.TotalRows != total || again.Result.MismatchedRows != mismatched || again.Summary.ResolvedRows != total-mismatched {
		t.Errorf("%d of %d rows mismatched and %d resolved, want %d of %d",
			again.Result.MismatchedRows, again.Result.TotalRows, again.Summary.ResolvedRows, mismatched, total)
	}
	return again
}
