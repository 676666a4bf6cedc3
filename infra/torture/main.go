// Command torture puts the built `ace serve` through faults of the service itself, of its
// nodes and of its store, while it compares, repairs and undoes. After each run an oracle
// that uses plain SQL only judges every document and every row.
//
// A seed determines the plan of a run: the faults with their times, and what is done on
// each table. The same seed repeats the plan, although not each interleaving.
//
//	go run ./infra/torture -seed 7 -runs 20 -store minio
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"ace/infra/testbed"
)

// options are the flags of the program.
type options struct {
	seed   uint64
	runs   int
	stores []string
	length time.Duration
	binary string
}

func main() {
	o := options{}
	store := flag.String("store", "both", "the archive: dir, minio or both")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1e9), "the first seed; each run has the next one")
	flag.IntVar(&o.runs, "runs", 5, "runs with each store")
	flag.DurationVar(&o.length, "for", 6*time.Second, "how long faults happen in a run")
	flag.StringVar(&o.binary, "binary", "", "a built ace; default: build it")
	flag.Parse()
	o.stores = []string{*store}
	if *store == "both" {
		o.stores = []string{storeDir, storeMinIO}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := build(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "torture: "+err.Error())
		os.Exit(1) //nolint:gocritic // everything that the program started has ended
	}
}

// build builds the program if there is none, and tortures it.
func build(ctx context.Context, o options) error {
	if o.binary == "" {
		dir, err := os.MkdirTemp("", "ace-torture-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.binary, err = testbed.Build(ctx, dir); err != nil {
			return err
		}
	}
	t, err := torture(ctx, o, func(format string, args ...any) { fmt.Printf(format+"\n", args...) })
	fmt.Print(t)
	if err == nil && t.findings > 0 {
		err = fmt.Errorf("%d findings", t.findings)
	}
	return err
}

// tally counts what happened in all runs.
type tally struct {
	runs, findings int
	counts         map[string]int
}

func (t tally) String() string {
	text := fmt.Sprintf("\n%d runs, %d findings\n", t.runs, t.findings)
	for _, name := range slices.Sorted(maps.Keys(t.counts)) {
		text += fmt.Sprintf("%8d  %s\n", t.counts[name], name)
	}
	return text
}

// sum returns how often something happened whose name has this prefix.
func (t tally) sum(prefix string) (n int) {
	for name, count := range t.counts {
		if strings.HasPrefix(name, prefix) {
			n += count
		}
	}
	return n
}

// torture executes the runs of all seeds and stores. It logs every plan and every
// finding.
func torture(ctx context.Context, o options, log func(format string, args ...any)) (t tally, err error) {
	t.counts = map[string]int{}
	b, err := newBed(ctx, o.binary, o.stores)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return t, err
	}
	for i := range o.runs {
		for _, store := range o.stores {
			if ctx.Err() != nil {
				return t, ctx.Err()
			}
			p := drawPlan(o.seed+uint64(i), store, o.length, os.Geteuid() == 0)
			log("%s", p)
			began := time.Now()
			r, err := b.execute(ctx, p)
			t.add(r, log)
			one := tally{counts: r.counts}
			log("  seed %d, store %s: %.1f s (%s), %d tasks, %d faults, %d repairs and undos hit, %d outcomes unknown, %d findings", p.seed, p.store, time.Since(began).Seconds(),
				strings.Join(r.times, ", "), len(r.taskIDs()), one.sum("fault: "), one.sum("hit: in all"), one.sum("node: unknown"), len(r.findings))
			if ctx.Err() != nil {
				return t, ctx.Err()
			}
			if err != nil {
				t.findings++
				log("  FOUND an error: %v\n%s", err, r.logs())
			}
		}
	}
	return t, nil
}

// add adds a run to the tally and logs what was found.
func (t *tally) add(r *run, log func(format string, args ...any)) {
	t.runs++
	t.findings += len(r.findings)
	for name, n := range r.counts {
		t.counts[name] += n
	}
	for _, f := range r.findings {
		log("  FOUND %s: %s", f.kind, f.text)
	}
	if len(r.findings) > 0 {
		log("%s", r.logs())
	}
}

func (r *run) taskIDs() []string {
	if r.client == nil {
		return nil
	}
	return r.client.ids()
}
