package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"ace/shared/fanout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// gauge counts the running calls and remembers the highest count.
type gauge struct{ now, most atomic.Int64 }

func (g *gauge) enter() {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most; most = g.most.Load() {
		if g.most.CompareAndSwap(most, n) {
			return
		}
	}
}

func (g *gauge) leave() { g.now.Add(-1) }

func TestMap_ReturnsAllResultsInOrderWithinTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.Int(), 0, 60).Draw(t, "items")
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		var running gauge
		got, err := fanout.Map(context.Background(), limit, items, func(_ context.Context, n int) (string, error) {
			running.enter()
			defer running.leave()

			runtime.Gosched()
			return fmt.Sprint(n), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(items) {
			t.Fatalf("%d results for %d items", len(got), len(items))
		}

		for i, n := range items {
			if got[i] != fmt.Sprint(n) {
				t.Fatalf("result %d is %q, want %d", i, got[i], n)
			}
		}

		if running.most.Load() > int64(limit) {
			t.Fatalf("%d calls at once, the limit is %d", running.most.Load(), limit)
		}
	})
}

func TestMap_ReturnsAnErrorOfAnItemAndNoResults(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "items")
		bad := rapid.IntRange(0, n-1).Draw(t, "bad")
		limit := rapid.IntRange(1, 8).Draw(t, "limit")
		errBad := errors.New("bad item")
		got, err := fanout.Map(context.Background(), limit, make([]int, n), failOn(bad, errBad))
		if !errors.Is(err, errBad) || got != nil {
			t.Fatalf("got %v, %v; want no results and the item's error", got, err)
		}
	})
}

// failOn returns a function whose call number bad (from 0) fails. The other calls
// succeed.
func failOn(bad int, err error) func(context.Context, int) (int, error) {
	var calls atomic.Int64
	return func(context.Context, int) (int, error) {
		if calls.Add(1)-1 == int64(bad) {
			return 0, err
		}
		return 1, nil
	}
}

func TestEach_StartsNothingAfterAnError(t *testing.T) {
	errThird := errors.New("third")
	var calls int
	err := fanout.Each(context.Background(), 1, count(1000), func(_ context.Context, n int) error {
		calls++
		if n == 2 {
			return errThird
		}
		return nil
	})

	if !errors.Is(err, errThird) || calls != 3 {
		t.Fatalf("%d calls and error %v, want 3 calls and the third one's error", calls, err)
	}
}

func TestEach_FirstErrorCancelsRunningCalls(t *testing.T) {
	errFirst := errors.New("first")
	err := fanout.Each(context.Background(), 4, count(4), func(ctx context.Context, n int) error {
		if n == 0 {
			return errFirst
		}

		<-ctx.Done()
		return fmt.Errorf("item %d: %w", n, ctx.Err())
	})

	if !errors.Is(err, errFirst) {
		t.Fatalf("got %v, want the first error", err)
	}
}

func TestEach_CancelledContextIsAnErrorAlthoughEveryCallSucceeded(t *testing.T) {
	errStop := errors.New("cancelled on request")
	ctx, cancel := context.WithCancelCause(context.Background())
	err := fanout.Each(ctx, 2, count(2), func(_ context.Context, n int) error {
		if n == 1 {
			cancel(errStop)
		}
		return nil
	})

	if !errors.Is(err, errStop) {
		t.Fatalf("got %v, want the cause of the cancellation", err)
	}
}

func TestEach_AnErrorThatFollowsTheCancellationDoesNotHideItsCause(t *testing.T) {
	errStop := errors.New("cancelled on request")
	ctx, cancel := context.WithCancelCause(context.Background())
	err := fanout.Each(ctx, 1, count(1), func(context.Context, int) error {
		cancel(errStop)
		return errors.New("the query was interrupted")
	})
	if !errors.Is(err, errStop) {
		t.Fatalf("got %v, want the cause of the cancellation", err)
	}
}

func TestEach_EndedContextRunsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := fanout.Each(ctx, 2, count(5), func(context.Context, int) error {
		t.Error("a call was made")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
}

func TestEach_PullsAtMostOneItemAheadOfRunningCalls(t *testing.T) {
	const limit = 3
	var pulled, finished, most atomic.Int64
	items := func(yield func(int) bool) {
		for i := range 500 {
			most.Store(max(most.Load(), pulled.Add(1)-finished.Load()))
			if !yield(i) {
				return
			}
		}
	}

	err := fanout.Each(context.Background(), limit, items, func(context.Context, int) error {
		finished.Add(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	if most.Load() > limit+1 {
		t.Errorf("%d items were held at once, want at most %d", most.Load(), limit+1)
	}
}

func TestLimitBelowOneIsAnError(t *testing.T) {
	for _, limit := range []int{0, -1} {
		if _, err := fanout.Map(context.Background(), limit, []int{1}, failOn(-1, nil)); err == nil {
			t.Errorf("limit %d was accepted", limit)
		}
	}
}

func count(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func TestEach_APanicOfTheSequenceWaitsForRunningCalls(t *testing.T) {
	running, ended := make(chan struct{}), false
	defer func() {
		if cause := recover(); cause != "broken" || !ended {
			t.Errorf("panic %v while a call was running: %t", cause, !ended)
		}
	}()

	items := func(yield func(int) bool) {
		yield(1)
		<-running
		panic("broken")
	}

	_ = fanout.Each(context.Background(), 1, items, func(context.Context, int) error {
		close(running)
		time.Sleep(20 * time.Millisecond)
		ended = true
		return nil
	})
}

func TestAhead_PassesItemsInOrderAndReturnsTheFirstError(t *testing.T) {
	errRead := errors.New("read")
	errDone := errors.New("done")
	for _, tt := range []struct {
		failAt, readFails int
		want              error
		wantDone          int
	}{{-1, -1, nil, 5}, {2, -1, errDone, 2}, {-1, 3, errRead, 3}, {0, 1, errDone, 0}} {
		done := 0
		err := fanout.Ahead(t.Context(), func(ctx context.Context, give func(int) error) error {
			for i := range 5 {
				if i == tt.readFails {
					if tt.failAt >= 0 {
						<-ctx.Done() // cancelled by the error of the consumer
					}
					return errRead
				}
				if err := give(i); err != nil {
					return err
				}
			}
			return nil
		}, func(i int) error {
			if i == tt.failAt {
				return errDone
			}
			if i != done {
				t.Errorf("%+v: got %d after %d", tt, i, done)
			}

			done++
			return nil
		})

		if !errors.Is(err, tt.want) || done != tt.wantDone {
			t.Errorf("%+v: %d items, error %v", tt, done, err)
		}
	}
}
