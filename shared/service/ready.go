package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	// readyTimeout bounds the wait for the store.
	readyTimeout = 2 * time.Second
	// readyFor is how long the result of a check also answers later requests.
	readyFor = time.Second
	// readyKey is a key under which no object is ever stored. Any answer of the store to a
	// request for it shows that the store is ready.
	readyKey = archive.TasksPrefix + "readyz"
)

// readiness caches whether the store answers, so that frequent probes do not each send a
// request to the store.
type readiness struct {
	mu      sync.Mutex
	checked time.Time
	err     error
}

// Ready reports whether the store answers and the queue accepts tasks. Otherwise the
// error is Unavailable and has the reason.
func (s *Service) Ready(ctx context.Context, _ api.HealthRequest) (api.Health, error) {
	err := s.ready.check(ctx, s.Store)
	if err == nil {
		err = s.Starter.Accepts()
	}
	if err != nil {
		return api.Health{}, fault.Wrap(err, fault.Unavailable, "not ready: %s", fault.PublicMessage(err))
	}
	return api.Health{Status: "ok"}, nil
}

// check returns nil if the store answers. It requests an object that does not exist. If
// the store was checked less than readyFor ago, it returns the result of that check.
// Concurrent calls wait for one check.
func (r *readiness) check(ctx context.Context, store archive.Store) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.checked.IsZero() && time.Since(r.checked) < readyFor {
		return r.err
	}

	// The result is used for other requests too, so the end of this request must not
	// affect the check.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
	defer cancel()
	_, err := store.Stat(bounded, readyKey)
	switch {
	case err == nil, errors.Is(err, archive.ErrNotFound):
		err = nil
	case bounded.Err() != nil:
		err = fault.Wrap(err, fault.Unavailable, "the store did not answer within %s", readyTimeout)
	}

	r.err, r.checked = err, time.Now()
	return err
}
