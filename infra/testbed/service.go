package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ace/infra/testkit/output"
)

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 10 * time.Second
)

// Service is a running `ace serve`.
type Service struct {
	URL     string
	process *exec.Cmd
	log     *output.Buffer // what the service has written to stderr
	ended   chan error
}

// Clusters returns the directory of the cluster definitions in a service's directory.
func Clusters(dir string) string { return filepath.Join(dir, "clusters") }

// Build builds the binary into a directory, with the flags of `make build` so that both
// share their build cache. It prints each package that it compiles.
func Build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "ace")
	build := exec.CommandContext(ctx, "go", "build", "-v", "-trimpath", "-o", binary, "./local")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		return "", fmt.Errorf("go build: %w", err)
	}
	return binary, nil
}

// Place says where a service listens and keeps its archive.
type Place struct {
	Address string // "" is a free address other than the default one, at which the commands of other tests look for a service
	Store   string // a value of ACE_STORE; "" is a directory below that of the service
}

// StartService starts the binary, which stores its data below dir, and waits until the
// service answers. environ is added to the environment variables of this process.
func StartService(ctx context.Context, binary, dir string, at Place, environ ...string) (*Service, error) {
	address, store := at.Address, at.Store
	if address == "" {
		var err error
		if address, err = FreeAddress(ctx); err != nil {
			return nil, err
		}
	}
	if store == "" {
		store = "file://" + filepath.Join(dir, "archive")
	}
	s := &Service{URL: "http://" + address, log: &output.Buffer{}, ended: make(chan error, 1)}
	s.process = exec.Command(binary, "serve", //nolint:noctx // Close stops it with a signal
		"--listen", address, "--store", store, "--clusters", Clusters(dir))
	s.process.Env = append(os.Environ(), environ...)
	s.process.Stderr = s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // so that Ctrl-C reaches only the demo, which then stops the service
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.process.Wait() }()
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// FreeAddress returns the first of the preferred addresses that is not in use, or any
// other address of this machine.
func FreeAddress(ctx context.Context, preferred ...string) (string, error) {
	for _, address := range append(preferred, "127.0.0.1:0") {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			defer listener.Close()
			return listener.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("there is no free port on 127.0.0.1")
}

// PID returns the process id of the service.
func (s *Service) PID() int { return s.process.Process.Pid }

// ready waits for the first response.
func (s *Service) ready(ctx context.Context) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("ace serve ended at its start: %w: %s", err, s.log)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if _, err := s.Get(ctx, "/healthz"); err == nil {
			return nil
		}
	}
	return fmt.Errorf("ace serve does not answer: %s", s.log)
}

// Get sends a GET request to the API and returns the body of the answer. Any status but
// 200 is an error.
func (s *Service) Get(ctx context.Context, path string) ([]byte, error) {
	return s.send(ctx, http.MethodGet, path, nil)
}

// Post sends a POST request. An answer other than 200 is an error with its body.
func (s *Service) Post(ctx context.Context, path, body string) error {
	_, err := s.send(ctx, http.MethodPost, path, strings.NewReader(body))
	return err
}

func (s *Service) send(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, strings.TrimSpace(string(answer)))
	}
	return answer, err
}

// Show prints the curl command of a GET request, sends the request, and decodes the
// answer into the value that into points to. It returns the body of the answer.
func (s *Service) Show(ctx context.Context, path string, into any) ([]byte, error) {
	fmt.Printf("\n$ curl '%s%s'\n", s.URL, path)
	body, err := s.Get(ctx, path)
	if err != nil {
		return nil, err
	}
	return body, json.Unmarshal(body, into)
}

// Close interrupts the service as an operator would, and kills it if that takes too long.
func (s *Service) Close() error {
	_ = s.process.Process.Signal(os.Interrupt)
	select {
	case err := <-s.ended:
		return err
	case <-time.After(stopTimeout):
		_ = s.process.Process.Kill()
		return fmt.Errorf("ace serve did not stop within %s: %w: %s", stopTimeout, <-s.ended, s.log)
	}
}
