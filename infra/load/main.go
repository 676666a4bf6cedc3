// Command load drives the built `ace serve` on real PostgreSQL nodes with many clients
// and long archives, and prints a table of what it measured. It fails if a task is lost
// or runs twice, if a client sees a status older than one that it has seen, or if memory,
// goroutines or file descriptors do not return to their values at the start.
//
// The latencies include the waits of the clients, which share the machine with the
// service and the nodes. The processor time is that of the service alone.
//
//	go run ./infra/load -store minio -clients 50 -tasks 1000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"ace/infra/testbed"
)

// options are the flags of the program.
type options struct {
	binary    string
	store     string // dir or minio
	clients   int
	followers int
	polling   time.Duration
	rows      int // of the table that is compared while clients poll
	tasks     int
	queue     int // ACE_MAX_QUEUE while the tasks are submitted
	commands  int // command line clients that submit to a full queue
	round     int // tasks of each round in which the growth of the heap is measured
	documents int
	archived  int
	flat      bool          // the archived tasks are in the list of earlier versions
	settle    time.Duration // how long memory and descriptors may take to return
	limit     time.Duration // how long a part may take
}

func main() {
	o := options{settle: 2 * time.Minute, limit: 20 * time.Minute}
	flag.StringVar(&o.binary, "binary", "", "a built ace; default: build it")
	flag.StringVar(&o.store, "store", storeDir, "the archive: dir or minio")
	flag.IntVar(&o.clients, "clients", 50, "clients that poll, and that submit")
	flag.IntVar(&o.followers, "followers", 20, "clients that also follow the events of a task")
	flag.DurationVar(&o.polling, "for", 20*time.Second, "how long the clients poll")
	flag.IntVar(&o.rows, "rows", 500_000, "rows of the table that is compared meanwhile")
	flag.IntVar(&o.tasks, "tasks", 1000, "tasks that are submitted at once")
	flag.IntVar(&o.queue, "queue", 200, "tasks that may wait then")
	flag.IntVar(&o.commands, "commands", 5, "command line clients that submit to the full queue")
	flag.IntVar(&o.round, "round", 300, "tasks of each round in which the growth of the heap is measured")
	flag.IntVar(&o.documents, "documents", 5000, "archived documents; 0 leaves them out, as with -clients and -tasks")
	flag.IntVar(&o.archived, "archived", 100_000, "archived tasks without documents")
	flag.BoolVar(&o.flat, "flat", false, "list the archived tasks as earlier versions did")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := build(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "load: "+err.Error())
		os.Exit(1) //nolint:gocritic // everything that the program started has ended
	}
}

// build builds the program if there is none, and puts load on it.
func build(ctx context.Context, o options) error {
	if o.binary == "" {
		dir, err := os.MkdirTemp("", "ace-load-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.binary, err = testbed.Build(ctx, dir); err != nil {
			return err
		}
	}
	r, err := load(ctx, o, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	fmt.Print(r)
	if len(r.findings) > 0 {
		err = errors.Join(err, fmt.Errorf("%d findings", len(r.findings)))
	}
	return err
}

// load executes all parts on one bed and returns what was measured and found.
func load(ctx context.Context, o options, log func(format string, args ...any)) (r *report, err error) {
	r = &report{log: log}
	b, err := newBed(ctx, o)
	defer func() { err = errors.Join(err, b.close()) }()
	if err != nil {
		return r, err
	}
	parts := []struct {
		name string
		run  func(context.Context, *bed, *report) error
		size int
	}{
		{"polling", poll, o.clients},
		{"tasks at once", submitAtOnce, o.tasks},
		{"documents", listDocuments, o.documents},
		{"archive", longArchive, o.archived},
	}
	for _, part := range parts {
		if part.size == 0 {
			continue
		}
		log("%s", part.name)
		if err := within(ctx, o.limit, func(ctx context.Context) error { return part.run(ctx, b, r) }); err != nil {
			return r, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return r, nil
}

// within runs a part, which must end within the limit: a task that is lost never ends.
func within(ctx context.Context, limit time.Duration, run func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it has not ended within %s", limit))
	defer cancel()
	err := run(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}
