//go:build !unit

package app_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// An index stores keys compressed, so the text of a key can be a hundred times as long as
// an entry of the index.
func TestImport_AcceptsADocumentWithLongCompressedKeys(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	for i := range 2 {
		c.Exec(t, i, "CREATE TABLE long (id text COLLATE \"C\" PRIMARY KEY, v text)")
	}
	c.Exec(t, 0, "INSERT INTO long SELECT repeat(chr(96 + i), 190000), repeat('v', 1000000) FROM generate_series(1, 3) i")
	s := apptest.New(t, c, apptest.Options{})
	found := s.Diff(t, "public.long")
	if len(found.Rows) != 3 || len(found.Rows[0].Values["id"]) != 190_000 {
		t.Fatalf("found are %d rows", len(found.Rows))
	}
	answer := s.Mux.Handle(t.Context(), endpoint.Request{Method: "POST", Path: "/ace/diffs", Stream: bytes.NewReader(found.Raw)})
	var imported api.Imported
	if err := json.Unmarshal(answer.Body, &imported); err != nil || answer.Status != 200 {
		t.Fatalf("the import is answered with %d %s", answer.Status, answer.Body)
	}
	if again := s.Rerun(t, imported.DiffFile, "public.long"); again.Result.MismatchedRows != 3 {
		t.Errorf("the rerun finds %d rows", again.Result.MismatchedRows)
	}
}
