//go:build !unit

package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ace/infra/testkit/output"
)

const (
	startTimeout = time.Minute
	poll         = 5 * time.Millisecond
)

// settings are environment variables.
type settings map[string]string

// process is one run of the program.
type process struct {
	cmd    *exec.Cmd
	output *printed // stdout and stderr together
	ended  chan struct{}
}

// start runs the program in dir, with no other environment than env, PATH and HOME. The
// process is killed when the test ends.
func start(t testing.TB, dir string, env settings, args ...string) *process {
	t.Helper()
	return startAs(t, nil, dir, env, args...)
}

// startAs is start for another user, nil for that of the test.
func startAs(t testing.TB, user *syscall.Credential, dir string, env settings, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), output: &printed{}, ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	all := settings{"PATH": os.Getenv("PATH"), "HOME": dir}
	maps.Copy(all, env)
	for name, value := range all {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.output, p.output
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // ProcessState has the exit code
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("output of process %d:\n%s", p.cmd.Process.Pid, p.output)
		}
	})
	return p
}

// run runs the program to its end and returns its exit code and output.
func run(t testing.TB, dir string, env settings, args ...string) (code int, text string) {
	t.Helper()
	p := start(t, dir, env, args...)
	return p.wait(t, startTimeout), p.output.String()
}

// wait waits for the end of the process and returns the exit code.
func (p *process) wait(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		t.Fatalf("process %d has not ended after %s", p.cmd.Process.Pid, limit)
	}
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// terminate sends SIGTERM to the process. It returns the exit code and how long the
// process took to end.
func (p *process) terminate(t testing.TB, limit time.Duration) (code int, took time.Duration) {
	t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.wait(t, limit), time.Since(begin)
}

// peakMemory returns the largest resident memory that the process has had, in bytes.
func (p *process) peakMemory(t testing.TB) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	kilobytes, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// logged waits for a line of the JSON log with this message and returns one of its
// fields.
func (p *process) logged(t testing.TB, message, field string) string {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(poll) {
		for _, line := range p.output.lines() {
			var entry map[string]any
			if json.Unmarshal(line, &entry) == nil && entry["msg"] == message {
				text, _ := entry[field].(string)
				return text
			}
		}
		select {
		case <-p.ended:
			t.Fatalf("process ended with code %d before it logged %q:\n%s", p.cmd.ProcessState.ExitCode(), message, p.output)
		default:
		}
	}
	t.Fatalf("process has not logged %q after %s:\n%s", message, startTimeout, p.output)
	return ""
}

// printed is what a process has printed so far.
type printed struct{ output.Buffer }

func (p *printed) lines() [][]byte { return bytes.Split([]byte(p.String()), []byte("\n")) }

// eventually waits until a condition holds.
func eventually(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(poll) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", limit, what)
}

// exists reports whether a file exists. Any other error fails the test.
func exists(t testing.TB, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}
