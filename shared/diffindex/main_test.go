package diffindex_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"ace/local/gateway"
	"ace/shared/archive"
	"ace/shared/archive/faulty"
	"ace/shared/archive/s3"
	"ace/shared/archive/storetest/minio"
	"ace/shared/task"
)

// server is the one gateway that all tests share.
var server struct {
	options  s3.Options
	prefixes atomic.Int64
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ace-diffindex-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	gw, err := gateway.Start(ctx, gateway.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer gw.Close(ctx) //nolint:errcheck // the tests are over
	server.options = gw.S3()
	return m.Run()
}

// embedded gives a part of the gateway's bucket of its own to a test.
func embedded(t testing.TB) *faulty.Store {
	t.Helper()
	options := server.options
	options.Prefix = fmt.Sprintf("test-%d", server.prefixes.Add(1))
	store, err := s3.Open(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return faulty.Wrap(store)
}

// onBoth runs a test on the embedded store and on MinIO.
func onBoth(t *testing.T, test func(t *testing.T, store *faulty.Store)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, embedded(t)) })
	t.Run("MinIO", func(t *testing.T) { test(t, faulty.Wrap(minio.Start(t).Store(t))) })
}

var noon = time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)

// completed stores a document and gives the record of its task.
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
