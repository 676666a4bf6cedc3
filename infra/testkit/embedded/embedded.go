// Package embedded opens an archive in the embedded S3 gateway for tests. A process can
// have only one gateway. The first test that needs the gateway starts it, and it runs
// until all tests have ended. Each test uses its own prefix of the bucket.
package embedded

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/scratch"
	"ace/local/gateway"
	"ace/shared/archive/s3"
)

// shared is the gateway of the test process.
var shared struct {
	once    sync.Once
	dir     string
	lock    *os.File
	gateway *gateway.Gateway
	err     error
}

// Tests wraps M, the tests of a package, so that the gateway is stopped after the tests.
// Pass a Tests to Main of another package of the test kit (such as pgtest.Main), which
// calls Run. Main of this package wraps the tests itself.
type Tests struct{ M interface{ Run() int } }

// Run runs the tests and then stops the gateway.
func (t Tests) Run() int {
	code := t.M.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "embedded: the gateway does not stop:", err)
		code = max(code, 1)
	}
	return code
}

// Main runs the tests of a package and exits. A goroutine that outlives them fails the
// run.
func Main(m *testing.M) {
	code := Tests{m}.Run()
	if code == 0 {
		if err := goleak.Find(Goroutines()...); err != nil {
			fmt.Fprintln(os.Stderr, "embedded:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Goroutines returns the options with which goleak ignores the goroutines that the
// gateway's HTTP server never ends.
func Goroutines() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	}
}

// Store opens an empty archive, which is closed when the test ends.
func Store(t testing.TB) *s3.Store {
	t.Helper()
	return open(t, options(t))
}

// Proxied is like Store, but the handler front(next) receives all requests of the
// archive. next passes a request to the gateway.
func Proxied(t testing.TB, front func(next http.Handler) http.Handler) *s3.Store {
	t.Helper()
	o := options(t)
	target, err := url.Parse(o.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	server := httptest.NewServer(front(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature of the request covers the host
		},
	}))
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(server.Close)
	o.Endpoint = server.URL
	return open(t, o)
}

// options returns the options to open an empty archive.
func options(t testing.TB) s3.Options {
	t.Helper()
	shared.once.Do(start)
	if shared.err != nil {
		t.Fatalf("the embedded gateway does not start: %v", shared.err)
	}
	options := shared.gateway.S3()
	options.Prefix = rand.Text()
	return options
}

func open(t testing.TB, options s3.Options) *s3.Store {
	t.Helper()
	store, err := s3.Open(t.Context(), options)
	if err != nil {
		t.Fatalf("the embedded gateway does not answer: %v", err)
	}
	t.Cleanup(store.Close)
	return store
}

// Twins returns an empty archive, and a function that copies an object to another key
// without a request, by a hard link. A copy takes microseconds instead of a millisecond,
// for tests that need very many objects.
func Twins(t testing.TB) (store *s3.Store, twin func(from, to string) error) {
	t.Helper()
	store = Store(t)
	place := store.Location()
	root := filepath.Join(shared.dir, "gateway", "objects", place.Bucket, place.Prefix)
	return store, func(from, to string) error {
		path := filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.Link(filepath.Join(root, from), path)
	}
}

// start starts the gateway. The gateway needs extended attributes, which a file system in
// memory may not support. If the start fails in scratch.Root, start tries os.TempDir.
func start() {
	for _, parent := range slices.Compact([]string{scratch.Root(), os.TempDir()}) {
		if shared.err = startBelow(parent); shared.err == nil {
			return
		}
		remove()
	}
}

func startBelow(parent string) (err error) {
	if shared.dir, shared.lock, err = scratch.Claim(parent, "ace-embedded-"); err != nil {
		return err
	}
	shared.gateway, err = gateway.Start(context.Background(), gateway.Options{
		Dir: filepath.Join(shared.dir, "gateway"), Log: slog.New(slog.DiscardHandler),
	})
	return err
}

func stop() (err error) {
	if shared.gateway != nil {
		err = shared.gateway.Close(context.Background())
	}
	remove()
	return err
}

func remove() {
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	if shared.lock != nil {
		shared.lock.Close()
	}
}
