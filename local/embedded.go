package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"ace/local/client"
	"ace/shared/config"
	"ace/shared/logging"
)

// embed starts the service for one command of the client. Requests reach the service over
// connections within this process. The service runs only the tasks that this command
// submits. If resume is set, it also runs the tasks that earlier processes did not
// finish. Scheduled comparisons and the retention do not run.
func embed(ctx context.Context, environ map[string]string, resume bool) (*client.Embedded, error) {
	c, err := config.Load(environ)
	if err != nil {
		return nil, err
	}
	c.Metrics = false                   // no scraper can connect
	c.TokenFile, c.CallersFile = "", "" // no other process can connect, so no token is needed
	log := logging.New(os.Stderr, max(c.LogLevel, slog.LevelError), c.LogFormat)
	memory := limitMemory(c.MaxTasks)
	files, err := prepare(ctx, &c, log)
	if err != nil {
		return nil, err
	}
	s, closeService, err := openService(ctx, c, files, log)
	if err != nil {
		return nil, err
	}
	s.scheduler = s.app.Scheduler(nil, s.queue, log)
	s.command = true

	if resume {
		err = s.resume(ctx, c.Store.Embedded)
	}
	var serving *memoryServer
	if err == nil {
		serving, err = s.serveMemory(c)
	}
	if err != nil {
		closeService()
		return nil, err
	}

	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { adaptMemory(ctx, memory) })
	return &client.Embedded{
		Dial: serving.listener.dial, Store: c.Store.String(),
		Close: func() {
			serving.close()
			closeService()
			cancel()
			background.Wait()
		},
	}, nil
}

// memoryServer serves the API on a memoryListener.
type memoryServer struct {
	listener *memoryListener
	close    func()
}

func (s *service) serveMemory(c config.Config) (*memoryServer, error) {
	server, err := s.server(c)
	if err != nil {
		return nil, err
	}
	m := &memoryServer{listener: newMemoryListener()}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(m.listener) }) // Serve returns when the server is closed
	m.close = func() {
		drain, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(drain) != nil {
			_ = server.Close()
		}
		serving.Wait()
	}
	return m, nil
}

// memoryListener is a listener for connections within this process.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newMemoryListener() *memoryListener {
	return &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// dial returns a new connection to the listener.
func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	_ = ours.Close()
	_ = theirs.Close()
	return nil, errors.New("the service has ended")
}

// Accept implements net.Listener.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *memoryListener) Addr() net.Addr { return memoryAddr{} }

// memoryAddr is the address of a memoryListener.
type memoryAddr struct{}

// Network implements net.Addr.
func (memoryAddr) Network() string { return "memory" }

// String implements net.Addr. It names the user of this process, because the origin of a
// request is stored with its task.
func (memoryAddr) String() string { return fmt.Sprintf("uid %d", os.Getuid()) }
