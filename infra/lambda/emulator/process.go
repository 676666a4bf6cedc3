package emulator

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// process is a running function binary. One goroutine waits for its end.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// launch starts a function's binary with the environment variables that Lambda sets. The
// binary is killed if this process dies.
func launch(f *function, serial int, runtimeAPI string) (*process, error) {
	cmd := exec.Command(f.Binary) //nolint:noctx // the process outlives the call that starts it; the environment kills it
	cmd.Dir = os.TempDir()
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"AWS_LAMBDA_RUNTIME_API=" + runtimeAPI,
		"AWS_LAMBDA_FUNCTION_NAME=" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME=" + f.Name + "/" + strconv.Itoa(serial),
		"AWS_ENDPOINT_URL_LAMBDA=" + f.emulator.URL(),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + f.emulator.URL(),
		"AWS_REGION=us-east-1",
	}
	for name, value := range f.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stdout, cmd.Stderr = f.emulator.options.Output, f.emulator.options.Output
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	started := make(chan error)
	go p.wait(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("function %s cannot be started: %w", f.Name, err)
	}
	return p, nil
}

// wait starts the process and waits for its end, on one thread: the kernel sends the
// process the parent-death signal as soon as the thread that started it ends.
func (p *process) wait(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how the process ends does not matter
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// freeze stops the process until thaw, as AWS does between invocations.
func (p *process) freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

func (p *process) thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// kill kills the process and waits until it has ended. It may be called more than once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}
