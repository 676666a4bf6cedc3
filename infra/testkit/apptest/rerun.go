package apptest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"testing"

	"ace/shared/api"
	"ace/shared/archive"
)

// SubmitRerun submits a table-rerun of a document and returns the id of the task.
// diffFile names the document by a task id, a key or an address. args are alternately
// names and values of parameters.
func (s *Service) SubmitRerun(t testing.TB, diffFile, tableName string, args ...string) string {
	t.Helper()
	query := url.Values{
		"cluster_name": {s.Cluster.Name}, "table_name": {tableName}, "diff_file": {diffFile}, "confirm_delay": {"0"},
	}
	for i := 0; i+1 < len(args); i += 2 {
		query.Set(args[i], args[i+1])
	}
	var submitted api.Submitted
	s.Get(t, "/ace/table-rerun", query, &submitted)
	return submitted.TaskID
}

// Rerun compares the rows of a document again and reads the new document. A task that
// does not complete fails the test.
func (s *Service) Rerun(t testing.TB, diffFile, tableName string, args ...string) Diff {
	t.Helper()
	status := s.Wait(t, s.SubmitRerun(t, diffFile, tableName, args...))
	if status.Status != api.StatusCompleted {
		t.Fatalf("table-rerun of %s %v ended %s: %s", diffFile, args, status.Status, status.Error)
	}
	return s.Document(t, status)
}

// FailRerun compares the rows of a document again and returns the error of the task. A
// task that does not end FAILED fails the test.
func (s *Service) FailRerun(t testing.TB, diffFile, tableName string, args ...string) string {
	t.Helper()
	status := s.Wait(t, s.SubmitRerun(t, diffFile, tableName, args...))
	if status.Status != api.StatusFailed || status.Error == "" {
		t.Fatalf("table-rerun of %s %v ended %s (%q), want FAILED with an error", diffFile, args, status.Status, status.Error)
	}
	return status.Error
}

// Import stores a document under the same key as an import through the API. It returns
// this key, which is the value of diff_file for the document.
func (s *Service) Import(t testing.TB, body []byte) string {
	t.Helper()
	sum := sha256.Sum256(body)
	key := archive.ImportPrefix + hex.EncodeToString(sum[:]) + ".json"
	if _, err := s.Store.Put(t.Context(), key, "application/json", body); err != nil {
		t.Fatal(err)
	}
	return key
}
