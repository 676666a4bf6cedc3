package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"ace/infra/testkit/output"
)

// The settings of the services. Short times let a run of seconds pass all of them.
const (
	lease        = 3 * time.Second
	patience     = 3 * time.Second
	statement    = 6 * time.Second
	repairAnswer = 2 * time.Second
)

// service is a process of `ace serve` that is started again whenever it ends, as a
// service manager does.
type service struct {
	number  int
	address string
	log     *output.Buffer
	command func() *exec.Cmd

	mu       sync.Mutex
	process  *exec.Cmd // the running process, or nil
	expected bool      // whether a fault or stop ends the process
	stopped  bool      // it is not to be started again
	ended    chan struct{}
	exits    []string // ends that neither a fault nor stop has caused
	starts   int
}

// startService starts the process and the goroutine that restarts it until stop is
// called.
func startService(number int, command func(address string) *exec.Cmd) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	s := &service{number: number, address: listener.Addr().String(), log: &output.Buffer{}, ended: make(chan struct{})}
	listener.Close()
	s.command = func() *exec.Cmd { return command(s.address) }
	go s.supervise()
	return s, nil
}

func (s *service) supervise() {
	defer close(s.ended)
	for {
		command := s.command()
		command.Stdout, command.Stderr = s.log, s.log
		command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		s.mu.Lock()
		if s.stopped {
			s.mu.Unlock()
			return
		}
		err := command.Start()
		s.process, s.expected = command, false
		s.starts++
		s.mu.Unlock()
		if err == nil {
			err = command.Wait()
		}
		s.mu.Lock()
		if !s.expected {
			s.exits = append(s.exits, fmt.Sprint(err))
		}
		s.process = nil
		stopped := s.stopped
		s.mu.Unlock()
		if stopped {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// signal sends a signal to the process. If end is true, the process is expected to end.
func (s *service) signal(sig os.Signal, end bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	s.expected = s.expected || end
	err := s.process.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// pid returns the process id, or 0 if there is no process.
func (s *service) pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// stopLimit is far more than the 10 seconds within which a service ends.
const stopLimit = 25 * time.Second

// stop ends the process by SIGTERM. It returns an error if that takes too long.
func (s *service) stop() error {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	if err := s.signal(syscall.SIGTERM, true); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(stopLimit):
		_ = s.signal(syscall.SIGKILL, true) // the error below matters
		<-s.ended
		return fmt.Errorf("service %d did not end within %s of SIGTERM", s.number+1, stopLimit)
	}
}

// complaints returns what a service must never do: panic, or end by itself although its
// store could be used.
func (s *service) complaints() (found []string) {
	for _, text := range []string{"panic:", "fatal error:", "DATA RACE", "runtime error"} {
		if log := s.log.String(); strings.Contains(log, text) {
			at := strings.Index(log, text)
			found = append(found, log[max(0, at-200):min(len(log), at+2000)])
		}
	}
	return found
}

// awaitExit waits until a process with this id is no longer the current one.
func (s *service) awaitExit(ctx context.Context, pid int) {
	for s.pid() == pid && ctx.Err() == nil {
		pause(ctx, 20*time.Millisecond)
	}
}

// ready waits until the service answers. It returns an error if the first process ends,
// because no fault has begun yet.
func (s *service) ready(ctx context.Context, c *client) error {
	for {
		status, _, err := c.send(ctx, http.MethodGet, "http://"+s.address+"/readyz", nil)
		if err == nil && status == http.StatusOK {
			return nil
		}
		s.mu.Lock()
		exits := s.exits
		s.mu.Unlock()
		if len(exits) > 0 || ctx.Err() != nil {
			return fmt.Errorf("service %d is not ready: %v: %s", s.number+1, exits, s.log)
		}
		pause(ctx, 50*time.Millisecond)
	}
}
