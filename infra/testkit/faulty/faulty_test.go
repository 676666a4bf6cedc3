//go:build !unit

package faulty_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/archive/storetest"
	"ace/shared/fault"
)

func wantFailed(t *testing.T, err error) {
	t.Helper()
	if fault.CodeOf(err) != fault.Unavailable || errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got %v, want a fault with code Unavailable", err)
	}
}

func TestFaulty(t *testing.T) {
	server := minio.Start(t)
	tests := []struct {
		name string
		run  func(t *testing.T, real archive.Store)
	}{
		{"a write that fails before leaves nothing", failBefore},
		{"a write that fails after is there", failAfter},
		{"a refused write is refused, not failed", refusedStaysRefused},
		{"a commit can fail on both sides", commits},
		{"a call that hangs ends with its caller's context", hangs},
		{"hooks count the calls below their prefix", prefixes},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, server.Store(t)) })
	}
	t.Run("without hooks it keeps the contract", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) archive.Store { return faulty.Wrap(server.Store(t)) })
	})
}

func failBefore(t *testing.T, real archive.Store) {
	store := faulty.Wrap(real)
	store.On(faulty.PutIfAbsent, "", faulty.Always(faulty.FailBefore))
	_, err := store.PutIfAbsent(t.Context(), "a", "", []byte("1"))
	wantFailed(t, err)
	if _, err := real.Stat(t.Context(), "a"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	store.Heal()
	if _, err := store.PutIfAbsent(t.Context(), "a", "", []byte("1")); err != nil {
		t.Errorf("after Heal: %v", err)
	}
}

func failAfter(t *testing.T, real archive.Store) {
	store := faulty.Wrap(real)
	store.On(faulty.PutIfAbsent, "", faulty.First(1, faulty.FailAfter))
	_, err := store.PutIfAbsent(t.Context(), "a", "", []byte("1"))
	wantFailed(t, err)
	if _, err := real.Stat(t.Context(), "a"); err != nil {
		t.Errorf("the object is not there: %v", err)
	}
	_, err = store.PutIfAbsent(t.Context(), "a", "", []byte("1"))
	if !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got %v, want ErrPrecondition", err)
	}
}

func refusedStaysRefused(t *testing.T, real archive.Store) {
	if _, err := real.Put(t.Context(), "a", "", nil); err != nil {
		t.Fatal(err)
	}
	store := faulty.Wrap(real)
	store.On(faulty.PutIfAbsent, "", faulty.Always(faulty.FailAfter))
	_, err := store.PutIfAbsent(t.Context(), "a", "", nil)
	if !errors.Is(err, archive.ErrPrecondition) {
		t.Errorf("got %v, want ErrPrecondition", err)
	}
}

func commits(t *testing.T, real archive.Store) {
	store := faulty.Wrap(real)
	store.On(faulty.Commit, "before", faulty.Always(faulty.FailBefore))
	store.On(faulty.Commit, "after", faulty.Always(faulty.FailAfter))
	for key, want := range map[string]error{"before": archive.ErrNotFound, "after": nil} {
		w, err := store.Create(t.Context(), key, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("1")); err != nil {
			t.Fatal(err)
		}
		_, err = w.Commit(t.Context())
		wantFailed(t, err)
		if _, err := real.Stat(t.Context(), key); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", key, err, want)
		}
	}
}

func hangs(t *testing.T, real archive.Store) {
	store := faulty.Wrap(real)
	store.On(faulty.Put, "", faulty.Always(faulty.Hang))
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error, 1)
	go func() {
		_, err := store.Put(ctx, "a", "", nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("answered %v before the context ended", err)
	case <-time.After(50 * time.Millisecond):
		cancel()
		wantFailed(t, <-answered)
	}
	cancel()
	if _, err := real.Stat(t.Context(), "a"); !errors.Is(err, archive.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func prefixes(t *testing.T, real archive.Store) {
	store := faulty.Wrap(real)
	store.On(faulty.Put, "parts/", faulty.Nth(2, faulty.FailBefore))
	var failed []string
	for _, key := range []string{"parts/1", "plan", "parts/2", "parts/3"} {
		if _, err := store.Put(t.Context(), key, "", nil); err != nil {
			wantFailed(t, err)
			failed = append(failed, key)
		}
	}
	if len(failed) != 1 || failed[0] != "parts/2" {
		t.Errorf("failed were %q, want the second below parts/", failed)
	}
	for prefix, want := range map[string]int{"": 4, "parts/": 3, "plan": 1, "x": 0} {
		if got := store.Count(faulty.Put, prefix); got != want {
			t.Errorf("counted %d puts below %q, want %d", got, prefix, want)
		}
	}
	if got := store.Count(faulty.Get, ""); got != 0 {
		t.Errorf("counted %d reads, want none", got)
	}
}
