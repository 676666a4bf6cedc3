package page

import (
	"context"
	"sync"
	"time"
)

// kept is a value that a keeper has read.
type kept[T any] struct {
	Value    T
	At       time.Time // when it was read; zero: never
	Err      error     // why the last attempt to read it failed
	Complete bool      // there is nothing more to read
}

// keeper reads a value in the background and keeps it, so that no page waits for it. It
// reads only while pages ask for the value. It is safe for concurrent use.
type keeper[T any] struct {
	// read returns the value that follows old. more means that read must be called again.
	read   func(ctx context.Context, old kept[T]) (value T, more bool, err error)
	maxAge time.Duration
	wanted chan struct{} // has a value if a page has asked

	mu    sync.Mutex
	state kept[T]
	news  chan struct{} // is closed and replaced after each attempt
}

func newKeeper[T any](maxAge time.Duration, read func(context.Context, kept[T]) (T, bool, error)) *keeper[T] {
	return &keeper[T]{read: read, maxAge: maxAge, wanted: make(chan struct{}, 1), news: make(chan struct{})}
}

// get returns the value as it is known. If it is older than maxAge, a new one is read in
// the background. If none is known, get waits for it, but not longer than the patience.
func (k *keeper[T]) get(ctx context.Context, patience time.Duration) kept[T] {
	state, news := k.current()
	if state.Complete && time.Since(state.At) < k.maxAge {
		return state
	}
	select {
	case k.wanted <- struct{}{}:
	default:
	}
	if !state.At.IsZero() {
		return state
	}

	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-news:
	case <-timeout.C:
	case <-ctx.Done():
	}
	state, _ = k.current()
	return state
}

func (k *keeper[T]) current() (kept[T], <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, k.news
}

// run reads the value whenever a page has asked for it, until the context ends. Between
// two parts of a value it pauses for three times as long as the last part took, so that
// it never uses more than a quarter of a CPU.
func (k *keeper[T]) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wanted:
		}
		for more := true; more && ctx.Err() == nil; {
			begun := time.Now()
			more = k.advance(ctx)
			if more {
				sleep(ctx, 3*time.Since(begun))
			}
		}
	}
}

// advance calls read once and reports whether there is more to read.
func (k *keeper[T]) advance(ctx context.Context) (more bool) {
	old, _ := k.current()
	value, more, err := k.read(ctx, old)

	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state.Err = err; err == nil {
		k.state = kept[T]{Value: value, At: time.Now(), Complete: !more}
	}
	close(k.news)
	k.news = make(chan struct{})
	return more && err == nil
}

// sleep waits, or returns early if the context ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
