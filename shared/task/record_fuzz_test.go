package task_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/task"
)

// A stored record is read, and reads as the same when it is stored again, or the error
// says that it is damaged or of a newer format.
func FuzzRecord(f *testing.F) {
	const id = "td_20240315_123456"
	f.Add([]byte(`{"format":1,"task_id":"` + id + `","task_type":"table-diff","status":"COMPLETED","attempts":1,"parameters":{"a":[1]},"finished_at":"2024-03-15T12:34:56Z"}`))
	f.Add([]byte(`{"format":2,"attempts":"two"}`))
	f.Add([]byte(`{"format":1e400,"status":1}`))
	f.Add([]byte(`{"task_id":"x","task_id":"y"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		store := memstore.New(t)
		r := task.NewRegistry(store, nil)
		read := func(body []byte) (task.Record, error) {
			if _, err := store.Put(t.Context(), archive.TaskKey(id), "application/json", body); err != nil {
				t.Fatal(err)
			}
			return r.Get(t.Context(), id)
		}
		rec, err := read(body)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.Internal && !errors.Is(err, task.ErrNewer) {
				t.Errorf("%q returns %v", body, err)
			}
			return
		}
		again, err := json.Marshal(rec)
		if err != nil {
			return // such as a year that JSON cannot have
		}
		if other, err := read(again); err != nil || !cmp.Equal(rec.Status, other.Status) || rec.TaskID != other.TaskID || rec.Attempts != other.Attempts {
			t.Errorf("%q is read as %+v, and again as %+v, %v", body, rec, other, err)
		}
	})
}
