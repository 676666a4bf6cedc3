package pgserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// process is a running postmaster. One goroutine per process waits for its end.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was waited for
}

// launch starts the program. The goroutine keeps its thread until the process ends, because the kernel sends the
// parent-death signal when the *thread* that forked goes away.
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
		_ = p.cmd.Wait() // how it ended is in its log
	}
}

// pid is the postmaster's process id.
func (p *process) pid() int { return p.cmd.Process.Pid }

// running says whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal asks the postmaster for something; one that has ended already is no error.
func (p *process) signal(sig os.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// kill ends the postmaster and every backend at once, as a power cut would. The postmaster is stopped first so that it
// starts no further child.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for _, child := range children(p.pid()) {
		_ = syscall.Kill(child, syscall.SIGKILL) // may have ended by itself
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// children lists the process ids whose parent is pid.
func children(pid int) []int {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []int
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		child, parent, err := parseStat(string(content))
		if err == nil && parent == pid {
			found = append(found, child)
		}
	}
	return found
}

// parseStat reads "pid (command) state ppid ..."; the command may contain spaces and parentheses.
func parseStat(line string) (pid, parent int, err error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return 0, 0, fmt.Errorf("not a stat line: %q", line)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line[:open])); err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(line[end+1:])
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("not a stat line: %q", line)
	}
	parent, err = strconv.Atoi(fields[1])
	return pid, parent, err
}
