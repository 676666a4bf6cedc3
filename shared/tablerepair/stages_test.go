//go:build !unit

package tablerepair_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/tablerepair"
)

// once calls do before the first call of this name.
func (b *bench) once(call string, do func()) {
	var met atomic.Bool // nodes are called concurrently
	b.at = func(name string) {
		if name == call && met.CompareAndSwap(false, true) {
			do()
		}
	}
}

// judge checks that n2 is entirely as before or entirely repaired, and that the result
// agrees. It reports whether the repair is known to be committed.
func (b *bench) judge(t *testing.T, r tablerepair.Result, err error) bool {
	t.Helper()
	rows := b.rows(t)
	if rows != before && rows != wanted {
		t.Errorf("n2 has %s", rows)
	}
	outcome := tablerepair.Unknown
	if len(r.Nodes) == 1 {
		outcome = r.Nodes[0].Outcome
	}
	switch {
	case err == nil && outcome != tablerepair.Committed, outcome == tablerepair.Committed && rows != wanted, outcome == tablerepair.RolledBack && rows != before:
		t.Errorf("n2 has %s, the result is %+v, error %v", rows, r, err)
	}
	return outcome == tablerepair.Committed
}

// finish runs the repair again, as the next runner does after a failure, and undoes it.
func (b *bench) finish(t *testing.T) {
	t.Helper()
	if r, err := b.run(t.Context(), t); err != nil || !b.judge(t, r, err) {
		t.Fatalf("another run: result %+v, error %v", r, err)
	}
	if _, err := b.takeBack(t, b.job.Nodes...); err != nil || b.rows(t) != before {
		t.Errorf("after the undo n2 has %s, error %v", b.rows(t), err)
	}
}

const endSessions = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ace%' AND datname = current_database()`

func TestRepair_IsAllOrNothingWhenSessionsEndAtAnyStage(t *testing.T) {
	t.Parallel()
	for _, seam := range append(seams, "n1 Renew") {
		for _, node := range []int{0, 1} {
			t.Run(fmt.Sprintf("on n%d before %s", node+1, seam), func(t *testing.T) {
				t.Parallel()
				b := newDiffering(t)
				b.once(seam, func() { b.cluster.Exec(t, node, endSessions) })
				if r, err := b.run(t.Context(), t); err != nil || !b.judge(t, r, err) {
					t.Errorf("result %+v, error %v", r, err)
				}
				b.at = nil
				b.finish(t)
			})
		}
	}
}

func TestRepair_IsAllOrNothingWhenTheNodeStopsAtAnyStage(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	server := c.Nodes[1].Server
	for _, seam := range []string{"n2 Lock", "n2 Mark", "n2 Insert", "n2 Commit"} {
		t.Run("before "+seam, func(t *testing.T) {
			c.ExecAll(t, `DROP TABLE IF EXISTS t`)
			differing(t, c)
			b := newBench(t, c)
			b.once(seam, func() {
				if err := server.Kill(); err != nil {
					t.Error(err)
				}
				if err := server.Restart(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if r, err := b.run(t.Context(), t); err != nil || !b.judge(t, r, err) {
				t.Errorf("result %+v, error %v", r, err)
			}
			b.at = nil
			b.finish(t)
		})
	}
}

// The server commits and then waits for a standby that does not exist. A client that is
// disconnected meanwhile gets no response.
func TestRepair_IsFoundCommittedIfDisconnectedDuringCommit(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	ends := map[string]func(t *testing.T){
		"the session is ended": func(t *testing.T) { c.Exec(t, 1, endSessions) },
		"the server is killed": func(t *testing.T) {
			if err := c.Nodes[1].Server.Kill(); err != nil {
				t.Error(err)
			}
			if err := c.Nodes[1].Server.Restart(t.Context()); err != nil {
				t.Error(err)
			}
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			c.ExecAll(t, `DROP TABLE IF EXISTS t`)
			differing(t, c)
			b := newBench(t, c)
			release := func() {}
			b.commit = func(ctx context.Context, real func(context.Context) error) error {
				release = c.HoldCommits(t, 1)
				answer := make(chan error, 1)
				go func() { answer <- real(ctx) }()
				for !c.CommitIsHeld(t, 1) {
					select {
					case err := <-answer:
						t.Error("COMMIT was answered")
						return err
					case <-time.After(10 * time.Millisecond):
					}
				}
				end(t)
				return <-answer
			}
			r, err := b.run(t.Context(), t)
			release()
			b.wantRepaired(t, r, err, "1")
			b.commit = nil
			b.finish(t)
		})
	}
}

// Each call of the store fails once, before or after it was applied, each in a run of its
// own. The repair makes another attempt.
//
// Case O-F8, see docs/RELIABILITY.md.
func TestRepair_IsAllOrNothingWhenTheStoreFailsAtAnyStage(t *testing.T) {
	t.Parallel()
	for _, op := range []faulty.Op{faulty.PutIfAbsent, faulty.Create, faulty.Commit, faulty.Get, faulty.Stat, faulty.List} {
		for _, outcome := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			if outcome == faulty.FailAfter && op != faulty.PutIfAbsent && op != faulty.Commit {
				continue // to a reader both are the same
			}
			t.Run(fmt.Sprintf("%s, outcome %d", op, outcome), func(t *testing.T) {
				t.Parallel()
				c := pgtest.NewCluster(t)
				for nth, more := 1, true; more; nth++ {
					c.ExecAll(t, `DROP TABLE IF EXISTS t`)
					differing(t, c)
					b := newBench(t, c)
					held := b.acquire(t)
					calls := b.store.Count(op, "")
					b.store.On(op, "", faulty.Nth(nth, outcome))
					r, err := b.runAs(t.Context(), held)
					more = b.store.Count(op, "")-calls >= nth
					b.store.Heal()
					if committed := b.judge(t, r, err); !committed || err != nil {
						t.Errorf("call %d: result %+v, error %v", nth, r, err)
					}
					b.finish(t)
				}
			})
		}
	}
}

// standStill starts a runner and returns when it reaches a call. goOn resumes it and
// returns when it has ended.
func (b *bench) standStill(t *testing.T, call string) (goOn func()) {
	t.Helper()
	paused, woken, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b.once(call, func() {
		close(paused)
		<-woken
	})
	old := b.acquire(t)
	go func() {
		defer close(ended)
		_, _ = b.runAs(t.Context(), old)
	}()
	<-paused
	return func() {
		close(woken)
		<-ended
	}
}

// A runner pauses for so long that another one takes over and ends the work; then it
// resumes.
func TestRepair_ARunnerThatResumesLateWritesNothing(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	goOn := b.standStill(t, "n2 TryAdvisoryLock")
	b.at = nil
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "1")
	b.cluster.Exec(t, 1, `UPDATE t SET v = 'since then'`)
	goOn()
	if got := b.rows(t); got != "(1,\"since then\") (2,\"since then\") (3,\"since then\")" {
		t.Errorf("n2 has %s", got)
	}
}

// The store becomes unreachable and stays so while the repair runs.
func TestRepair_IsAllOrNothingWhenTheStoreIsLostAtAnyStage(t *testing.T) {
	t.Parallel()
	for _, seam := range []string{"n2 Lock", "n2 Mark", "n2 Insert", "n2 Commit", "after the commit"} {
		t.Run(seam, func(t *testing.T) {
			t.Parallel()
			b := newDiffering(t)
			away := func() {
				for _, op := range []faulty.Op{faulty.Put, faulty.PutIfAbsent, faulty.Create, faulty.Commit, faulty.Get, faulty.Stat, faulty.List} {
					b.store.On(op, "", faulty.Always(faulty.FailBefore))
				}
			}
			held := b.acquire(t)
			b.once(seam, away)
			b.commit = func(ctx context.Context, real func(context.Context) error) error {
				err := real(ctx)
				if seam == "after the commit" {
					away()
				}
				return err
			}
			r, err := b.runAs(t.Context(), held)
			b.store.Heal()
			b.judge(t, r, err)
			if seam != "n2 Commit" && seam != "after the commit" && err == nil {
				t.Errorf("result %+v", r)
			}
			b.at, b.commit = nil, nil
			b.finish(t)
		})
	}
}

// A runner pauses while it holds the repair lock and has nothing in the archive yet. The
// runner that takes over uses the same attempt number and waits for the lock. Meanwhile
// the first runner resumes and stores what it decided.
func TestRepair_ARunnerThatResumesUnderTheRepairLockCostsOneAttempt(t *testing.T) {
	t.Parallel()
	b := newDiffering(t)
	goOn := b.standStill(t, "n2 Lock")
	b.once("n2 TryAdvisoryLock", goOn) // of the second runner
	r, err := b.run(t.Context(), t)
	b.wantRepaired(t, r, err, "2")
	b.at = nil
	b.finish(t)
}
