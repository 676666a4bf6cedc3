package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"ace/infra/testkit/scratch"
)

// Superuser is the only role of a new server.
const Superuser = "postgres"

// Host is the address on which servers listen.
const Host = "127.0.0.1"

// Options are the options of a server. Only Installation is required.
type Options struct {
	Installation Installation
	Dir          string            // directory for the server's files, created if it does not exist; default: a new one below os.TempDir
	InMemory     bool              // a new directory may be in memory if enough memory is free, see package scratch
	Port         int               // default: a free port
	Password     string            // password of Superuser over TCP; empty: every user of this machine may connect
	Settings     map[string]string // configuration parameters in addition to those of defaults
	InitdbArgs   []string          // such as --locale-provider=icu; default: UTF8 and locale C
}

// Server is a PostgreSQL server. Its methods may be called concurrently.
type Server struct {
	installation Installation
	acc          account
	dir          string
	lock         *os.File // lock of dir; nil if the caller chose dir

	mu   sync.Mutex
	port int
	proc *process // the running process; nil before the first start and after Close
}

// Start initialises and starts a server. It returns when the server accepts connections.
// The context bounds only the start.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := prepare(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", o.Installation, err)
	}
	if err := s.startFirst(ctx, o.Port); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", o.Installation, err), s.Close())
	}
	return s, nil
}

// prepare creates the server's directory, with a data directory that is copied from a
// template.
func prepare(ctx context.Context, o Options) (*Server, error) {
	w, err := openWorkspace(os.TempDir())
	if err != nil {
		return nil, err
	}
	acc, err := serverAccount()
	if err != nil {
		return nil, err
	}
	in, err := reachable(ctx, w, acc, o.Installation)
	if err != nil {
		return nil, err
	}
	from, err := template(ctx, w, acc, in, o)
	if err != nil {
		return nil, err
	}
	s := &Server{installation: in, acc: acc, dir: o.Dir}
	if err := s.makeDir(o.InMemory); err != nil {
		return nil, err
	}
	if err := copyTree(ctx, from, s.dataDir()); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := configure(s.dataDir(), s.SocketDir(), o.Settings); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// makeDir creates the server's directory, in which the server's account may create the
// socket.
func (s *Server) makeDir(inMemory bool) error {
	var err error
	if s.dir == "" {
		err = s.claimDir(inMemory)
	} else {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return err
	}
	return s.acc.own(s.dir)
}

func (s *Server) claimDir(inMemory bool) error {
	parent := os.TempDir()
	if inMemory {
		parent = scratch.Root()
	}
	w, err := openWorkspace(parent)
	if err != nil {
		return err
	}
	s.dir, s.lock, err = w.claim()
	return err
}

// Port returns the port on which the server listens. It does not change when the server
// is restarted.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

// Installation returns the installation whose programs the server runs.
func (s *Server) Installation() Installation { return s.installation }

// SocketDir returns the directory of the Unix socket, on which connections need no
// password. It returns "" if the path is too long for a socket.
func (s *Server) SocketDir() string {
	const longest = 107 // bytes of sun_path
	if len(filepath.Join(s.dir, ".s.PGSQL.65535.lock")) > longest {
		return ""
	}
	return s.dir
}

func (s *Server) dataDir() string { return filepath.Join(s.dir, "data") }
func (s *Server) logFile() string { return filepath.Join(s.dir, "log") }

// Log returns what the server has logged since it was created.
func (s *Server) Log() ([]byte, error) { return os.ReadFile(s.logFile()) }

// Stop shuts the server down cleanly and closes the connections of its clients. It is no
// error if the server has already stopped. If the context ends first, the server is
// killed.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop(ctx)
}

func (s *Server) stop(ctx context.Context) error {
	if s.proc == nil || !s.proc.running() {
		return nil
	}
	if err := s.proc.signal(syscall.SIGINT); err != nil {
		return err
	}
	select {
	case <-s.proc.done:
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), s.proc.kill())
	}
}

// Kill ends all of the server's processes with SIGKILL. Restart starts the server again,
// with crash recovery.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil || !s.proc.running() {
		return nil
	}
	return s.proc.kill()
}

// Restart stops the server if it is running and starts it on the same port. It returns
// when the server accepts connections.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// closeTimeout bounds the clean shutdown in Close, which kills the server after this
// time.
const closeTimeout = 10 * time.Second

// Close stops the server and removes its files.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.stop(ctx)
	s.proc = nil
	releaseSharedMemory(s.dataDir())
	err = errors.Join(err, os.RemoveAll(s.dir))
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}
