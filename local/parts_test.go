//go:build !unit

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/table"
)

// stored is the state of a part in the store at some moment: its version and its totals.
type stored struct {
	version string // changes when the object is written again
	totals  struct {
		Range       table.Range `json:"range"`
		RowsPerNode []int64     `json:"rows_per_node"`
		Keys        int64       `json:"keys"`
	}
}

// read decodes the totals in the last line of a part.
func (s *stored) read(t testing.TB, body []byte) {
	t.Helper()
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	var seal struct {
		Totals json.RawMessage `json:"totals"`
	}
	err := json.Unmarshal(lines[len(lines)-1], &seal)
	if err == nil {
		err = json.Unmarshal(seal.Totals, &s.totals)
	}
	if err != nil {
		t.Fatalf("a part ends with %s: %v", lines[len(lines)-1], err)
	}
}

// partFiles lists the finished parts of a task's first pass as files of the
// archive.
func (h home) partFiles(t testing.TB, id string) []string {
	t.Helper()
	files, err := filepath.Glob(h.object(archive.PartsPrefix(id, "compare")) + "*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// parts returns the parts of a task's first pass from the files of the archive.
func (h home) parts(t testing.TB, id string) map[string]stored {
	t.Helper()
	parts := map[string]stored{}
	for _, path := range h.partFiles(t, id) {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		part := stored{version: info.ModTime().String()}
		part.read(t, body)
		parts[path] = part
	}
	return parts
}

// checkKept checks, as long as the task runs, that the parts in before stay unchanged. It
// returns how many checks found all of them.
func (s *service) checkKept(t testing.TB, id string, before map[string]stored) (looks int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), taskTimeout)
	defer cancel()
	for ctx.Err() == nil {
		all := true
		for path, part := range before {
			info, err := os.Stat(path)
			all = all && err == nil
			if err == nil && info.ModTime().String() != part.version {
				t.Errorf("part %s was written again", filepath.Base(path))
			}
		}
		if all {
			looks++
		}
		if status := s.status(t, id); !status.FinishedAt.IsZero() {
			return looks
		}
		time.Sleep(poll)
	}
	return looks
}

// bucketParts returns the parts of a task's first pass from any store.
func bucketParts(t testing.TB, store archive.Store, id string) map[string]stored {
	t.Helper()
	parts := map[string]stored{}
	for _, key := range keys(t, store, archive.PartsPrefix(id, "compare")) {
		info, err := store.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		part := stored{version: info.ETag + info.LastModified.String()}
		part.read(t, content(t, store, key))
		parts[key] = part
	}
	return parts
}

// rowsOf adds up the rows of a node that parts have compared.
func rowsOf(parts map[string]stored, node int) int64 {
	var sum int64
	for _, part := range parts {
		sum += part.totals.RowsPerNode[node]
	}
	return sum
}

// content reads an object of any store.
func content(t testing.TB, store archive.Store, key string) []byte {
	t.Helper()
	object, err := store.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
