package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a running postmaster. One goroutine per process waits for its end.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended and its status was read
}

// launch starts the program in a goroutine that stays on one thread until the process
// ends, because the kernel sends the parent-death signal as soon as the *thread* that
// started the process ends.
func launch(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	return p, <-started
}

func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // the server's log shows how it ended
	}
}

// pid returns the postmaster's process id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// running reports whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends a signal to the postmaster. It is no error if the postmaster has already
// ended.
func (p *process) signal(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// kill kills the postmaster and every backend at once, as a power failure does. It
// returns when all have ended, because until then they use the shared memory, and no new
// server can start. The postmaster is stopped (SIGSTOP) first, so that it starts no
// further child.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	await(p.pid(), 'T')
	backends := children(p.pid())
	for _, backend := range backends {
		_ = syscall.Kill(backend, syscall.SIGKILL) // the backend may have ended by itself
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	for _, backend := range backends {
		await(backend, 'Z')
	}
	return nil
}
