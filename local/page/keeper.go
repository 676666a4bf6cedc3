package page

import (
	"context"
	"sync"
	"time"

	"ace/shared/retry"
)

// kept is a value that a keeper has read.
type kept[T any] struct {
	Value    T
	At       time.Time // when Value was read; the zero time means never
	Err      error     // why the last attempt to read it failed; nil if it succeeded
	Complete bool      // all parts of Value have been read
}

// keeper reads a value in the background and stores it, so that pages can show the stored
// value without waiting. It reads only if a page has asked for the value. It is safe for
// concurrent use.
type keeper[T any] struct {
	// read returns a new value, which it may derive from the last one, old. If more is true,
	// only a part of the value has been read, and read must be called again.
	read   func(ctx context.Context, old kept[T]) (value T, more bool, err error)
	maxAge time.Duration
	wanted chan struct{} // has an element if a page has asked for a new value

	mu    sync.Mutex
	state kept[T]
	news  chan struct{} // is closed and replaced after each call of read
}

func newKeeper[T any](maxAge time.Duration, read func(context.Context, kept[T]) (T, bool, error)) *keeper[T] {
	return &keeper[T]{read: read, maxAge: maxAge, wanted: make(chan struct{}, 1), news: make(chan struct{})}
}

// get returns the stored value. If the value is older than maxAge or not complete, get
// also causes a new reading in the background. If no value was ever read, get waits for
// the next call of read to end, at most for the duration patience.
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

// run reads the value whenever a page has asked for it, until the context ends. After
// each part of a value but the last, it pauses three times as long as reading that part
// took. So reading a value of many parts uses at most a quarter of a CPU.
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
				_ = retry.Sleep(ctx, 3*time.Since(begun)) // an error is ignored: the loop checks the context
			}
		}
	}
}

// advance calls read once and stores the result. It reports whether there is more to
// read; after an error, it returns false.
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
