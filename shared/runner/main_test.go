package runner_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"ace/local/gateway"
	"ace/shared/archive/faulty"
	"ace/shared/archive/s3"
)

// server is the one gateway that all tests share.
var server struct {
	options  s3.Options
	prefixes atomic.Int64
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ace-runner-test-")
	if err != nil {
		return fail("no directory for the object store", err)
	}
	defer os.RemoveAll(dir)
	gw, err := gateway.Start(ctx, gateway.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fail("the embedded object store does not start", err)
	}
	server.options = gw.S3()
	before := goleak.IgnoreCurrent()
	code := m.Run()
	if err := gw.Close(ctx); err != nil {
		return fail("the embedded object store does not stop", err)
	}
	if err := goleak.Find(before); err != nil {
		return fail("a goroutine is left behind", err)
	}
	return code
}

func fail(what string, err error) int {
	fmt.Fprintln(os.Stderr, what+":", err)
	return 1
}

// newStore gives a part of the bucket of its own to a test.
func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	options := server.options
	options.Prefix = fmt.Sprintf("test-%d", server.prefixes.Add(1))
	store, err := s3.Open(t.Context(), options)
	if err != nil {
		t.Fatalf("the object store does not answer: %v", err)
	}
	t.Cleanup(store.Close)
	return faulty.Wrap(store)
}
