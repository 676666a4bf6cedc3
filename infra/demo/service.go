package main

import (
	"bytes"
	"context"
	"encoding/json"
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
)

const (
	preferredAddress = "127.0.0.1:5000"
	startTimeout     = 20 * time.Second
	stopTimeout      = 10 * time.Second
)

// service is a running `ace serve`.
type service struct {
	url     string
	process *exec.Cmd
	log     *bytes.Buffer
	ended   chan error
}

// startService builds the binary, starts it and waits until it answers.
func startService(ctx context.Context, dir string) (*service, error) {
	binary := filepath.Join(dir, "ace")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./local")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w: %s", err, output)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &service{url: "http://" + address, log: &bytes.Buffer{}, ended: make(chan error, 1)}
	s.process = exec.Command(binary, "serve", //nolint:noctx // it is told to stop by a signal, see close
		"--listen", address, "--store", "file://"+filepath.Join(dir, "archive"), "--clusters", filepath.Join(dir, "clusters"))
	s.process.Stderr = s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // Ctrl-C is for the demo to pass on
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- s.process.Wait() }()
	return s, s.ready(ctx)
}

// freeAddress is the API's usual address, or another where that one is taken.
func freeAddress(ctx context.Context) (string, error) {
	for _, address := range []string{preferredAddress, "127.0.0.1:0"} {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			defer listener.Close()
			return listener.Addr().String(), nil
		}
	}
	return "", fmt.Errorf("there is no free port on 127.0.0.1")
}

// ready waits for the first answer.
func (s *service) ready(ctx context.Context) error {
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("ace serve ended at its start: %w: %s", err, s.log)
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if _, err := s.get(ctx, "/healthz"); err == nil {
			return nil
		}
	}
	return fmt.Errorf("ace serve does not answer: %s", s.log)
}

// get asks the API; any status but 200 is an error.
func (s *service) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, response.Status, strings.TrimSpace(string(body)))
	}
	return body, err
}

// show prints the curl command of a request, sends it and decodes the answer.
func (s *service) show(ctx context.Context, path string, into any) ([]byte, error) {
	fmt.Printf("\n$ curl '%s%s'\n", s.url, path)
	body, err := s.get(ctx, path)
	if err != nil {
		return nil, err
	}
	return body, json.Unmarshal(body, into)
}

// close stops the service as an operator would, and the hard way if that takes too long.
func (s *service) close() error {
	_ = s.process.Process.Signal(os.Interrupt)
	select {
	case err := <-s.ended:
		return err
	case <-time.After(stopTimeout):
		_ = s.process.Process.Kill()
		<-s.ended
		return fmt.Errorf("ace serve did not stop within %s: %s", stopTimeout, s.log)
	}
}
