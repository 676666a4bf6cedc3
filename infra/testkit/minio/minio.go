// Package minio runs a real MinIO server for tests, on a free loopback port, with its own
// credentials and data directory. When the test ends, the server is stopped and its data
// is deleted. The binary is ACE_MINIO, or else .cache/bin/minio below the module's root
// (`make deps` builds it). A test that needs a server fails if the server cannot be
// started.
package minio

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"ace/shared/archive/s3"
)

const (
	region       = "us-east-1"
	readyBucket  = "ready" // bucket that is created to check that the server is ready
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
	portAttempts = 3
)

// startDir is the working directory at the start of the process, which is the directory
// of the package under test. It is recorded because a test may change the
// working directory later.
var startDir, errStartDir = os.Getwd()

// Server is a running MinIO.
type Server struct {
	address   string
	dir       string // directory of the buckets
	accessKey string
	secretKey string
	env       []string // additional environment variables of the server
}

// Start runs a server until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	return start(t, nil)
}

// StartEncrypted is like Start, but the bucket of the server encrypts every object with a
// KMS key (SSE-KMS) by default. A bucket of AWS can have the same default.
func StartEncrypted(t testing.TB) *Server {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	s := start(t, []string{"MINIO_KMS_SECRET_KEY=" + keyName + ":" + base64.StdEncoding.EncodeToString(key)})
	if err := encryptBucket(t.Context(), s.Options(readyBucket)); err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t testing.TB, env []string) *Server {
	t.Helper()
	dir := t.TempDir()
	s, stop, err := launch(dir, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

// Launch runs a server outside of a test. The data is in a new directory below dir. The
// caller must call stop, which ends the server and leaves the data.
func Launch(dir string) (s *Server, stop func(), err error) { return launch(dir, nil) }

func launch(dir string, env []string) (*Server, func(), error) {
	binary, err := findBinary()
	if err != nil {
		return nil, nil, err
	}
	var output string
	for range portAttempts {
		address, err := freeAddress()
		if err != nil {
			return nil, nil, err
		}
		s := &Server{address: address, accessKey: rand.Text(), secretKey: rand.Text(), env: env, dir: filepath.Join(dir, "data")}
		var stop func()
		if output, stop, err = s.run(dir, binary); err == nil {
			return s, stop, nil
		}
	}
	return nil, nil, fmt.Errorf("MinIO did not start: %s", output)
}

// Store opens an empty archive, which is closed when the test ends. The archive is a new
// prefix in a bucket that all archives of the server share, because MinIO takes half a
// second to make a bucket.
func (s *Server) Store(t testing.TB) *s3.Store {
	t.Helper()
	opts := s.Options(readyBucket)
	opts.Prefix = rand.Text()
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// Proxied is like Store, but the handler front(next) receives all requests of the
// archive. next passes a request to the server.
func (s *Server) Proxied(t testing.TB, front func(next http.Handler) http.Handler) *s3.Store {
	t.Helper()
	opts := s.Options(readyBucket)
	opts.Prefix = rand.Text()
	target, err := url.Parse(opts.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	proxy := httptest.NewServer(front(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature of the request covers the host
		},
	}))
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(proxy.Close)
	opts.Endpoint = proxy.URL
	store, err := s3.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// Twins returns an empty archive, and a function that copies a small object to another
// key without a request, by a hard link. A copy takes microseconds instead of
// milliseconds, for tests that need very many objects.
func (s *Server) Twins(t testing.TB) (store *s3.Store, twin func(from, to string) error) {
	t.Helper()
	store = s.Store(t)
	root := filepath.Join(s.dir, readyBucket, store.Location().Prefix)
	const file = "xl.meta" // file that contains all of a small object except its key
	return store, func(from, to string) error {
		if err := os.MkdirAll(filepath.Join(root, to), 0o700); err != nil {
			return err
		}
		return os.Link(filepath.Join(root, from, file), filepath.Join(root, to, file))
	}
}

// Options returns the options to open a bucket of this server. The bucket need not exist.
func (s *Server) Options(bucket string) s3.Options {
	return s3.Options{
		Endpoint:  "http://" + s.address,
		Region:    region,
		Bucket:    bucket,
		AccessKey: s.accessKey,
		SecretKey: s.secretKey,
		PathStyle: true,
	}
}

// run starts the process and waits until the server answers. If the server does not
// answer, run returns its output and an error.
func (s *Server) run(dir, binary string) (output string, stop func(), err error) {
	var out bytes.Buffer
	cmd := exec.Command(binary, "server", "--quiet", "--address", s.address, s.dir)
	cmd.Env = append([]string{
		"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"),
		"MINIO_ROOT_USER=" + s.accessKey,
		"MINIO_ROOT_PASSWORD=" + s.secretKey,
		"MINIO_BROWSER=off",
		"MINIO_UPDATE=off",
	}, s.env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("cannot run %s: %w", binary, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	stop = func() { stopProcess(cmd.Process, ended) }
	if !s.answers(ended) {
		stop()
		return out.String(), nil, errors.New("MinIO does not answer")
	}
	return "", stop, nil
}

// answers waits until the server accepts the credentials of the test. This also shows
// that it is the server that the test started, and not another one on the same port.
// answers returns false if the process ends first or startTimeout has passed.
func (s *Server) answers(ended <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if s3.EnsureBucket(ctx, s.Options(readyBucket)) == nil {
			return true
		}
		select {
		case <-ended:
			return false
		case <-ctx.Done():
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func stopProcess(p *os.Process, ended <-chan struct{}) {
	_ = p.Signal(os.Interrupt)
	select {
	case <-ended:
	case <-time.After(stopTimeout):
		_ = p.Kill()
		<-ended
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func findBinary() (string, error) {
	path := os.Getenv("ACE_MINIO")
	if path == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		path = filepath.Join(root, ".cache", "bin", "minio")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("there is no MinIO server at %s: run `make deps`, or set ACE_MINIO to one", path)
	}
	return path, nil
}

// moduleRoot returns the directory of go.mod, which is startDir or a directory above it.
func moduleRoot() (string, error) {
	if errStartDir != nil {
		return "", errStartDir
	}
	dir := startDir
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the module's root was not found above the working directory")
		}
		dir = parent
	}
}
