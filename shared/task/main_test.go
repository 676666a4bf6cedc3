package task_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/local/gateway"
	"ace/shared/archive/faulty"
	"ace/shared/archive/s3"
	"ace/shared/fault"
	"ace/shared/task"
)

var update = flag.Bool("update", false, "write the golden files anew")

// server is what all tests share: one gateway, because a process has one, and the place of the goldens, because the
// gateway changes the working directory.
var server struct {
	options  s3.Options
	testdata string
	prefixes atomic.Int64
}

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ace-task-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		server.testdata, err = filepath.Abs("testdata")
	}
	if err != nil {
		return fail("no directory for the object store", err)
	}
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

var noon = time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)

func atNoon() time.Time { return noon }

func newRegistry(t *testing.T) (*task.Registry, *faulty.Store) {
	t.Helper()
	store := newStore(t)
	return task.NewRegistry(store, atNoon), store
}

func diffOf(table string) task.New {
	return task.New{
		Type: task.TableDiff, ClusterName: "my_cluster", DBName: "app", TableName: table,
		Parameters: json.RawMessage(`{"block_rows":10000}`),
	}
}

func create(t *testing.T, r *task.Registry, n task.New) task.Record {
	t.Helper()
	rec, err := r.Create(t.Context(), n)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return rec
}

func acquire(t *testing.T, r *task.Registry, id, owner string) *task.Held {
	t.Helper()
	held, err := r.Acquire(t.Context(), id, owner, task.AcquireOptions{})
	if err != nil {
		t.Fatalf("Acquire: %v", err)
	}
	return held
}

func get(t *testing.T, r *task.Registry, id string) task.Record {
	t.Helper()
	rec, err := r.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return rec
}

func open(t *testing.T, r *task.Registry) []string {
	t.Helper()
	ids, err := r.Open(t.Context())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return ids
}

func wantCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("got error %v (code %q), want code %q", err, fault.CodeOf(err), code)
	}
}
