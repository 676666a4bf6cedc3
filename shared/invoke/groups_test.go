package invoke_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ace/shared/fault"
	"ace/shared/invoke"
)

// parent is the id of a parent.
const parent = "sd_20240315_123456"

// runChildren adds tasks of a parent, and returns the channel to which each sends its id
// when it has run.
func runChildren(ctx context.Context, q *invoke.Queue, of string, ids ...string) <-chan string {
	done := make(chan string, len(ids))
	for _, id := range ids {
		added := make(chan struct{})
		go func() {
			close(added)
			_ = q.RunChild(ctx, of, id)
			done <- id
		}()
		<-added
	}
	return done
}

// waitQueued waits until the queue has this many running and waiting tasks.
func waitQueued(t *testing.T, q *invoke.Queue, running, waiting int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if r, w := q.Load(); r == running && w == waiting {
			return
		}
	}
	r, w := q.Load()
	t.Fatalf("%d run and %d wait, want %d and %d", r, w, running, waiting)
}

func TestQueue_AnotherRequestIsDelayedByOneTableAtMost(t *testing.T) {
	tables := []string{"td_1", "td_2", "td_3", "td_4"}
	end := map[string]chan struct{}{}
	for _, id := range append(tables, "td_single", "td_second") {
		end[id] = make(chan struct{})
	}
	g := newGate()
	q := invoke.NewQueue(2, 10, func(ctx context.Context, id string, _ bool) {
		g.started <- id
		select {
		case <-end[id]:
		case <-ctx.Done():
		}
	})
	defer q.Close()
	runChildren(t.Context(), q, parent, tables...)
	waitQueued(t, q, 2, 2)
	first, second := g.waitStarted(t), g.waitStarted(t)

	start(q, "td_single", "td_second")
	close(end[first])
	if id := g.waitStarted(t); id != "td_single" {
		t.Errorf("%s was started before the request of another client", id)
	}

	// Now each group has one slot, which its own next task takes when it becomes free.
	close(end[second])
	if id := g.waitStarted(t); !slices.Contains(tables, id) {
		t.Errorf("%s was started instead of the next table", id)
	}
	close(end["td_single"])
	if id := g.waitStarted(t); id != "td_second" {
		t.Errorf("%s was started instead of the next request", id)
	}
}

func TestQueue_AParentHoldsNoSlot(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 10, g.run)
	defer q.Close()
	start(q, parent, "sd_20240315_123457") // the second waits, because parents are limited too
	if id := g.waitStarted(t); id != parent {
		t.Fatalf("%s was started", id)
	}
	waitQueued(t, q, 1, 1)

	done := runChildren(t.Context(), q, parent, "td_1")
	if id := g.waitStarted(t); id != "td_1" {
		t.Fatalf("%s was started", id)
	}
	g.release <- struct{}{}
	g.release <- struct{}{}
	if id := <-done; id != "td_1" {
		t.Errorf("%s has run", id)
	}
	if id := g.waitStarted(t); id != "sd_20240315_123457" {
		t.Errorf("%s was started", id)
	}
}

func TestQueue_RunsTheTablesOfAParentAlthoughItIsFull(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 1, g.run)
	defer q.Close()
	start(q, "td_single", "td_waiting")
	g.waitStarted(t)

	done := runChildren(t.Context(), q, parent, "td_1", "td_2")
	waitQueued(t, q, 1, 3)
	if err := q.Accepts(); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a full queue accepts a task: %v", err)
	}
	close(g.release)
	<-done
	<-done
	waitQueued(t, q, 0, 0)
	if err := q.Accepts(); err != nil {
		t.Error(err)
	}
}

func TestQueue_RunChildEndsWithItsContextAndWithTheQueue(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 10, g.run)
	start(q, "td_single")
	g.waitStarted(t)

	// A task that waits stays in the queue when its parent stops.
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	if err := q.RunChild(ctx, parent, "td_1"); !errors.Is(err, stopped) {
		t.Errorf("the error is %v", err)
	}
	waitQueued(t, q, 1, 1)

	// RunChild also returns when its task is dropped.
	dropped := runChildren(t.Context(), q, parent, "td_2")
	waitQueued(t, q, 1, 2)
	q.Drop("td_2")
	<-dropped

	q.Close()
	if err := q.RunChild(t.Context(), parent, "td_3"); !errors.Is(err, invoke.ErrClosing) {
		t.Errorf("the error is %v", err)
	}
}
