package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ace/infra/testbed"
)

// setBuffers sets shared_buffers on every node; the next restart applies it.
func (b *bench) setBuffers(ctx context.Context, size string) error {
	_, err := b.nodes.All(ctx, "-c", "ALTER SYSTEM SET shared_buffers = '"+size+"'")
	return err
}

// measureCold measures the first comparison after a restart, with each way of reading the
// table, and the first digest scan after a restart. All take turns, and the nodes are
// restarted before each of them. The result has one line for each way of reading.
func (b *bench) measureCold(ctx context.Context, c benchCase) (results []result, err error) {
	if _, err := b.nodes.All(ctx, "-c", "CREATE EXTENSION IF NOT EXISTS pg_buffercache"); err != nil {
		return nil, err
	}
	if err := b.setBuffers(ctx, c.Cold); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.setBuffers(ctx, warmBuffers)) }()
	query, err := b.limitQuery(ctx, c)
	if err != nil {
		return nil, err
	}

	var limits []float64
	times := map[string][]float64{}
	for range b.runs {
		took, err := b.coldScan(ctx, c, query)
		if err != nil {
			return nil, err
		}
		limits = append(limits, took)
		for i, scan := range c.scans() {
			one := c
			one.SequentialScan = scan
			r, err := b.coldComparison(ctx, one)
			if err != nil {
				return nil, err
			}
			times[scan] = append(times[scan], r.First)
			r.Case = c.Name + ", " + scan
			if len(results) <= i {
				results = append(results, r)
			}
			results[i].CachedMB = max(results[i].CachedMB, r.CachedMB)
		}
	}

	for i, scan := range c.scans() {
		r := &results[i]
		r.Limit = median(limits)
		r.Median = median(times[scan])
		r.First = r.Median
		r.Ratio = r.Median / r.Limit
		r.RowsPerS = float64(r.Rows) / r.Median
	}
	return results, nil
}

// scans returns the values of sequential_scan that the case compares.
func (c benchCase) scans() []string { return []string{"never", "auto"} }

// coldScan returns the seconds of a digest scan after a restart of all nodes.
func (b *bench) coldScan(ctx context.Context, c benchCase, query string) (float64, error) {
	if err := b.restart(ctx); err != nil {
		return 0, err
	}
	return b.scan(ctx, c, query)
}

// coldComparison restarts all nodes and compares the table once.
func (b *bench) coldComparison(ctx context.Context, c benchCase) (r result, err error) {
	b.count++
	dir := filepath.Join(b.dir, strconv.Itoa(b.count))
	if err := testbed.Define(testbed.Clusters(dir), "bench", b.nodes.Ports()[:c.Nodes]); err != nil {
		return r, err
	}
	if err := b.restart(ctx); err != nil {
		return r, err
	}
	service, err := testbed.StartService(ctx, b.binary, dir, testbed.Place{})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, service.Close()) }()

	took, done, err := b.once(ctx, c, service)
	if err != nil {
		return r, err
	}
	r = result{First: took, Rows: done.rows, Differs: done.differs, Strategy: done.summary.Strategy, Timings: done.summary.Timings}
	if r.CachedMB, err = b.cached(ctx, c); err != nil {
		return r, err
	}
	r.PeakMB, err = peakMemory(service.PID())
	return r, err
}

// cached returns how much of the table and its indexes is in the shared buffers of the
// node that has the most of it, in MB.
func (b *bench) cached(ctx context.Context, c benchCase) (most float64, err error) {
	for node := range c.Nodes {
		output, err := b.nodes.One(ctx, node, "-c", fmt.Sprintf(`
			SELECT count(*) * current_setting('block_size')::int / 1048576.0 FROM pg_buffercache
			WHERE reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
			  AND relfilenode IN (SELECT pg_relation_filenode('%[1]s'::regclass)
			                      UNION SELECT pg_relation_filenode(indexrelid) FROM pg_index WHERE indrelid = '%[1]s'::regclass)`, c.Table))
		if err != nil {
			return 0, err
		}
		size, err := strconv.ParseFloat(strings.TrimSpace(output), 64)
		if err != nil {
			return 0, err
		}
		most = max(most, size)
	}
	return most, nil
}

// restart restarts all nodes. If b.drop is set, it also drops the operating system's page
// cache, so that pages come from the disk.
func (b *bench) restart(ctx context.Context) error {
	if _, err := b.nodes.All(ctx, "-c", "CHECKPOINT"); err != nil {
		return err
	}
	for _, server := range b.nodes.Servers {
		if err := server.Restart(ctx); err != nil {
			return err
		}
	}
	if !b.drop {
		return nil
	}
	syscall.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3\n"), 0o200)
}

// scan returns the seconds of a query that runs on all nodes of the case at once.
func (b *bench) scan(ctx context.Context, c benchCase, query string) (float64, error) {
	start := time.Now()
	err := b.onNodes(ctx, c, "-c", "SET jit = off", "-c", "SET max_parallel_workers_per_gather = 0", "-c", query)
	return time.Since(start).Seconds(), err
}
