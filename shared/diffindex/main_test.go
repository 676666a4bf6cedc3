package diffindex_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(memstore.New(t))
}

// stores are the stores that onEveryStore uses; servers_test.go adds a server.
var stores = map[string]func(t testing.TB) archive.Store{
	"in memory": func(t testing.TB) archive.Store { return memstore.New(t) },
}

// onEveryStore runs a test on each store.
func onEveryStore(t *testing.T, test func(t *testing.T, store *faulty.Store)) {
	t.Helper()
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { test(t, faulty.Wrap(open(t))) })
	}
}

var noon = time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)

// verdictOf returns the verdict of the n-th document: that of every third one is match.
func verdictOf(n int) string {
	if n%3 == 0 {
		return "match"
	}
	return "differ"
}

// completed stores a document and returns the record of its task.
func completed(t testing.TB, store archive.Store, n int, cluster, table string, finished time.Time) task.Record {
	t.Helper()
	id := fmt.Sprintf("td_20240315_%06d", n)
	key := archive.DiffKey(id, noon, "json")
	if _, err := store.Put(context.Background(), key, "application/json", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return task.Record{
		TaskID: id, Type: task.TableDiff, Status: task.Completed, SubmittedAt: noon, FinishedAt: &finished,
		ClusterName: cluster, DBName: "app", TableName: table, Document: &task.Document{Key: key, Size: 2, SHA256: "ab"},
		Result: json.RawMessage(`{"diff_file": "` + key + `", "verdict": "` + verdictOf(n) + `", "total_rows": 10, "mismatched_rows": 3}`),
	}
}
