//go:build !unit

package app_test

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// behaviors are both behaviors of a rerun. The tests expect the same result of both.
func behaviors() []string { return []string{api.BehaviorMultiprocessing, api.BehaviorHostDB} }

// own are the members of a document's summary that differ between two runs.
var own = regexp.MustCompile(`(?m)^ *"(task_id|started_at|finished_at|time_taken|workers|behavior)": .*$|"timings": \{[^}]*\},`)

// rerunBoth reruns a document with both behaviors, checks that the documents are byte for
// byte equal except for the members in own, and returns one.
func rerunBoth(t *testing.T, s *apptest.Service, diffFile, table string, args ...string) apptest.Diff {
	t.Helper()
	var documents []apptest.Diff
	for _, behavior := range behaviors() {
		documents = append(documents, s.Rerun(t, diffFile, table, append(args, "behavior", behavior)...))
	}
	first, second := own.ReplaceAll(documents[0].Raw, nil), own.ReplaceAll(documents[1].Raw, nil)
	if !bytes.Equal(first, second) {
		t.Errorf("the behaviors give different documents:\n%.3000s\n%.3000s", first, second)
	}
	if documents[0].Summary.Behavior != behaviors()[0] || documents[1].Summary.Behavior != behaviors()[1] {
		t.Errorf("the documents are of the behaviors %q and %q", documents[0].Summary.Behavior, documents[1].Summary.Behavior)
	}
	return documents[0]
}

// rendered returns the rows of a document as text.
func rendered(d apptest.Diff) []string {
	rows := make([]string, len(d.Rows))
	for i, row := range d.Rows {
		rows[i] = row.Pair + " " + row.Node
		for _, column := range d.Summary.Columns {
			rows[i] += "|" + row.Values[column.Name]
		}
	}
	return rows
}

// figures are the counts of a document.
func figures(d apptest.Diff) string {
	return fmt.Sprintf("%s, %d of %d rows mismatched, %d resolved, %d unsettled",
		d.Result.Verdict, d.Result.MismatchedRows, d.Result.TotalRows, d.Summary.ResolvedRows, d.Summary.UnsettledRows)
}

func TestTableRerun_DistinguishesResolvedFromPersistingRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20) i`)
	c.Exec(t, 0, `DELETE FROM t WHERE id IN (1, 2)`)
	c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id BETWEEN 3 AND 9`)
	diff := s.Diff(t, "public.t")
	if diff.Result.MismatchedRows != 9 {
		t.Fatalf("%d rows differ", diff.Result.MismatchedRows)
	}
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'v')`, `DELETE FROM t WHERE id IN (5, 8)`, `UPDATE t SET v = 'u' WHERE id = 20`)
	c.Exec(t, 1, `UPDATE t SET v = 'v' WHERE id = 3`, `UPDATE t SET v = 'x' WHERE id = 4`, `DELETE FROM t WHERE id IN (2, 5)`)

	d := rerunBoth(t, s, diff.TaskID, "public.t")
	want := []string{ // 1 and 3 have healed, 2 and 5 are on no node any more; 20 differs, but is not in the document
		"n1/n2 n1|4|v", "n1/n2 n1|6|v", "n1/n2 n1|7|v", "n1/n2 n1|9|v",
		"n1/n2 n2|4|x", "n1/n2 n2|6|w", "n1/n2 n2|7|w", "n1/n2 n2|8|w", "n1/n2 n2|9|w",
	}
	if got := rendered(d); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if d.Result.TotalRows != 9 || d.Result.MismatchedRows != 5 || d.Summary.ResolvedRows != 4 || d.Result.Verdict != api.VerdictDiffer {
		t.Errorf("the result is %s", figures(d))
	}
	if got := countsOf(d, 0); got != (counts{0, 1, 4}) {
		t.Errorf("the pair has %+v", got)
	}
	if !strings.HasPrefix(d.TaskID, "tr_") || !strings.HasSuffix(d.Result.DiffFile, d.TaskID+".json") || d.Summary.RerunOf != diff.Result.DiffFile || d.Summary.Strategy != "keys" {
		t.Errorf("%s has %s, a rerun of %s by %s", d.TaskID, d.Result.DiffFile, d.Summary.RerunOf, d.Summary.Strategy)
	}

	c.Exec(t, 1, `DELETE FROM t`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20) i`)
	c.Exec(t, 0, `DELETE FROM t`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20) i`)
	again := rerunBoth(t, s, d.Result.DiffFile, "public.t")
	if again.Result.Verdict != api.VerdictMatch || again.Result.TotalRows != 5 || again.Result.MismatchedRows != 0 || len(again.Rows) != 0 {
		t.Errorf("the rerun of the rerun is %s", figures(again))
	}
	if last := rerunBoth(t, s, again.TaskID, "public.t"); last.Result.Verdict != api.VerdictMatch || last.Result.TotalRows != 0 {
		t.Errorf("the rerun of a match is %s", figures(last))
	}
}
