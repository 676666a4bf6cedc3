//go:build !unit

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

func TestTableRerun_CopiesTheFilterWithoutUsingIt(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, kind text)`, `INSERT INTO t SELECT i, 'v', 'a' FROM generate_series(1, 10) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id <= 4`)
	diff := s.Diff(t, "public.t", "table_filter", "kind = 'a'")
	c.ExecAll(t, `UPDATE t SET kind = 'b' WHERE id <= 2`) // the filter does not select these any more
	c.Exec(t, 1, `UPDATE t SET v = 'v' WHERE id = 1`)
	d := rerunBoth(t, s, diff.TaskID, "public.t")
	if got := slices.Collect(d.All("n1/n2", "n2", "id")); !slices.Equal(got, []string{"2", "3", "4"}) || d.Result.TotalRows != 4 {
		t.Errorf("got rows %v, %s", got, figures(d))
	}
	if d.Summary.TableFilter != "kind = 'a'" {
		t.Errorf("the filter of the document is %q", d.Summary.TableFilter)
	}
}

func TestTableRerun_IgnoresTheColumnsOfTheDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, seen int)`, `INSERT INTO t SELECT i, 'v', 0 FROM generate_series(1, 10) i`)
	c.Exec(t, 1, `UPDATE t SET seen = id`, `UPDATE t SET v = 'w' WHERE id <= 4`)
	diff := s.Diff(t, "public.t", "ignore_columns", "seen")
	c.Exec(t, 1, `UPDATE t SET v = 'v' WHERE id <= 2`)
	d := rerunBoth(t, s, diff.TaskID, "public.t")
	if d.Result.TotalRows != 4 || d.Result.MismatchedRows != 2 || !slices.Equal(d.Summary.IgnoreColumns, []string{"seen"}) || len(d.Summary.Columns) != 2 {
		t.Errorf("got %s, ignored %v of %v", figures(d), d.Summary.IgnoreColumns, d.Summary.Columns)
	}
	again := rerunBoth(t, s, d.TaskID, "public.t")
	if again.Result.MismatchedRows != 2 {
		t.Errorf("the rerun of the rerun has %s", figures(again))
	}
	c.ExecAll(t, `ALTER TABLE t DROP COLUMN seen`)
	if text := s.FailRerun(t, diff.TaskID, "public.t"); !strings.Contains(text, `ignore_columns names "seen"`) {
		t.Errorf("without the column: %s", text)
	}
}

func TestTableRerun_ReadsOnlyTheNodesOfTheDocument(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 10) i`)
	c.Exec(t, 2, `UPDATE t SET v = 'w' WHERE id <= 4`)
	diff := s.Diff(t, "public.t", "nodes", "n3,n1")
	c.Exec(t, 1, `DROP TABLE t`)
	d := rerunBoth(t, s, diff.TaskID, "public.t")
	if !slices.Equal(d.Summary.Nodes, []string{"n1", "n3"}) || d.Result.MismatchedRows != 4 || len(d.Summary.Pairs) != 1 {
		t.Errorf("nodes %v, pairs %v, %s", d.Summary.Nodes, d.Summary.Pairs, figures(d))
	}
	withoutTable := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"id": 1, "v": "v"}], "n2": []}}}`))
	if text := s.FailRerun(t, withoutTable, "public.t"); !strings.Contains(text, `node "n2": table public.t does not exist`) {
		t.Errorf("on n2, which has no such table: %s", text)
	}
}

// If most keys still differ and rows are not confirmed, rows are read without their
// digests first. With confirmation, adjacent keys are read as ranges.
func TestTableRerun_HoweverKeysAreReadTheDocumentIsTheSame(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	const rows = 3000
	for name, key := range map[string]string{"bigint": "i", "text": "'k' || i", "uuid": "md5(i::text)::uuid", "numeric": "i::numeric(9, 2)"} {
		c.ExecAll(t, `DROP TABLE IF EXISTS t`, `CREATE TABLE t (id `+name+` PRIMARY KEY, i int, v numeric)`)
		c.Exec(t, 0, fmt.Sprintf(`INSERT INTO t SELECT %s, i, 1.0 FROM generate_series(1, %d) i`, key, rows))
		c.Exec(t, 1, fmt.Sprintf(`INSERT INTO t SELECT %s, i, 1.00 FROM generate_series(1, %d) i`, key, rows))
		diff := s.Diff(t, "public.t")
		c.Exec(t, 0, `DELETE FROM t WHERE i % 200 IN (1, 2)`)
		c.Exec(t, 1, `DELETE FROM t WHERE i % 200 IN (1, 3)`, `UPDATE t SET v = 1.0 WHERE i % 10 = 0`)
		d := rerunBoth(t, s, diff.TaskID, "public.t")
		if got, want := countsOf(d, 0), (counts{rows / 200, rows / 200, rows * 177 / 200}); got != want {
			t.Errorf("%s: the pair has %+v, want %+v", name, got, want)
		}
		if d.Result.TotalRows != rows || d.Summary.ResolvedRows != rows*21/200 || d.Summary.RowsPerNode["n1"] != rows*198/200 || d.Summary.RowsPerNode["n2"] != rows*198/200 {
			t.Errorf("%s: %s, rows per node are %v", name, figures(d), d.Summary.RowsPerNode)
		}
		if warnings := unprivileged(d.Summary.Warnings); len(warnings) != 1 || !strings.Contains(warnings[0], fmt.Sprint(rows/200, " of the keys")) {
			t.Errorf("%s: the warnings are %q", name, d.Summary.Warnings)
		}
		first, again := own.ReplaceAll(d.Raw, nil), own.ReplaceAll(rerunBoth(t, s, diff.TaskID, "public.t", "confirm_delay", "1ms").Raw, nil)
		if !bytes.Equal(first, again) {
			t.Errorf("%s: with a second look the document is another:\n%.3000s\n%.3000s", name, first, again)
		}
	}
}

// The document has more keys than one statement, unit or block can have.
func TestTableRerun_OfManyKeysHasTheSameResultForBothBehaviors(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	const rows, healed = 21_000, 20_000
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, fmt.Sprintf(`INSERT INTO t SELECT i, 'v' FROM generate_series(1, %d) i`, rows))
	diff := s.Diff(t, "public.t")
	c.Exec(t, 1, fmt.Sprintf(`INSERT INTO t SELECT i, CASE WHEN i %% 100 = 0 THEN 'w' ELSE 'v' END FROM generate_series(1, %d) i`, healed))
	d := rerunBoth(t, s, diff.TaskID, "public.t")
	if d.Result.TotalRows != rows || d.Summary.Blocks != 3 || d.Summary.BlockRows != 10_000 || d.Summary.MismatchedBlocks != 3 {
		t.Errorf("%d keys in %d blocks of %d, of which %d differ", d.Result.TotalRows, d.Summary.Blocks, d.Summary.BlockRows, d.Summary.MismatchedBlocks)
	}
	if got, want := countsOf(d, 0), (counts{rows - healed, 0, healed / 100}); got != want {
		t.Errorf("the pair has %+v, want %+v", got, want)
	}
	if got := d.Summary.RowsPerNode; got["n1"] != rows || got["n2"] != healed {
		t.Errorf("rows per node are %v", got)
	}

	again := own.ReplaceAll(rerunBoth(t, s, diff.TaskID, "public.t", "confirm_delay", "1ms").Raw, nil)
	if first := own.ReplaceAll(d.Raw, nil); !bytes.Equal(first, again) {
		t.Errorf("with a second look the document is another:\n%.3000s\n%.3000s", first, again)
	}

	limited := rerunBoth(t, s, d.TaskID, "public.t", "max_diff_rows", "1000")
	if !limited.Summary.DiffRowLimitReached || countsOf(limited, 0) != countsOf(d, 0) {
		t.Errorf("limited to 1000 rows: %s", figures(limited))
	}
	if got := len(slices.Collect(limited.All("n1/n2", "n1", "id"))); got != 1000 {
		t.Errorf("the document has %d rows of n1", got)
	}
	rest := rerunBoth(t, s, limited.TaskID, "public.t")
	if rest.Result.TotalRows != 1000 || len(unprivileged(rest.Summary.Warnings)) != 1 || !strings.Contains(unprivileged(rest.Summary.Warnings)[0], "does not contain all rows that differed") {
		t.Errorf("the rerun of a limited document has %s, warnings %q", figures(rest), rest.Summary.Warnings)
	}
}

func TestTableRerun_AKeyVariantIsTheSameKey(t *testing.T) {
	t.Parallel()
	for name, nodes := range map[string]func(*testing.T) *pgtest.Cluster{
		"under one order": func(t *testing.T) *pgtest.Cluster { return pgtest.NewCluster(t) }, "under two orders": orderedUnlike,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := nodes(t)
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, citextSetup()...)
			c.ExecAll(t, `CREATE TABLE t (id ext.citext PRIMARY KEY, v text)`, `CREATE TABLE amounts (id numeric PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES ('Anna', '1'), ('BERT', '2'), ('carl', '3'), ('only', '4')`, `INSERT INTO amounts VALUES (1.0, 'a'), (2.00, 'b')`)
			c.Exec(t, 1, `INSERT INTO t VALUES ('anna', '1'), ('bert', '2x'), ('carl', '3')`, `INSERT INTO amounts VALUES (1.00, 'a'), (2.00, 'c')`)
			diff := s.Diff(t, "public.t")
			want := []string{"n1/n2 n1|Anna|1", "n1/n2 n1|BERT|2", "n1/n2 n1|only|4", "n1/n2 n2|anna|1", "n1/n2 n2|bert|2x"}
			if got := rendered(diff); !slices.Equal(got, want) {
				t.Fatalf("the document has %q", got)
			}
			if d := rerunBoth(t, s, diff.TaskID, "public.t"); !slices.Equal(rendered(d), want) || d.Result.TotalRows != 3 || d.Result.MismatchedRows != 3 {
				t.Errorf("the rerun has %q, %s", rendered(d), figures(d))
			}

			// One row gets another key variant, and a row that a node lacked is inserted
			// as another variant.
			c.Exec(t, 0, `UPDATE t SET id = 'ANNA' WHERE id::text = 'Anna'`)
			c.Exec(t, 1, `INSERT INTO t VALUES ('ONLY', '4')`)
			want = []string{"n1/n2 n1|ANNA|1", "n1/n2 n1|BERT|2", "n1/n2 n1|only|4", "n1/n2 n2|anna|1", "n1/n2 n2|bert|2x", "n1/n2 n2|ONLY|4"}
			if d := rerunBoth(t, s, diff.TaskID, "public.t"); !slices.Equal(rendered(d), want) || d.Result.MismatchedRows != 3 {
				t.Errorf("the rerun has %q, %s", rendered(d), figures(d))
			}
			// The document names a row only by the key variant of the second node.
			second := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [], "n2": [{"id": "anna"}, {"id": "oNLy"}]}}}`))
			want = []string{"n1/n2 n1|ANNA|1", "n1/n2 n1|only|4", "n1/n2 n2|anna|1", "n1/n2 n2|ONLY|4"}
			if d := rerunBoth(t, s, second, "public.t"); !slices.Equal(rendered(d), want) || d.Result.TotalRows != 2 {
				t.Errorf("by the second node's spelling the rerun has %q, %s", rendered(d), figures(d))
			}

			amounts := s.Diff(t, "public.amounts")
			c.Exec(t, 1, `UPDATE amounts SET v = 'b' WHERE id = 2`)
			if d := rerunBoth(t, s, amounts.TaskID, "public.amounts"); !slices.Equal(rendered(d), []string{"n1/n2 n1|1.0|a", "n1/n2 n2|1.00|a"}) || d.Result.TotalRows != 2 {
				t.Errorf("the rerun has %q, %s", rendered(d), figures(d))
			}
		})
	}
}

func TestTableRerun_ReadsChangingRowsAgain(t *testing.T) {
	t.Parallel()
	for _, behavior := range behaviors() {
		t.Run(behavior, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 4) i`)
			c.Exec(t, 1, `UPDATE t SET v = 'w'`)
			var rerunning atomic.Bool
			s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
				if u.Phase == "confirm" && rerunning.Load() {
					c.Exec(t, 1, `UPDATE t SET v = 'v' WHERE id = 1`, `UPDATE t SET v = 'x' WHERE id = 2`, `DELETE FROM t WHERE id = 3`)
				}
				return next.Invoke(ctx, u)
			})})
			diff := s.Diff(t, "public.t")
			rerunning.Store(true)
			d := s.Rerun(t, diff.TaskID, "public.t", "confirm_delay", "10ms", "behavior", behavior)
			want := []string{"n1/n2 n1|2|v", "n1/n2 n1|3|v", "n1/n2 n1|4|v", "n1/n2 n2|2|x", "n1/n2 n2|4|w"}
			if got := rendered(d); !slices.Equal(got, want) || d.Summary.ResolvedRows != 1 || d.Summary.UnsettledRows != 0 {
				t.Errorf("got %q, %d resolved, %d unsettled", got, d.Summary.ResolvedRows, d.Summary.UnsettledRows)
			}
		})
	}
}

func TestTableRerun_UsesTheRequestedChecksum(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'w'`)
	s := apptest.New(t, c, apptest.Options{})
	d := rerunBoth(t, s, s.Diff(t, "public.t").TaskID, "public.t", "checksum", api.ChecksumSHA256)
	if d.Result.MismatchedRows != 3 {
		t.Errorf("got %s", figures(d))
	}
}

// Without PostgreSQL's \x the text of a bytea is the bytes of its letters: another key,
// which does not exist.
func TestTableRerun_ReportsThatNoNodeHasAKey(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id bytea PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES ('\x00ff', 'a'), ('\x01', 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES ('\x00ff', 'b')`)
	for id, warned := range map[string]bool{"00ff": true, `\\x00ff`: false} {
		d := rerunBoth(t, s, s.Import(t, fmt.Appendf(nil, `{"diffs":{"n1/n2":{"n1":[{"id":"%s"}],"n2":[]}}}`, id)), "public.t")
		if got := strings.Contains(strings.Join(d.Summary.Warnings, " "), "1 of the keys of imports/"); got != warned {
			t.Errorf("key %s: %s, warnings %v", id, figures(d), d.Summary.Warnings)
		}
	}
}
