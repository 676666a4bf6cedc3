package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	portAttempts = 20
	pollInterval = 10 * time.Millisecond
)

// errPortTaken means that another program took the port after it was found free and
// before the server listened on it.
var errPortTaken = errors.New("the port is in use")

// startFirst starts the server on the given port. If port is 0, it tries free ports until
// a start succeeds.
func (s *Server) startFirst(ctx context.Context, port int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if port != 0 {
		s.port = port
		return s.start(ctx)
	}
	for range portAttempts {
		var err error
		if s.port, err = freePort(ctx); err != nil {
			return err
		}
		if err = s.start(ctx); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return fmt.Errorf("no free port after %d attempts: %w", portAttempts, errPortTaken)
}

// freePort returns a port on which no process listens. The port is below the kernel's
// range for outgoing connections. Otherwise an outgoing connection could take the port of
// a server that is being restarted, or even connect to itself.
func freePort(ctx context.Context) (int, error) {
	const low, high = 12000, 32000
	var err error
	for range portAttempts {
		port := low + rand.IntN(high-low)
		var listener net.Listener
		listener, err = new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(Host, strconv.Itoa(port)))
		if err == nil {
			return port, listener.Close()
		}
	}
	return 0, err
}

// start launches the postmaster and waits until it accepts connections. The caller must
// hold s.mu.
func (s *Server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	begin, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	cmd := s.acc.command(context.WithoutCancel(ctx), s.dir, filepath.Join(s.installation.BinDir, "postgres"),
		"-D", s.dataDir(), "-p", strconv.Itoa(s.port))
	cmd.Stdout, cmd.Stderr = log, log
	proc, err := launch(cmd)
	if err != nil {
		return err
	}
	s.proc = proc
	return s.awaitReady(ctx, begin)
}

// awaitReady waits until the server accepts connections. If it returns an error, the
// server has ended. logBegin is the size of the log before the start.
func (s *Server) awaitReady(ctx context.Context, logBegin int64) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.proc.done:
			return s.startFailure(logBegin)
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), s.proc.kill())
		case <-tick.C:
			if s.ready() {
				return nil
			}
		}
	}
}

// ready reports whether the server accepts connections. It reads postmaster.pid, as
// pg_ctl does: the first line has the process id, the eighth the state.
func (s *Server) ready() bool {
	content, err := os.ReadFile(filepath.Join(s.dataDir(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(content), "\n")
	if len(lines) < 8 || strings.TrimSpace(lines[0]) != strconv.Itoa(s.proc.pid()) {
		return false
	}
	state := strings.TrimSpace(lines[7])
	return state == "ready" || state == "standby"
}

// startFailure returns why the server ended. The error contains the server's log from the
// offset logBegin, which is where the log of this start begins.
func (s *Server) startFailure(logBegin int64) error {
	content, err := os.ReadFile(s.logFile())
	if err != nil {
		return err
	}
	said := string(content[min(logBegin, int64(len(content))):])
	if strings.Contains(said, "Address already in use") {
		return fmt.Errorf("%w: %d", errPortTaken, s.port)
	}
	return fmt.Errorf("the server ended during its start: %s", strings.TrimSpace(said))
}
