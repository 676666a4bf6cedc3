package task_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// A newer version of the program has stored a task whose record has a member of another
// type. This version must not run, change or delete the task.
func TestRegistry_LeavesATaskOfANewerFormatAlone(t *testing.T) {
	r, store := newRegistry(t)
	rec := create(t, r, diffOf("public.users"))
	other := create(t, r, diffOf("public.orders"))
	newer := map[string]any{"format": task.CurrentFormat + 1, "task_id": rec.TaskID, "status": "COMPLETED", "attempts": "two", "finished_at": noon.Add(-time.Hour)}
	body, err := json.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), archive.TaskKey(rec.TaskID), "application/json", body); err != nil {
		t.Fatal(err)
	}

	const want = " has format 2, and this version of ACE knows formats up to 1: a newer version has stored it"
	_, got := r.Get(t.Context(), rec.TaskID)
	_, acquired := r.Acquire(t.Context(), rec.TaskID, "me", task.AcquireOptions{TakeOver: true})
	_, cancelled := r.RequestCancel(t.Context(), rec.TaskID)
	for name, err := range map[string]error{"Get": got, "Acquire": acquired, "RequestCancel": cancelled} {
		if !errors.Is(err, task.ErrNewer) || fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.PublicMessage(err), "task "+rec.TaskID+want) {
			t.Errorf("%s: %v", name, err)
		}
	}

	for _, f := range []task.Filter{{}, {Status: task.Queued}} {
		page, err := r.List(t.Context(), f)
		if err != nil || !slices.Equal(idsOf(page.Records), []string{other.TaskID}) ||
			len(page.Unreadable) != 1 || page.Unreadable[0].TaskID != rec.TaskID || !errors.Is(page.Unreadable[0].Err, task.ErrNewer) {
			t.Errorf("%+v: listed %+v, %v", f, page, err)
		}
	}
	for old, err := range r.EndedBefore(t.Context(), noon.Add(time.Hour)) {
		t.Errorf("retention deletes %s, %v", old.TaskID, err)
	}
	object, err := store.Get(t.Context(), archive.TaskKey(rec.TaskID))
	if err != nil {
		t.Fatal(err)
	}
	defer object.Body.Close()
	if stored, _ := io.ReadAll(object.Body); !bytes.Equal(stored, body) {
		t.Errorf("the record is now %s", stored)
	}
	if _, err := store.Stat(t.Context(), archive.OpenKey(rec.TaskID)); err != nil {
		t.Errorf("the open marker: %v", err)
	}
}

// Records of every earlier format can be read. testdata/record.json is of format 0, so it
// has no member format.
func TestRegistry_ReadsRecordsOfEarlierFormats(t *testing.T) {
	r, store := newRegistry(t)
	golden, err := os.ReadFile(filepath.Join("testdata", "record.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfAbsent(t.Context(), archive.TaskKey("td_20240315_123456"), "application/json", golden); err != nil {
		t.Fatal(err)
	}
	rec := get(t, r, "td_20240315_123456")
	if rec.Format != 0 || rec.Status != task.Completed || rec.Document == nil || rec.Document.Size != 1234 {
		t.Errorf("read %+v", rec)
	}
	if created := create(t, r, diffOf("public.users")); created.Format != task.CurrentFormat {
		t.Errorf("a new task has format %d", created.Format)
	}
}
