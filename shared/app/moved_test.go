//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// halfway returns an invoker that calls a function in the middle of a phase: when all
// units of the first half are done and no other unit has begun.
func halfway(phase string, half int, do func()) func(tablediff.Invoker) tablediff.Invoker {
	var once sync.Once
	var first sync.WaitGroup
	first.Add(half)
	return around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		switch {
		case u.Phase != phase:
		case u.Index < half:
			defer first.Done()
		default:
			once.Do(func() {
				first.Wait()
				do()
			})
		}
		return next.Invoke(ctx, u)
	})
}

// moving is a table that is read page by page and has free space for new row versions
// only at one end.
type moving struct {
	name      string
	phase     string    // the phase that reads the pages
	key       [2]string // type and collation of the key on each node
	roomAtEnd bool
	ratio     string // max_cpu_ratio, of four workers
}

// row returns the number of a row whose page is full, so that an update moves the row to
// the other end.
func (m moving) row(i int) int {
	if m.roomAtEnd {
		return 10_000 + 100*i
	}
	return 50_000 + 100*i
}

func (m moving) create(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	room := "n <= 300"
	if m.roomAtEnd {
		room = "n > 59700"
	}
	for node, key := range m.key {
		c.Exec(t, node, fmt.Sprintf(`CREATE TABLE t (id %s PRIMARY KEY, n int, v text, filler text) WITH (autovacuum_enabled = off)`, key),
			fmt.Sprintf(`INSERT INTO t SELECT md5(i::text)::%s, i, CASE WHEN i IN (%d, %d) THEN 'v%d' ELSE 'v' END, repeat('f', 140) FROM generate_series(1, 60000) i`,
				strings.Fields(key)[0], m.row(0), m.row(1), node))
	}
	c.ExecAll(t, `CREATE INDEX ON t (n)`, `DELETE FROM t WHERE `+room, `VACUUM (ANALYZE, INDEX_CLEANUP ON) t`)
	c.Exec(t, 0, fmt.Sprintf(`DELETE FROM t WHERE n IN (%d, %d)`, m.row(2), m.row(3)))
}

// move updates some rows on a node and checks that they moved from one half of the table
// to the other.
func (m moving) move(t *testing.T, c *pgtest.Cluster, node int, set string, rows ...int) {
	t.Helper()
	for _, i := range rows {
		got := c.QueryStrings(t, node, fmt.Sprintf(`WITH half AS (SELECT pg_relation_size('t') / 8192 / 2 AS page), old AS (SELECT ctid FROM t WHERE n = %[2]d)
			UPDATE t SET %[1]s FROM half, old WHERE n = %[2]d RETURNING (old.ctid::text::point)[0] < page, (t.ctid::text::point)[0] < page`, set, m.row(i)))
		if want := fmt.Sprint(map[bool]string{true: "[[t f]]", false: "[[f t]]"}[m.roomAtEnd]); fmt.Sprint(got) != want {
			t.Errorf("row %d of node %d was and is in the first half: %v, want %s", m.row(i), node+1, got, want)
		}
	}
}

// A row is compared exactly once on every node, wherever it is at any time. It is neither
// missed, because it moved to pages that were read before, nor read twice.
func TestPages_ARowThatMovesBetweenPagesIsComparedOnce(t *testing.T) {
	t.Parallel()
	uuid := [2]string{"uuid", "uuid"}
	text := [2]string{`text COLLATE "C"`, `text COLLATE "und-x-icu"`}
	for _, m := range []moving{
		{name: "from pages not read yet, by buckets", phase: "buckets", key: uuid, ratio: "1"},
		{name: "from pages read already, by ranges", phase: "scan", key: text, ratio: "0.25", roomAtEnd: true},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			m.create(t, c)
			s := apptest.New(t, c, apptest.Options{Invoker: halfway(m.phase, 8, func() {
				for node := range c.Nodes {
					m.move(t, c, node, "filler = filler", 0, 4) // row 0 differs before and after; row 4 is equal before and after
					m.move(t, c, node, "v = 'w'", 5)            // row 5 changes alike on both nodes, as with replication
				}
				m.move(t, c, 1, "filler = filler", 1, 2, 6)                                 // row 1 differs, row 2 is on this node only, row 6 is equal
				c.ExecAll(t, `BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT`) // fails if the comparison holds a lock until all pages are read
			})})
			d := s.Diff(t, "public.t", "block_rows", "1000", "batch_size", "4", "max_cpu_ratio", m.ratio)
			var want []string
			for i := range 4 {
				want = append(want, fmt.Sprint(m.row(i)))
			}
			got := slices.Sorted(d.All("n1/n2", "n2", "n"))
			if !slices.Equal(got, want) || d.Result.MismatchedRows != 4 || d.Result.TotalRows != 59_700 {
				t.Errorf("%d of %d rows mismatched: %q, want 4 of 59700: %q", d.Result.MismatchedRows, d.Result.TotalRows, got, want)
			}
			if d.Summary.Strategy != "pages" || d.Summary.Snapshots != "one per node and pass over its pages" {
				t.Errorf("it was read by %s, with snapshots %q", d.Summary.Strategy, d.Summary.Snapshots)
			}
		})
	}
}

// If a snapshot is lost, the comparison loses a guarantee but does not fail: the
// remaining pages are read in another snapshot, and the summary reports it.
func TestPages_AreReadInSeveralSnapshotsIfOneExpires(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, scatteredTable())
	c.Exec(t, 1, `UPDATE scattered SET filler = 'g' WHERE id::text LIKE '000%'`)
	cut := func() {
		c.Exec(t, 1, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%'`)
	}
	for _, tt := range []struct {
		name    string
		ratio   string // max_cpu_ratio, of four workers
		longest time.Duration
		halfway func()
	}{
		{"a snapshot that may not last", "0.25", time.Nanosecond, func() {}},
		{"a snapshot that is lost with its connection", "1", 0, cut},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := apptest.New(t, c, apptest.Options{Snapshot: tt.longest, Invoker: halfway("buckets", 5, tt.halfway)})
			d := s.Diff(t, "public.scattered", "block_rows", "1000", "batch_size", "5", "max_cpu_ratio", tt.ratio)
			if d.Result.MismatchedRows != 16 || d.Result.TotalRows != 60_000 || d.Summary.Snapshots != "one per node and batch" {
				t.Errorf("%d of %d rows mismatched in snapshots %q, want 16 of 60000 in one per batch", d.Result.MismatchedRows, d.Result.TotalRows, d.Summary.Snapshots)
			}
		})
	}
}
