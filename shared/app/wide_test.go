//go:build !unit

package app_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

func TestTableDiff_ComparesTwelveHundredColumns(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(4))
	s := apptest.New(t, c, apptest.Options{})
	columns := make([]string, 1199)
	for i := range columns {
		columns[i] = fmt.Sprintf(", column_%d int DEFAULT %d", i, i)
	}
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY`+strings.Join(columns, "")+`); INSERT INTO t SELECT generate_series(1, 300)`)
	c.Exec(t, 1, `UPDATE t SET column_1198 = 0, column_7 = NULL WHERE id = 250`)
	for _, checksum := range []string{"auto", "sha256"} {
		d := s.Diff(t, "public.t", "checksum", checksum)
		if got := d.Summary.Pairs[0].Columns; d.Result.MismatchedRows != 1 || len(got) != 2 || got["column_1198"] != 1 || got["column_7"] != 1 {
			t.Errorf("checksum %s: %d rows mismatched in %v, want one in column_7 and column_1198", checksum, d.Result.MismatchedRows, got)
		}
	}
}

// The values are read from each node, stored in a part and written to the document, one
// row at a time.
func TestTableDiff_UsesBoundedMemoryForHugeValues(t *testing.T) {
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{Parallel: 2})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`,
		`INSERT INTO t SELECT i, repeat('0123456789abcdef', 327680) FROM generate_series(1, 10) i`)
	c.Exec(t, 1, `UPDATE t SET v = v || id`)

	defer debug.SetGCPercent(debug.SetGCPercent(25)) // measure what is held, not what waits to be collected
	peak := watchHeap(t)
	status := s.Wait(t, s.Submit(t, "public.t", "max_cpu_ratio", "1"))
	if used := peak(); used > 130<<20 {
		t.Errorf("the heap grew by %d MB while 10 rows of 5 MB on each of two nodes were compared, want less than 130", used>>20)
	}
	if status.Status != "COMPLETED" || !strings.Contains(string(status.Result), `"mismatched_rows":10`) {
		t.Fatalf("ended %s (%s): %s, want 10 mismatched rows", status.Status, status.Error, status.Result)
	}
}

// watchHeap measures the growth of the heap until the returned function is called.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before := stats.HeapInuse
	var most atomic.Uint64
	done := make(chan struct{})
	var sampler sync.WaitGroup
	sampler.Go(func() {
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most.Store(max(most.Load(), now.HeapInuse))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return func() uint64 {
		close(done)
		sampler.Wait()
		return max(most.Load(), before) - before
	}
}
