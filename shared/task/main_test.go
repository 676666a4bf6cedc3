package task_test

import (
	"encoding/json"
	"flag"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/fault"
	"ace/shared/task"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(memstore.New(t))
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

func acquire(t *testing.T, r *task.Registry, id, owner string) *task.Lease {
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
