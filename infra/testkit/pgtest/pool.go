package pgtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"ace/infra/testkit/pgserver"
)

const (
	startTimeout = 60 * time.Second
	password     = "pgtest secret" // has a space, so that a connection fails if a connection string contains the password without quotes
)

// pool holds the shared servers. It starts a server when it is first needed.
type pool struct {
	mu    sync.Mutex
	slots map[slotKey]*slot
}

// slotKey identifies a shared server by its major version and a number. The clusters of
// all tests use the same first, second and third server of a major version.
type slotKey struct{ major, index int }

type slot struct {
	once   sync.Once
	server *pgserver.Server
	err    error
}

func newPool() *pool { return &pool{slots: map[slotKey]*slot{}} }

// server returns the index-th server of the installation, and starts the server if this
// is the first call for it.
func (p *pool) server(in pgserver.Installation, index int) (*pgserver.Server, error) {
	s := p.slot(slotKey{major: in.Major, index: index})
	s.once.Do(func() { s.server, s.err = startServer(in, nil, nil) })
	return s.server, s.err
}

func (p *pool) slot(key slotKey) *slot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.slots[key]
	if !ok {
		s = &slot{}
		p.slots[key] = s
	}
	return s
}

// close stops all servers.
func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.slots {
		if s.server != nil {
			errs = append(errs, s.server.Close())
		}
	}
	return errors.Join(errs...)
}

func startServer(in pgserver.Installation, settings map[string]string, initdb []string) (*pgserver.Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return pgserver.Start(ctx, pgserver.Options{
		Installation: in, InMemory: true, Password: password, Settings: settings, InitdbArgs: initdb,
	})
}
