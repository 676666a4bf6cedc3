//go:build !unit

package e2e_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"ace/infra/lambda/emulator"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

func TestFaults_ATaskCompletesWithTheRightRowsOrFailsWithAReason(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	mismatched := s.table(t, 8_000)
	within := func(d time.Duration) emulator.Faults { // about as long as the function works
		return emulator.Faults{Crash: 0.2, Timeout: 0.2, Twice: 0.2, Throttle: 0.2, Within: d}
	}
	d := s.deploy(t, settings{
		env:    map[string]string{"ACE_LEASE": "3s", "ACE_UNIT_TIMEOUT": "2s"},
		limits: map[string]time.Duration{runner: 10 * time.Second, worker: 2 * time.Second, sweeper: 2 * time.Second},
		faults: map[string]emulator.Faults{
			runner: within(500 * time.Millisecond), worker: within(20 * time.Millisecond), sweeper: within(20 * time.Millisecond),
		},
		seed: soak.Seed(t) + uint64(time.Now().UnixNano()),
	})
	d.sweepUntilEnd(t)
	ids := make([]string, soak.Rounds(t, 2, 20))
	for i := range ids {
		ids[i] = d.submit(t)
	}
	completed, failures := 0, 0
	for _, id := range ids {
		status := d.wait(t, id)
		if status.Status == api.StatusFailed && status.Error != "" {
			t.Logf("task %s failed: %s", id, status.Error)
			continue
		}
		completed++
		wantCompleted(t, status, mismatched)
	}
	for _, function := range []string{runner, worker} {
		for _, i := range d.emulator.Invocations(function) {
			if i.Error != "" {
				failures++
			}
		}
	}
	soak.Report(t, "%d of %d tasks completed, %d invocations failed", completed, len(ids), failures)
	if failures == 0 {
		t.Error("nothing went wrong: this test shows nothing")
	}
	if completed == 0 {
		t.Error("no task completed: this test shows little")
	}
}

func TestBurst_EveryTaskCompletesUnderAnIDOfItsOwn(t *testing.T) {
	t.Parallel()
	const concurrency = 8
	tasks := soak.Rounds(t, 64, 200)
	s := newSite(t)
	mismatched := s.table(t, 100)
	d := s.deploy(t, settings{
		env:      map[string]string{"ACE_MAX_INVOCATIONS": "2"},
		capacity: map[string]int{runner: concurrency, worker: concurrency, "tablediff": concurrency, "taskstatus": 2},
	})
	var mu sync.Mutex
	ids := map[string]bool{}
	var submissions sync.WaitGroup
	for range concurrency {
		submissions.Go(func() {
			for range tasks / concurrency {
				id := d.submit(t, "quiet", "true")
				mu.Lock()
				ids[id] = true
				mu.Unlock()
			}
		})
	}
	most := d.watchConnections(t)
	submissions.Wait()
	if len(ids) != tasks {
		t.Errorf("%d ids for %d submissions", len(ids), tasks)
	}
	for id := range ids {
		wantCompleted(t, d.wait(t, id), mismatched)
	}
	soak.Report(t, "a burst of %d submissions", tasks)
	// Each worker holds one connection to a node, each task runner one while it plans.
	if n := most(); n > 2*concurrency {
		t.Errorf("%d connections to a node", n)
	}
	if lost := d.emulator.Lost(); len(lost) > 0 {
		t.Errorf("events were lost: %+v", lost)
	}
}

// watchConnections counts the first node's connections until the returned function is
// called, which returns the maximum.
func (d *deployment) watchConnections(t *testing.T) (stop func() int) {
	t.Helper()
	end := make(chan struct{})
	var most int
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-time.After(200 * time.Millisecond):
			}
			rows := d.site.cluster.QueryStrings(t, 0, `SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ace%' AND datname = current_database()`)
			var n int
			if _, err := fmt.Sscan(rows[0][0], &n); err != nil {
				t.Error(err)
			}
			most = max(most, n)
		}
	})
	return func() int {
		close(end)
		watch.Wait()
		return most
	}
}
