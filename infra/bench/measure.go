package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ace/infra/testbed"
)

const (
	limitRuns = 3
	pollEvery = 20 * time.Millisecond
	latency   = 10 * time.Millisecond // the delay in each direction between the service and a node

	warmBuffers = "256MB" // shared_buffers, except in cold cases
)

// bench holds the settings and the nodes that all cases share.
type bench struct {
	dir    string
	binary string
	rows   int
	runs   int
	drop   bool // before each restart, drop the page cache of the operating system
	nodes  *testbed.Nodes
	count  int
}

// result is one line of the report. Times are in seconds.
type result struct {
	Case     string             `json:"case"`
	Rows     int64              `json:"rows"`
	Differs  int64              `json:"differing_rows"`
	Limit    float64            `json:"limit_s"`
	First    float64            `json:"first_s"`
	Median   float64            `json:"median_s"`
	Ratio    float64            `json:"ratio"`
	RowsPerS float64            `json:"rows_per_s"` // rows that are compared per second, counted on one node
	PeakMB   float64            `json:"peak_memory_mb"`
	CachedMB float64            `json:"cached_mb,omitempty"` // cold cases: how much of the table and its indexes is in the shared buffers afterwards
	Strategy string             `json:"strategy"`
	Timings  map[string]float64 `json:"timings_s"` // the seconds that each phase of the last run took, by the name of the phase
}

// printHeader prints the head of the report, which is a table in Markdown.
func printHeader() {
	fmt.Println("| case | rows | differ | limit s | first s | median s | ratio | peak MB | cached MB |")
	fmt.Println("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
}

func (r result) print() {
	cached := ""
	if r.CachedMB > 0 {
		cached = fmt.Sprintf("%.0f", r.CachedMB)
	}
	fmt.Printf("| %s | %d | %d | %.2f | %.2f | %.2f | %.2f | %.0f | %s |\n", r.Case, r.Rows, r.Differs, r.Limit, r.First, r.Median, r.Ratio, r.PeakMB, cached)
}

// drift runs the Drift of a case on the second node, or on as many nodes as c.Drifted,
// and then VACUUM ANALYZE. It does nothing if the case has no Drift.
func (b *bench) drift(ctx context.Context, c benchCase) error {
	if c.Drift == "" {
		return nil
	}
	for node := range max(1, c.Drifted) {
		if _, err := b.nodes.One(ctx, 1+node, "-c", c.Drift, "-c", "VACUUM ANALYZE "+c.Table); err != nil {
			return err
		}
	}
	return nil
}

// measure returns the lines of the report for one case.
func (b *bench) measure(ctx context.Context, c benchCase) ([]result, error) {
	if c.Cold != "" {
		return b.measureCold(ctx, c)
	}
	r, err := b.measureWarm(ctx, c)
	return []result{r}, err
}

func (b *bench) measureWarm(ctx context.Context, c benchCase) (r result, err error) {
	r.Case = c.Name
	if r.Limit, err = b.limitOf(ctx, c); err != nil {
		return r, err
	}
	ports := b.nodes.Ports()[:c.Nodes]
	if c.Latency {
		far, err := newDistance(ports, latency)
		if err != nil {
			return r, err
		}
		defer far.close()
		ports = far.ports
	}
	b.count++
	dir := filepath.Join(b.dir, strconv.Itoa(b.count))
	if err := testbed.Define(testbed.Clusters(dir), "bench", ports); err != nil {
		return r, err
	}
	var environ []string
	if c.CPUs > 0 {
		environ = append(environ, "GOMAXPROCS="+strconv.Itoa(c.CPUs))
	}
	service, err := testbed.StartService(ctx, b.binary, dir, testbed.Place{}, environ...)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if c.Incremental {
		return b.alternate(ctx, c, service, r)
	}
	return b.repeat(ctx, c, service, r)
}

// repeat runs the tasks of a case in the service b.runs+1 times. The first run is
// reported separately.
func (b *bench) repeat(ctx context.Context, c benchCase, service *testbed.Service, r result) (result, error) {
	var times []float64
	for i := range b.runs + 1 {
		if (c.Follow == repair || c.Heal != "") && i > 0 { // the rows that became equal must differ again
			if err := b.drift(ctx, c); err != nil {
				return r, err
			}
		}
		took, done, err := b.once(ctx, c, service)
		if err != nil {
			return r, err
		}
		if c.Differs != done.differs && b.rows == 2_000_000 {
			return r, fmt.Errorf("%d rows differ, not %d", done.differs, c.Differs)
		}
		r.Rows, r.Differs, r.Strategy, r.Timings = done.rows, done.differs, done.summary.Strategy, done.summary.Timings
		if i == 0 {
			r.First = took
			continue
		}
		times = append(times, took)
	}
	return r.conclude(times, service)
}

// conclude computes the median and the other figures of r from times, the seconds of each
// run.
func (r result) conclude(times []float64, service *testbed.Service) (result, error) {
	r.Median = median(times)
	r.Ratio = r.Median / r.Limit
	r.RowsPerS = float64(r.Rows) / r.Median
	var err error
	r.PeakMB, err = peakMemory(service.PID())
	return r, err
}

// alternate runs incremental and full comparisons alternately. The limit is the median
// time of the full comparisons.
func (b *bench) alternate(ctx context.Context, c benchCase, service *testbed.Service, r result) (result, error) {
	full := c
	full.Incremental = false
	if _, _, err := b.once(ctx, full, service); err != nil {
		return r, err
	}
	var times, limits []float64
	for i := range b.runs + 1 {
		if c.Change != "" {
			change := strings.ReplaceAll(c.Change, "%d", strconv.Itoa(i))
			if err := b.onNodes(ctx, c, "-c", change, "-c", "VACUUM "+c.Table, "-c", "CHECKPOINT"); err != nil {
				return r, err
			}
		}
		took, done, err := b.once(ctx, c, service)
		if err != nil {
			return r, err
		}
		limit, again, err := b.once(ctx, full, service)
		if err != nil {
			return r, err
		}
		if done.differs != 0 || done.rows != again.rows || done.summary.Baseline == "" || again.summary.Baseline != "" {
			return r, fmt.Errorf("%d of %d rows differ from baseline %q, in full %d of %d", done.differs, done.rows, done.summary.Baseline, again.differs, again.rows)
		}
		r.Rows, r.Strategy, r.Timings = done.rows, done.summary.Strategy, done.summary.Timings
		if i == 0 {
			r.First = took
			continue
		}
		times, limits = append(times, took), append(limits, limit)
	}
	r.Limit = median(limits)
	return r.conclude(times, service)
}

// limit restarts the nodes, reads the table once and then measures the digest scan, which
// runs on all nodes of the case at once. It returns the median time in seconds.
func (b *bench) limit(ctx context.Context, c benchCase) (float64, error) {
	if err := b.restart(ctx); err != nil {
		return 0, err
	}
	query, err := b.limitQuery(ctx, c)
	if err != nil {
		return 0, err
	}
	var times []float64
	for i := range limitRuns + 1 {
		took, err := b.scan(ctx, c, query)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			times = append(times, took)
		}
	}
	return median(times), nil
}

// onNodes runs psql on all nodes of the case at once.
func (b *bench) onNodes(ctx context.Context, c benchCase, args ...string) error {
	group, ctx := errgroup.WithContext(ctx)
	for node := range c.Nodes {
		group.Go(func() error {
			_, err := b.nodes.One(ctx, node, args...)
			return err
		})
	}
	return group.Wait()
}

func median(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/2]
}

// peakMemory returns the largest resident memory of a process so far, in MB.
func peakMemory(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(kb), " kB"), 64)
			return n / 1024, err
		}
	}
	return 0, errors.New("the process has no VmHWM")
}
