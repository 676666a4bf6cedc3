//go:build !unit

package app_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// buffers returns how many pages of a table are in the shared buffers of a node.
func buffers(t *testing.T, c *pgtest.Cluster, node int, table string) int {
	t.Helper()
	row := c.QueryStrings(t, node, `SELECT count(*) FROM pg_buffercache WHERE relfilenode = pg_relation_filenode('`+table+`')
		AND reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	pages, err := strconv.Atoi(row[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

func TestSequentialScan_LeavesTheSharedBuffersToOtherSessions(t *testing.T) {
	t.Parallel()
	// The hot pages take 80 % of the shared buffers, and the compared table twice as much as
	// the shared buffers. The module pg_buffercache is part of this version only.
	c := pgtest.Own(t, pgtest.Majors(15, 15), pgtest.ServerSetting("shared_buffers", "32MB"), pgtest.ServerSetting("autovacuum", "off"))
	c.ExecAll(t, `CREATE EXTENSION pg_buffercache`,
		`CREATE TABLE hot (id int PRIMARY KEY, filler text)`, `ALTER TABLE hot ALTER filler SET STORAGE PLAIN`,
		`INSERT INTO hot SELECT i, repeat('h', 7900) FROM generate_series(1, 3280) i`,
		`CREATE TABLE t (id int PRIMARY KEY, filler text)`, `INSERT INTO t SELECT i, repeat('t', 1000) FROM generate_series(1, 60000) i`,
		`VACUUM ANALYZE`)
	c.Exec(t, 1, `UPDATE t SET filler = 'other' WHERE id = 30000`, `DELETE FROM t WHERE id = 60000`)
	c.ExecAll(t, `CHECKPOINT`)
	for _, node := range c.Nodes {
		if err := node.Server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 6 { // a page that is used often is not evicted soon
		c.ExecAll(t, `SET enable_seqscan = off`, `SELECT count(filler) FROM hot WHERE id > 0`)
	}
	hot := buffers(t, c, 0, "hot")
	if hot < 3200 {
		t.Fatalf("%d pages are hot", hot)
	}

	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t", "confirm_delay", "0", "sequential_scan", "auto")
	if d.Summary.Strategy != plan.Sequential || d.Result.TotalRows != 60000 || countsOf(d, 0) != (counts{1, 0, 1}) {
		t.Errorf("strategy %q, %d rows, %+v", d.Summary.Strategy, d.Result.TotalRows, countsOf(d, 0))
	}
	for node := range c.Nodes {
		left, read := buffers(t, c, node, "hot"), buffers(t, c, node, "t")
		t.Logf("node %d: %d of %d hot pages and %d pages of the compared table", node, left, hot, read)
		if left < hot*95/100 || read > 600 {
			t.Errorf("node %d has %d of %d hot pages and %d pages of the compared table", node, left, hot, read)
		}
	}

	// Key ranges evict hot pages, so the test can fail.
	d = s.Diff(t, "public.t", "confirm_delay", "0", "sequential_scan", "never")
	if read := buffers(t, c, 0, "t"); d.Summary.Strategy != plan.KeyRanges || read < 1000 {
		t.Errorf("by %s: %d pages of the compared table", d.Summary.Strategy, read)
	}
}

// A comparison with a baseline relies on the blocks that a sequential scan found equal.
func TestSequentialScan_LeavesABaselineForKeyRanges(t *testing.T) {
	t.Parallel()
	c := pgtest.UnlikeNodes(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE p (id int, part int, v text, PRIMARY KEY (id, part)) PARTITION BY LIST (part)`,
		`CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0)`, `CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)`,
		`CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)`,
		`INSERT INTO p SELECT i, i % 2, 'v' || i FROM generate_series(1, 20000) i`, `VACUUM ANALYZE p`)
	c.Exec(t, 1, `UPDATE p SET v = 'other' WHERE id = 15001`)

	first := s.Diff(t, "public.p", "block_rows", "1000", "confirm_delay", "0", "sequential_scan", "always")
	if first.Summary.Strategy != plan.Sequential || countsOf(first, 0) != (counts{0, 0, 1}) || first.Result.TotalRows != 20000 {
		t.Fatalf("strategy %q, %d rows, %+v", first.Summary.Strategy, first.Result.TotalRows, countsOf(first, 0))
	}

	c.Exec(t, 0, `UPDATE p SET v = 'new' WHERE id = 3`)
	next := s.Diff(t, "public.p", "block_rows", "1000", "confirm_delay", "0", "baseline", "last")
	if next.Summary.Strategy != plan.KeyRanges || next.Summary.Baseline != first.TaskID || countsOf(next, 0) != (counts{0, 0, 2}) {
		t.Fatalf("strategy %q, baseline %q, %+v, warnings %q", next.Summary.Strategy, next.Summary.Baseline, countsOf(next, 0), next.Summary.Warnings)
	}
	if *next.Summary.BlocksCompared != 2 {
		t.Errorf("%d blocks were unchanged and %d were compared, want 2", *next.Summary.BlocksUnchanged, *next.Summary.BlocksCompared)
	}
}

func TestSequentialScan_FindsManyDifferencesAndEmptyNodes(t *testing.T) {
	t.Parallel()
	create := `CREATE TABLE t (id bigint PRIMARY KEY, v text, w int)`
	fill := `INSERT INTO t SELECT i, 'v' || i, i % 5 FROM generate_series(1, 5000) i`
	always := []string{"sequential_scan", "always"}
	checkShapes(t, []shape{
		{name: "most rows differ", all: []string{create, fill}, n2: []string{`UPDATE t SET v = 'other' WHERE id % 5 > 0`}, args: always, total: 5000, found: counts{0, 0, 4000}},
		{name: "one node is empty", all: []string{create}, n1: []string{fill}, args: always, total: 5000, found: counts{5000, 0, 0}},
		{name: "all nodes are empty", all: []string{create}, args: always},
		{
			name: "a filter and an ignored column", all: []string{create, fill},
			n2:   []string{`UPDATE t SET v = 'other', w = 7 WHERE id = 5`, `UPDATE t SET w = 9 WHERE id = 10`, `UPDATE t SET v = 'x' WHERE id = 6`},
			args: append(slices.Clone(always), "table_filter", "id % 5 = 0", "ignore_columns", "w"), total: 1000, found: counts{0, 0, 1},
		},
	})
}

func TestSequentialScan_ReadsAgainOnlyTheNodeThatFailed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `DELETE FROM t WHERE id = 7`)
	var mu sync.Mutex
	invoked := map[int]int{}
	s := apptest.New(t, c, apptest.Options{Invoker: around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		if u.Phase != plan.PhaseScan {
			return next.Invoke(ctx, u)
		}
		mu.Lock()
		invoked[u.Index]++
		fails := u.Index == 1 && invoked[1] == 1
		mu.Unlock()
		if fails {
			return plan.Totals{}, fault.New(fault.Unavailable, "the node restarts")
		}
		return next.Invoke(ctx, u)
	})})
	d := s.Diff(t, "public.t", "confirm_delay", "0", "sequential_scan", "always")
	if countsOf(d, 0) != (counts{1, 0, 0}) || d.Summary.Strategy != plan.Sequential || strings.Contains(d.Summary.Snapshots, "batch") {
		t.Errorf("%+v by %s, snapshots %q", countsOf(d, 0), d.Summary.Strategy, d.Summary.Snapshots)
	}
	if invoked[0] != 1 || invoked[1] != 2 {
		t.Errorf("the nodes were read %v times", invoked)
	}
}
