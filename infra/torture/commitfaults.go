package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"ace/shared/api"
)

// commitFault is a fault that happens when a repair or undo sends COMMIT to a node. It
// ends or continues the connection, and returns the function that heals the fault.
type commitFault struct {
	name  string
	long  bool // it may last longer than the services try again
	begin func(r *run, n *node, l *link, forward func() error) (continues bool, heal func(context.Context) error)
}

func commitFaults() []commitFault {
	return []commitFault{
		{name: "COMMIT lost", begin: func(_ *run, _ *node, _ *link, _ func() error) (bool, func(context.Context) error) {
			return false, noHeal
		}},
		{name: "answer to COMMIT lost", begin: func(_ *run, _ *node, l *link, forward func() error) (bool, func(context.Context) error) {
			return loseAnswer(l, forward), noHeal
		}},
		{name: "COMMIT lost, node unreachable", long: true, begin: func(_ *run, n *node, _ *link, _ func() error) (bool, func(context.Context) error) {
			n.gate.refuse()
			return false, n.reachable
		}},
		{name: "answer to COMMIT lost, node unreachable", long: true, begin: func(_ *run, n *node, l *link, forward func() error) (bool, func(context.Context) error) {
			loseAnswer(l, forward)
			n.gate.refuse()
			return false, n.reachable
		}},
		{name: "silent after COMMIT", long: true, begin: func(_ *run, _ *node, l *link, forward func() error) (bool, func(context.Context) error) {
			l.silence()
			return forward() == nil, func(context.Context) error { l.end(); return nil }
		}},
		{name: "node frozen at COMMIT", long: true, begin: func(_ *run, n *node, _ *link, forward func() error) (bool, func(context.Context) error) {
			server := n.primary()
			err := server.Freeze()
			return forward() == nil && err == nil, func(context.Context) error { return server.Thaw() }
		}},
		{name: "kill -9 of node at COMMIT", long: true, begin: func(_ *run, n *node, _ *link, forward func() error) (bool, func(context.Context) error) {
			server := n.primary()
			_ = forward() // the connection ends in any case
			_ = server.Kill()
			return false, server.Restart
		}},
		{name: "kill -9 of service at COMMIT", begin: func(r *run, _ *node, l *link, forward func() error) (bool, func(context.Context) error) {
			l.silence()
			_ = forward() // the service may have ended
			for _, s := range r.services {
				_ = s.signal(syscall.SIGKILL, true) // it is started again
			}
			return false, noHeal
		}},
	}
}

// answerLimit bounds the wait for the answer to a COMMIT, which may wait for a standby.
const answerLimit = 3 * time.Second

// loseAnswer forwards COMMIT, waits until the server has answered, and ends the
// connection. It returns false.
func loseAnswer(l *link, forward func() error) bool {
	l.silence()
	if forward() == nil {
		select {
		case <-l.answered:
		case <-time.After(answerLimit):
		}
	}
	return false
}

// reachable ends a refusal of the gate.
func (n *node) reachable(context.Context) error {
	n.gate.allow()
	return nil
}

// commitAim is a fault that is aimed at a COMMIT of a task.
type commitAim struct {
	*lane
	fault commitFault
	skip  int // commits of the task, on any node, before that one

	mu     sync.Mutex
	isOver bool
	sprung chan sprung
}

// sprung is a fault that happens: heal ends it, and then unlock lets others happen.
type sprung struct {
	heal   func(context.Context) error
	unlock func()
}

// aimAtCommit injects a fault when a task commits, and returns when it is healed.
func (l *lane) aimAtCommit(ctx context.Context, id string) error {
	faults := commitFaults()
	a := &commitAim{lane: l, fault: faults[l.r.IntN(len(faults))], skip: l.r.IntN(3), sprung: make(chan sprung, 1)}
	lasts := time.Duration(l.r.Int64N(int64(time.Second)))
	if a.fault.long {
		lasts = time.Duration(l.r.Int64N(int64(longestOutage)))
	}
	l.aiming.RLock()
	defer l.aiming.RUnlock()
	for _, n := range l.bed.nodes {
		remove := n.gate.onCommit(id, func(link *link, forward func() error) bool { return a.spring(n, link, forward) })
		defer remove()
	}
	err := a.awaitEnd(ctx, id)
	a.mu.Lock() // a fault that begins just now has begun
	a.isOver = true
	a.mu.Unlock()
	select {
	case s := <-a.sprung:
		return errors.Join(err, a.heal(ctx, s, lasts))
	default:
		return err
	}
}

// awaitEnd waits until the fault has begun, the task has ended, or no fault may begin.
func (a *commitAim) awaitEnd(ctx context.Context, id string) error {
	for len(a.sprung) == 0 && !a.over() {
		var status api.TaskStatus
		if err := a.client.read(ctx, "/ace/task-status/"+id, &status); err != nil || status.HasEnded() {
			return err
		}
		pause(ctx, 60*time.Millisecond)
	}
	return nil
}

// longestOutage is longer than the services try again, so that some tasks end before it
// does.
const longestOutage = 9 * time.Second

// spring begins the fault if this COMMIT is the one. Otherwise it forwards the COMMIT.
func (a *commitAim) spring(n *node, l *link, forward func() error) (continues bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.skip--
	lock := a.lock(ofNode, a.nodeIndex(n))
	if a.isOver || a.skip >= 0 || a.over() || !lock.TryLock() {
		return forward() == nil
	}
	a.isOver = true
	a.struck("at COMMIT: " + a.fault.name)
	continues, heal := a.fault.begin(a.run, n, l, forward)
	a.sprung <- sprung{heal, lock.Unlock}
	return continues
}

func (a *commitAim) heal(ctx context.Context, s sprung, lasts time.Duration) error {
	defer s.unlock()
	pause(ctx, lasts)
	if err := s.heal(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("healing %q: %w", a.fault.name, err)
	}
	return nil
}

func (r *run) nodeIndex(n *node) int {
	for i := range r.bed.nodes {
		if r.bed.nodes[i] == n {
			return i
		}
	}
	return -1
}
