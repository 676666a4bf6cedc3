package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ace/shared/api"
)

// strike is a fault that has happened.
type strike struct {
	name string
	at   time.Time
}

// struck records that a fault happens now.
func (r *run) struck(name string) {
	r.count("fault: " + name)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strikes = append(r.strikes, strike{name, time.Now()})
}

// lock returns the lock of a target. Faults of one target do not overlap.
func (r *run) lock(of string, target int) *sync.Mutex {
	lock, _ := r.locks.LoadOrStore(fmt.Sprint(of, target), &sync.Mutex{})
	return lock.(*sync.Mutex)
}

// aims returns the faults that are aimed at a running repair or undo.
func aims() []string {
	return []string{
		"kill -9 of service", "kill -9 of service", "kill -9 of service", "kill -9 of node", "kill -9 of node",
		"connections reset of node", "half-open connections of node", "answers lost of node", "connection refused of node",
		"reset in the middle of a request of node", "cut in the middle of a row of node", "sessions terminated of node", "freeze of node", "SIGTERM of service",
	}
}

// longestAim is the longest time between the start of a task and the fault that is aimed
// at it.
const longestAim = 500 * time.Millisecond

// aim waits until a repair or undo is RUNNING, and then injects a fault at a random step
// of it. It returns when the fault is healed.
func (l *lane) aim(ctx context.Context, id string) error {
	names := aims()
	name, target := names[l.r.IntN(len(names))], l.r.IntN(nodeCount)
	delay, lasts := time.Duration(l.r.Int64N(int64(longestAim))), time.Duration(l.r.Int64N(int64(time.Second)))
	size := int64(1) << l.r.IntN(14)
	l.aiming.RLock()
	defer l.aiming.RUnlock()
	kinds := faultKinds()
	kind := kinds[slices.IndexFunc(kinds, func(k faultKind) bool { return k.String() == name })]
	if kind.of == ofService {
		target %= len(l.services)
	}
	if isRunning, err := l.awaitRunning(ctx, id); err != nil || !isRunning {
		return err
	}
	pause(ctx, delay)
	return l.strikeAt(ctx, fault{kind: kind, target: target, lasts: lasts, size: size})
}

// awaitRunning waits until a task is RUNNING. It returns false if the task has ended, or
// no fault may begin any more.
func (l *lane) awaitRunning(ctx context.Context, id string) (bool, error) {
	for !l.over() {
		var status api.TaskStatus
		if err := l.client.read(ctx, "/ace/task-status/"+id, &status); err != nil {
			return false, err
		}
		if status.Status == api.StatusRunning || status.HasEnded() {
			return !status.HasEnded(), nil
		}
		pause(ctx, 25*time.Millisecond)
	}
	return false, nil
}

// strikeAt injects a fault, unless another fault of the target happens, and heals it.
func (l *lane) strikeAt(ctx context.Context, f fault) error {
	lock := l.lock(f.kind.of, f.target)
	if l.over() || !lock.TryLock() {
		return nil
	}
	defer lock.Unlock()
	l.struck("aimed: " + f.kind.String())
	heal, err := f.kind.inject(ctx, l.run, f)
	if err == nil {
		pause(ctx, f.lasts)
	}
	if healErr := heal(context.WithoutCancel(ctx)); err == nil {
		err = healErr
	}
	if err != nil {
		return fmt.Errorf("aimed %s: %w", f, err)
	}
	return nil
}

// countStrikes counts the faults that happened while a repair or undo ran, with what
// became of its nodes.
func (l *lane) countStrikes(status api.TaskStatus) error {
	result, err := resultOf(status)
	if err != nil || status.StartedAt.IsZero() {
		return err
	}
	took := status.FinishedAt.Time.Sub(status.StartedAt.Time)
	l.count(fmt.Sprintf("time: %s of %.1f s or more", status.TaskType, float64(min(took/(500*time.Millisecond), 4))/2))
	outcomes := map[string]bool{}
	for _, node := range result.Nodes {
		outcomes[node.Outcome] = true
	}
	delete(outcomes, "")
	l.mu.Lock()
	strikes := slices.Clone(l.strikes)
	l.mu.Unlock()
	isHit := false
	for _, s := range strikes {
		if s.at.Before(status.StartedAt.Time) || s.at.After(status.FinishedAt.Time) {
			continue
		}
		isHit = true
		l.count("hit: " + status.TaskType + ", " + s.name)
	}
	if isHit {
		l.count(fmt.Sprintf("hit: in all, %s %s %v", status.TaskType, status.Status, slices.Sorted(maps.Keys(outcomes))))
	}
	return nil
}
