package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// finding is something that must not happen.
type finding struct{ kind, text string }

// run is one run of a plan: the services, what they do, and what was found.
type run struct {
	plan
	bed         *bed
	dir         string
	storeDir    string // file system of its own of the archive, or the archive
	tablespaces [nodeCount]string
	services    []*service
	reader      *node // a standby that is compared, nil if the run has none
	client      *client
	release     []func() error // in reverse order

	mu       sync.Mutex
	findings []finding
	counts   map[string]int // what happened, for the summary
	began    time.Time
	faulty   time.Time // when faults began
	times    []string  // when each phase of the run had ended
	strikes  []strike
	stills   map[string]still // by the name of the table
	locks    sync.Map         // of the targets of faults
	aiming   sync.RWMutex     // read-locked while a fault is aimed at a task
	planted  sync.WaitGroup   // of the lanes that have no differences to repair yet
	done     chan struct{}    // closed when no new work is to begin
	healed   chan struct{}    // closed when all faults are healed
	changes  map[string]int   // repairs and undos that have ended, by table
}

// wrong records something that must not happen.
func (r *run) wrong(kind, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, finding{kind, fmt.Sprintf(format, args...)})
}

// count counts something for the summary.
func (r *run) count(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what]++
}

// phase records that a phase of the run has ended.
func (r *run) phase(name string) {
	r.times = append(r.times, fmt.Sprintf("%s %.1f s", name, time.Since(r.began).Seconds()))
}

// over reports whether no new work is to begin.
func (r *run) over() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// awaitHealed waits until all faults are healed. Then tasks must complete.
func (l *lane) awaitHealed(ctx context.Context) {
	select {
	case <-l.healed:
		l.final = true
	case <-ctx.Done():
	}
}

// runLimit bounds a run. It is far more than a run takes, so a run that reaches it is
// stuck.
const runLimit = 15 * time.Minute

// execute runs a plan: it prepares tables and services, lets faults and work happen,
// heals the faults, lets the work end and judges what is left.
func (b *bed) execute(ctx context.Context, p plan) (*run, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.length+runLimit, errors.New("the run is stuck"))
	defer cancel()
	r := &run{plan: p, bed: b, counts: map[string]int{}, stills: map[string]still{}, changes: map[string]int{}, began: time.Now(), done: make(chan struct{}), healed: make(chan struct{})}
	defer r.close()
	if err := r.prepare(ctx); err != nil {
		return r, fmt.Errorf("preparing: %w", err)
	}
	r.phase("prepared")
	work, workCtx := errgroup.WithContext(ctx)
	for _, l := range lanes(r) {
		r.planted.Add(1)
		work.Go(func() error { return l(workCtx) })
	}
	r.planted.Wait()
	r.phase("planted")
	r.faulty = time.Now()
	faultsErr := r.injectFaults(ctx)
	r.awaitChanges(ctx)
	close(r.done)
	r.awaitAimed()
	if faultsErr == nil {
		faultsErr = r.recover(ctx)
	}
	close(r.healed)
	r.phase("healed")
	if err := errors.Join(faultsErr, work.Wait()); err != nil {
		return r, err
	}
	r.phase("worked")
	defer r.phase("judged")
	return r, r.judge(ctx)
}

// Faults are aimed at repairs and undos until each table that is repaired has had a
// number of them. On a busy machine this takes longer than the run was to last.
const (
	leastChanges = 3
	mostDelay    = 20 * time.Second
)

// awaitChanges waits until faults have happened for long enough.
func (r *run) awaitChanges(ctx context.Context) {
	for ctx.Err() == nil {
		took := time.Since(r.faulty)
		if took >= r.length+mostDelay || took >= r.length && r.hasChanged() {
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}

func (r *run) hasChanged() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, table := range []string{"fixed", "ruled", "busy", "shaken"} {
		if r.changes[table] < leastChanges {
			return false
		}
	}
	return true
}

// awaitAimed waits until the aimed faults are healed. Afterwards none begins, because the
// run is over.
func (r *run) awaitAimed() {
	r.aiming.Lock()
	defer r.aiming.Unlock()
}

// injectFaults executes the faults of the plan and returns when all are healed. Faults of
// one kind of target do not overlap if both act on its processes.
func (r *run) injectFaults(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range r.faults {
		lock := r.lock(f.kind.of, f.target)
		group.Go(func() error {
			pause(ctx, f.at)
			lock.Lock()
			defer lock.Unlock()
			r.struck(f.kind.String())
			heal, err := f.kind.inject(ctx, r, f)
			if err != nil {
				return fmt.Errorf("%s: %w", f, errors.Join(err, heal(ctx)))
			}
			pause(ctx, f.lasts)
			if err := heal(context.WithoutCancel(ctx)); err != nil {
				return fmt.Errorf("healing %s: %w", f, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// recover restarts the services of a directory after its faults, as docs/CONFIGURATION.md
// demands after a full disk.
func (r *run) recover(ctx context.Context) error {
	if r.store != storeDir {
		return nil
	}
	_, err := killService(syscall.SIGTERM)(ctx, r, fault{})
	return err
}

// close ends everything of the run and removes its files.
func (r *run) close() {
	for _, s := range r.services {
		_ = s.stop() // judge has reported it
	}
	for i := len(r.release) - 1; i >= 0; i-- {
		if err := r.release[i](); err != nil {
			fmt.Fprintf(os.Stderr, "torture: cleaning up: %v\n", err)
		}
	}
}

// logs returns the end of the logs of the services, for the report of a finding.
func (r *run) logs() string {
	var b strings.Builder
	for _, s := range r.services {
		text := s.log.String()
		path := filepath.Join(os.TempDir(), fmt.Sprintf("torture-%s-%d-service%d.log", r.store, r.seed, s.number+1))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			path = err.Error()
		}
		fmt.Fprintf(&b, "log of service %d: %s\n", s.number+1, path)
	}
	return b.String()
}
