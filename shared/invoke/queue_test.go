package invoke_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ace/shared/fault"
	"ace/shared/invoke"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gate is a Run whose tasks wait until the test releases them.
type gate struct {
	mu      sync.Mutex
	begun   []string
	taken   map[string]bool
	started chan string
	release chan struct{}
	running atomic.Int64
	most    atomic.Int64
}

func newGate() *gate {
	return &gate{taken: map[string]bool{}, started: make(chan string, 100), release: make(chan struct{})}
}

func (g *gate) run(ctx context.Context, id string, takeOver bool) {
	now := g.running.Add(1)
	defer g.running.Add(-1)
	g.mu.Lock()
	g.begun = append(g.begun, id)
	g.taken[id] = takeOver
	g.most.Store(max(g.most.Load(), now))
	g.mu.Unlock()
	g.started <- id
	select {
	case <-g.release:
	case <-ctx.Done():
	}
}

func (g *gate) waitStarted(t *testing.T) string {
	t.Helper()
	select {
	case id := <-g.started:
		return id
	case <-time.After(10 * time.Second):
		t.Fatal("no task was started")
		return ""
	}
}

// start adds tasks to the queue, even if it is full.
func start(q *invoke.Queue, ids ...string) {
	for _, id := range ids {
		q.Resume(id, false)
	}
}

// submit submits a task with an id.
func submit(t *testing.T, q *invoke.Queue, id string) error {
	t.Helper()
	return q.Submit(t.Context(), func(context.Context) (string, error) { return id, nil })
}

func TestQueue_RunsTasksInOrderAFewAtATime(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(2, 100, g.run)
	var ids []string
	for i := range 10 {
		ids = append(ids, fmt.Sprintf("td_%d", i))
	}
	start(q, ids...)
	if running, waiting := q.Load(); running != 2 || waiting != 8 {
		t.Errorf("%d tasks run and %d wait, want 2 and 8", running, waiting)
	}
	for i := range ids {
		g.waitStarted(t)
		if i >= 1 {
			g.release <- struct{}{}
		}
	}
	g.release <- struct{}{}
	q.Close()
	slices.Sort(g.begun[:2]) // the first two start concurrently
	if !slices.Equal(g.begun, ids) || g.most.Load() != 2 {
		t.Errorf("tasks began in the order %v, %d at once; want %v, 2 at once", g.begun, g.most.Load(), ids)
	}
}

func TestQueue_ASecondStartDoesNothingWhileTheTaskIsKnown(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 100, g.run)
	start(q, "td_1", "td_2", "td_1", "td_2", "td_2")
	g.waitStarted(t)
	start(q, "td_1")
	g.release <- struct{}{}
	g.waitStarted(t)
	g.release <- struct{}{}
	q.Close()
	if want := []string{"td_1", "td_2"}; !slices.Equal(g.begun, want) {
		t.Errorf("tasks %v ran, want %v", g.begun, want)
	}
}

func TestQueue_AnEndedTaskCanBeStartedAgain(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 100, g.run)
	defer q.Close()
	start(q, "td_1")
	g.waitStarted(t)
	g.release <- struct{}{}
	deadline := time.After(10 * time.Second)
	for {
		start(q, "td_1") // does nothing until the first run has ended
		select {
		case <-g.started:
			return
		case <-deadline:
			t.Fatal("the task was not started again")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestQueue_AdmitsTasksUpToTheLimit(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 2, g.run)
	defer q.Close()
	for i := range 3 { // one runs, two wait
		if err := submit(t, q, fmt.Sprintf("td_%d", i)); err != nil {
			t.Fatalf("task %d is not admitted: %v", i, err)
		}
	}
	g.waitStarted(t)
	err := q.Submit(t.Context(), func(context.Context) (string, error) {
		t.Error("a task was created although the queue is full")
		return "td_9", nil
	})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "2 tasks are waiting") {
		t.Errorf("a full queue says %v, want Unavailable", err)
	}
	start(q, "td_3") // a task that exists already is never refused
	for range 3 {
		g.release <- struct{}{}
		g.waitStarted(t)
	}
	if err := submit(t, q, "td_4"); err != nil {
		t.Errorf("an empty queue says %v", err)
	}
}

func TestQueue_ConcurrentSubmissionsStayWithinTheLimit(t *testing.T) {
	const maxTasks, maxQueue, burst = 2, 5, 50
	g := newGate()
	q := invoke.NewQueue(maxTasks, maxQueue, g.run)
	defer q.Close()
	var created, refused atomic.Int64
	answered := make(chan struct{}, burst)
	goOn := make(chan struct{})
	var submissions sync.WaitGroup
	for i := range burst {
		submissions.Go(func() {
			err := q.Submit(t.Context(), func(context.Context) (string, error) {
				created.Add(1)
				answered <- struct{}{}
				<-goOn // every submission has reserved its slot and not yet used it
				return fmt.Sprintf("td_%d", i), nil
			})
			if fault.CodeOf(err) == fault.Unavailable {
				refused.Add(1)
				answered <- struct{}{}
			} else if err != nil {
				t.Errorf("submission %d: %v", i, err)
			}
		})
	}
	for range burst {
		<-answered
	}
	close(goOn)
	submissions.Wait()
	if created.Load() != maxTasks+maxQueue || refused.Load() != burst-maxTasks-maxQueue {
		t.Errorf("%d submissions were admitted and %d refused, want %d admitted", created.Load(), refused.Load(), maxTasks+maxQueue)
	}
	if err := submit(t, q, "td_late"); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("the full queue says %v, want Unavailable", err)
	}
}

func TestQueue_ASubmissionWithoutATaskReleasesItsSlot(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 1, g.run)
	defer q.Close()
	for range 5 {
		broken := errors.New("the archive does not answer")
		if err := q.Submit(t.Context(), func(context.Context) (string, error) { return "", broken }); !errors.Is(err, broken) {
			t.Fatalf("got %v, want the error of the creation", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = q.Submit(t.Context(), func(context.Context) (string, error) { panic("on purpose") })
		}()
	}
	for _, id := range []string{"td_1", "td_2"} {
		if err := submit(t, q, id); err != nil {
			t.Errorf("%s finds no place: %v", id, err)
		}
	}
	if err := submit(t, q, "td_3"); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("the full queue says %v, want Unavailable", err)
	}
}

func TestQueue_ResumePassesTakeOverToRun(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(3, 10, g.run)
	q.Resume("td_1", true)
	q.Resume("td_2", false)
	start(q, "td_3")
	for range 3 {
		g.waitStarted(t)
	}
	q.Close()
	if !g.taken["td_1"] || g.taken["td_2"] || g.taken["td_3"] {
		t.Errorf("taken over: %v, want td_1 only", g.taken)
	}
}

func TestQueue_CloseEndsRunningTasksAndDropsWaitingOnes(t *testing.T) {
	var ended atomic.Bool
	var cause atomic.Value
	started := make(chan struct{})
	q := invoke.NewQueue(1, 10, func(ctx context.Context, id string, _ bool) {
		if id != "td_1" {
			t.Errorf("%s was started after Close", id)
		}
		close(started)
		<-ctx.Done()
		cause.Store(context.Cause(ctx))
		time.Sleep(50 * time.Millisecond)
		ended.Store(true)
	})
	start(q, "td_1", "td_2")
	<-started
	q.Close()
	if got, _ := cause.Load().(error); !ended.Load() || !errors.Is(got, invoke.ErrClosing) {
		t.Errorf("Close returned, task ended %v, cause %v; want it ended by ErrClosing", ended.Load(), got)
	}
	start(q, "td_3")
	if err := submit(t, q, "td_4"); !errors.Is(err, invoke.ErrClosing) || fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("a closed queue says %v, want ErrClosing", err)
	}
	q.Close() // a second Close does nothing
}

func TestQueue_RunsEveryTaskExactlyOnceUnderConcurrency(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var ran sync.Map
		var running, most atomic.Int64
		maxTasks := rapid.IntRange(1, 4).Draw(rt, "at once")
		var all sync.WaitGroup
		q := invoke.NewQueue(maxTasks, 10, func(_ context.Context, id string, _ bool) {
			most.Store(max(most.Load(), running.Add(1)))
			if _, twice := ran.LoadOrStore(id, true); !twice {
				all.Done()
			}
			running.Add(-1)
		})
		count := rapid.IntRange(0, 30).Draw(rt, "tasks")
		all.Add(count)
		for i := range count {
			go q.Resume(fmt.Sprintf("td_%d", i), false)
		}
		all.Wait()
		q.Close()
		if most.Load() > int64(maxTasks) {
			rt.Fatalf("%d tasks at once, want %d", most.Load(), maxTasks)
		}
	})
}

func TestQueue_DropRemovesOnlyAWaitingTask(t *testing.T) {
	g := newGate()
	q := invoke.NewQueue(1, 2, g.run)
	start(q, "td_1", "td_2", "td_3")
	g.waitStarted(t)
	q.Drop("td_1") // td_1 is running
	q.Drop("td_2")
	q.Drop("td_4") // td_4 does not exist
	start(q, "td_1", "td_2")
	for range 2 {
		g.release <- struct{}{}
		g.waitStarted(t)
	}
	q.Close()
	if want := []string{"td_1", "td_3", "td_2"}; !slices.Equal(g.begun, want) {
		t.Errorf("tasks %v ran, want %v", g.begun, want)
	}
}
