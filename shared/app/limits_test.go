//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

func TestTableDiff_MaxDiffRowsLimitsOnlyTheListedRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id % 10 = 0`) // 300 rows differ from both other nodes
	c.Exec(t, 2, `DELETE FROM t WHERE id > 2950`)          // 50 rows, of which 5 also differ on the second node
	const changed, gone = 300, 50
	for _, limit := range []int{1, 49, 50, 299, 300, 1000} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			d := s.Diff(t, "public.t", "block_rows", "1000", "max_diff_rows", fmt.Sprint(limit))
			if d.Result.MismatchedRows != changed+gone-5 || d.Result.TotalRows != 3000 {
				t.Errorf("%d of %d rows mismatched, want 345 of 3000", d.Result.MismatchedRows, d.Result.TotalRows)
			}
			for pair, want := range []counts{{0, 0, changed}, {gone, 0, 0}, {gone, 0, changed - 5}} {
				if got := countsOf(d, pair); got != want {
					t.Errorf("pair %d: %+v, want %+v", pair, got, want)
				}
			}
			if want := limit < changed+45; d.Summary.DiffRowLimitReached != want {
				t.Errorf("diff_row_limit_reached is %v, want %v", d.Summary.DiffRowLimitReached, want)
			}
			var first []string
			for id := 10; id <= 3000 && len(first) < limit; id += 10 {
				first = append(first, fmt.Sprint(id))
			}
			for _, node := range []string{"n1", "n2"} {
				if got := slices.Collect(d.All("n1/n2", node, "id")); !slices.Equal(got, first) {
					t.Errorf("n1/n2 has ids %.60q of %s, want the first %d: %.60q", got, node, limit, first)
				}
			}
			if got := len(slices.Collect(d.All("n1/n3", "n1", "id"))); got != min(limit, gone) {
				t.Errorf("n1/n3 has %d rows, want %d", got, min(limit, gone))
			}
		})
	}
}

func TestTableDiff_UselessSizesAreAdjustedWithAWarning(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id IN (1, 3000)`)
	for _, tt := range []struct {
		rows, size string
		used       int64
		want       []string
	}{
		{"1", "1", 1000, []string{"block_rows was raised to 1000, the smallest useful value"}},
		{"99999999999999999999", "99999999999999999999", 1_000_000, []string{
			"block_rows was lowered to 1000000, the largest useful value", "batch_size was lowered to 1000, the largest useful value"}},
	} {
		d := s.Diff(t, "public.t", "block_rows", tt.rows, "batch_size", tt.size)
		if d.Result.MismatchedRows != 2 || d.Summary.BlockRows != tt.used {
			t.Errorf("%s: %d rows differ in blocks of %d rows", tt.rows, d.Result.MismatchedRows, d.Summary.BlockRows)
		}
		if warnings := slices.DeleteFunc(d.Summary.Warnings, ofSuperuser); !slices.Equal(warnings, tt.want) {
			t.Errorf("%s: the warnings are %q", tt.rows, warnings)
		}
	}
}

// Rows far beyond the limit are only counted, by their digests.
func TestTableDiff_ListsHundredThousandRowsOfOneNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 1, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100000) i`)
	d := s.Diff(t, "public.t", "max_diff_rows", "100")
	if got := countsOf(d, 0); got != (counts{0, 100_000, 0}) || d.Result.TotalRows != 100_000 || d.Result.MismatchedRows != 100_000 {
		t.Errorf("%d of %d rows mismatched, %+v, want all 100000 on the second node only", d.Result.MismatchedRows, d.Result.TotalRows, got)
	}
	if len(d.Rows) != 100 || d.Rows[0].Values["id"] != "1" || d.Rows[99].Values["id"] != "100" || !d.Summary.DiffRowLimitReached {
		t.Errorf("the document has %d rows (limit reached: %v), want those of the keys 1 to 100", len(d.Rows), d.Summary.DiffRowLimitReached)
	}
}

func TestTableDiff_TheDocumentDoesNotDependOnTheUnitsOfWork(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (a int, b text, v numeric, PRIMARY KEY (b, a))`,
		`INSERT INTO t SELECT i, 'b' || i % 100, i FROM generate_series(1, 12000) i`)
	c.Exec(t, 1, `UPDATE t SET v = v + 0.0 WHERE a % 1000 = 7`, `DELETE FROM t WHERE a = 1`)
	c.Exec(t, 2, `INSERT INTO t SELECT -i, 'c', i FROM generate_series(1, 1500) i`)
	var first string
	for _, args := range [][]string{
		{"block_rows", "10000"},
		{"block_rows", "1000", "batch_size", "1", "max_cpu_ratio", "1"},
		{"block_rows", "1000", "batch_size", "1000", "max_cpu_ratio", "0.01"},
		{"block_rows", "1777", "batch_size", "3", "max_cpu_ratio", "0.5", "confirm_delay", "1ms"},
		{"block_rows", "1000000", "quiet", "true"},
		{"block_rows", "2000", "checksum", "sha256"},
	} {
		d := s.Diff(t, "public.t", args...)
		got := lasting(t, d.Raw)
		if first == "" {
			first = got
			if d.Result.MismatchedRows != 1513 {
				t.Fatalf("%d rows mismatched, want 1513", d.Result.MismatchedRows)
			}
		}
		if got != first {
			t.Errorf("with %s the document is another one:\n%.2000s\nwant\n%.2000s", strings.Join(args, " "), got, first)
		}
	}
}

// lasting returns a document without the members that differ between runs.
func lasting(t *testing.T, document []byte) string {
	t.Helper()
	var d struct {
		Format  string                     `json:"format"`
		Summary map[string]json.RawMessage `json:"summary"`
		Diffs   json.RawMessage            `json:"diffs"`
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	passing := []string{
		"task_id", "started_at", "finished_at", "time_taken", "timings", "block_rows", "blocks", "mismatched_blocks", "workers", "warnings",
	}
	maps.DeleteFunc(d.Summary, func(name string, _ json.RawMessage) bool { return slices.Contains(passing, name) })
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
