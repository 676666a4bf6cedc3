package diffindex_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"ace/infra/testkit/embedded"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/minio"
	"ace/shared/archive"
	"ace/shared/task"
)

func TestMain(m *testing.M) { embedded.Main(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(embedded.Store(t))
}

// onBoth runs a test on the embedded store and on MinIO.
func onBoth(t *testing.T, test func(t *testing.T, store *faulty.Store)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, newStore(t)) })
	t.Run("MinIO", func(t *testing.T) { test(t, faulty.Wrap(minio.Start(t).Store(t))) })
}

var noon = time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)

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
		Result: json.RawMessage(`{"diff_file": "` + key + `", "verdict": "differ", "total_rows": 10, "mismatched_rows": 3}`),
	}
}
