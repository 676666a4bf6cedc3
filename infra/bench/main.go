// Command bench measures the time of table-diff and compares it with a limit: the time
// that PostgreSQL needs for one scan that digests every row of the table, on all nodes at
// once. Both times are measured in the same run and under the same load.
//
// For each case the nodes are restarted, the table is read once so that it is in memory,
// and the limit is the median of three digest scans. Then the service compares the table
// six times. The time of the first run is reported separately, and the result of the case
// is the median time of the others. Times are from submission to completion according to
// the task's record, so they include API, task store and document. In a cold case (see
// measureCold) all times are those of first runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"golang.org/x/sync/errgroup"

	"ace/infra/testbed"
)

func main() {
	rows := flag.Int("rows", 2_000_000, "rows of the table customers; the others are in proportion")
	runs := flag.Int("runs", 5, "warm runs of each case, or rounds of a cold case")
	only := flag.String("only", "", "only the cases whose name contains this")
	tables := flag.Int("tables", 0, "measure only schema-diff, on a schema of this many small tables")
	drop := flag.Bool("drop-caches", false, "drop the operating system's page cache at each restart of the nodes; needs root, and slows down all other programs")
	digests := flag.Bool("digests", false, "measure only candidates for the row digest, on every installed version of PostgreSQL")
	output := flag.String("o", "", "also write the results to this file, as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	measured := func() error { return run(ctx, &bench{rows: *rows, runs: *runs, drop: *drop}, *only, *output) }
	switch {
	case *digests:
		measured = func() error { return runDigests(ctx) }
	case *tables > 0:
		measured = func() error { return runSchema(ctx, *tables, *runs) }
	}
	if err := measured(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1) //nolint:gocritic // everything that the run started has ended
	}
}

func run(ctx context.Context, b *bench, only, output string) (err error) {
	dir, err := os.MkdirTemp("", "ace-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.dir = dir
	if b.binary, err = testbed.Build(ctx, dir); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "loading %d rows on three nodes\n", b.rows)
	b.nodes, err = testbed.StartNodes(ctx, 3, map[string]string{"shared_buffers": warmBuffers, "max_wal_size": "8GB", "autovacuum": "off"})
	defer func() { err = errors.Join(err, b.nodes.Close()) }()
	if err != nil {
		return err
	}
	if _, err := b.nodes.All(ctx, "-v", "rows="+strconv.Itoa(b.rows), "-f", "testdata/bench/data.sql"); err != nil {
		return err
	}
	if err := b.load(ctx, only); err != nil {
		return err
	}
	var results []result
	printHeader()
	for _, c := range cases() {
		if (c.Load != "" || c.Copy != "") && !c.wanted(only) { // the table of the case does not exist
			continue
		}
		measured, err := b.runCase(ctx, c, c.wanted(only))
		if err != nil {
			return fmt.Errorf("case %q: %w", c.Name, err)
		}
		for _, r := range measured {
			r.print()
		}
		results = append(results, measured...)
	}
	return write(output, results)
}

// runCase runs the Drift of a case and, if the case is wanted, measures it.
func (b *bench) runCase(ctx context.Context, c benchCase, wanted bool) (_ []result, err error) {
	if c.Timed {
		if err := b.recordCommitTimes(ctx, c.Table); err != nil {
			return nil, err
		}
		defer func() {
			_, resetErr := b.nodes.All(ctx, "-c", "ALTER SYSTEM RESET track_commit_timestamp") // applied by the next restart
			err = errors.Join(err, resetErr)
		}()
	}
	if err := b.drift(ctx, c); err != nil || !wanted {
		return nil, err
	}
	return b.measure(ctx, c)
}

// recordCommitTimes makes all nodes record commit times, and updates all rows of the
// table, so that each has one.
func (b *bench) recordCommitTimes(ctx context.Context, table string) error {
	if _, err := b.nodes.All(ctx, "-c", "ALTER SYSTEM SET track_commit_timestamp = on"); err != nil {
		return err
	}
	if err := b.restart(ctx); err != nil {
		return err
	}
	_, err := b.nodes.All(ctx, "-c", "UPDATE "+table+" SET city = city", "-c", "VACUUM ANALYZE "+table)
	return err
}

// load creates, on every node, the tables that only some cases need, if one of these
// cases is selected.
func (b *bench) load(ctx context.Context, only string) error {
	loaded := map[string]bool{}
	for _, c := range cases() {
		if c.Copy == "" || loaded[c.Table] || !c.wanted(only) {
			continue
		}
		loaded[c.Table] = true
		_, err := b.nodes.All(ctx, "-c", fmt.Sprintf("CREATE TABLE %s (LIKE %s INCLUDING ALL)", c.Table, c.Copy),
			"-c", fmt.Sprintf("INSERT INTO %s SELECT * FROM %s", c.Table, c.Copy), "-c", "VACUUM ANALYZE "+c.Table)
		if err != nil {
			return err
		}
	}
	for _, c := range cases() {
		if c.Load == "" || loaded[c.Table] || !c.wanted(only) {
			continue
		}
		loaded[c.Table] = true
		fmt.Fprintf(os.Stderr, "loading the table %s\n", c.Table)
		if err := b.create(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// create runs Load on the case's nodes at once.
func (b *bench) create(ctx context.Context, c benchCase) error {
	group, ctx := errgroup.WithContext(ctx)
	for node := range c.Nodes {
		group.Go(func() error {
			_, err := b.nodes.One(ctx, node, "-c", c.Load, "-c", "VACUUM ANALYZE "+c.Table)
			return err
		})
	}
	return group.Wait()
}

// write stores the results as JSON.
func write(path string, results []result) error {
	if path == "" {
		return nil
	}
	body, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(body, '\n'), 0o600)
}
