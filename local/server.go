package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"ace/shared/app"
	"ace/shared/config"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/fault"
	"ace/shared/private"
)

// socketMask is the file mode creation mask for the Unix socket. It allows only the owner
// and the group to connect.
const socketMask = 0o117

// listen listens on the address l. variable is the name of the variable that has the
// address, for errors. Before listen creates a Unix socket, it removes a socket that a
// dead process has left at the same path. The owner and the members of the socket's group
// may connect.
func listen(ctx context.Context, l config.Listen, variable string) (net.Listener, error) {
	if l.Network == "unix" {
		if err := prepareSocket(ctx, l.Address, variable); err != nil {
			return nil, err
		}
		// A chmod after the socket is created would be too late: other users could
		// connect before the chmod, and the chmod could change another file that has
		// replaced the socket.
		defer syscall.Umask(syscall.Umask(socketMask))
	}

	listener, err := new(net.ListenConfig).Listen(ctx, l.Network, l.Address)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "cannot listen on %s (%s)", l, variable)
	}
	return listener, nil
}

// prepareSocket checks that no other user has created, or can create, a socket at the
// path. It removes a socket that a dead process has left.
func prepareSocket(ctx context.Context, path, variable string) error {
	refused := func(err error) error {
		return fault.New(fault.Invalid, "%s is unix://%s, which cannot be used: %s", variable, path, fault.PublicMessage(err))
	}
	if err := private.SocketDirectory(path); err != nil {
		return refused(err)
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := private.Socket(path); err != nil {
		return refused(err)
	}

	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close()
		return fault.New(fault.Conflict, "another process listens on %s (%s)", path, variable)
	}
	return os.Remove(path)
}

// server returns an HTTP server for the API. The caller must call its Serve method.
func (s *service) server(c config.Config) (*http.Server, error) {
	mux, err := endpoint.New(endpoint.Options{Logger: s.log, Refused: s.app.Refused}, append(s.app.Endpoints(starter{s.queue, s.writable}), app.SchedulesEndpoint(s.scheduler))...)
	if err != nil {
		return nil, err
	}
	opts := httpx.Options{Hosts: c.AllowedHosts(), Command: s.command, WrongToken: s.app.WrongToken, Refused: s.app.Refused}
	if c.NeedsToken() {
		entries, err := c.ReadCallers()
		if err != nil {
			return nil, err
		}
		s.callers.Replace(entries)
		opts.Callers = &s.callers
	}
	s.guard = opts
	handler, err := s.withPage(s.measured(mux, opts), mux, c, opts)
	if err != nil {
		return nil, err
	}
	return &http.Server{
		Handler:           httpx.Logged(handler, endpoint.NewRequestLog(s.log, c.RequestLog)),
		ConnContext:       httpx.ConnContext,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Minute, // long enough for a large document through a slow tunnel
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, nil
}

// run serves requests and runs tasks until the context ends. Then it waits for the
// running requests, for at most drainTime, and until the running tasks have ended or have
// released their leases.
func (s *service) run(ctx context.Context, server *http.Server, listener net.Listener, pprof config.Listen) error {
	var background sync.WaitGroup
	defer background.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	background.Go(func() { s.sweep(ctx) })
	background.Go(func() { s.scheduler.Run(ctx) })
	background.Go(func() { s.reload(ctx) })
	background.Go(func() { adaptMemory(ctx, s.memory) })
	background.Go(func() { s.retain(ctx, s.retentionDays) })
	background.Go(func() { s.retainAudit(ctx, s.auditDays) })
	background.Go(func() { s.warnOfClusters(ctx) })
	background.Go(func() { s.restoreMetrics(ctx) })
	if s.page != nil {
		background.Go(func() { s.page.Run(ctx) })
	}
	if err := s.servePprof(ctx, pprof, &background); err != nil {
		return err
	}

	served := make(chan error, 1)
	background.Go(func() { served <- server.Serve(listener) })
	select {
	case err := <-served:
		return fault.Wrap(err, fault.Unavailable, "the server stopped")
	case <-ctx.Done():
	}

	// The queue is closed concurrently with the server, so that the waits for tasks and
	// for requests do not add up.
	s.log.InfoContext(ctx, "stopping")
	background.Go(s.queue.Close)
	drain, end := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer end()
	if err := server.Shutdown(drain); err != nil {
		_ = server.Close()
	}
	return nil
}
