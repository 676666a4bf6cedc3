package diffindex_test

import (
	"testing"

	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/diffindex"
	"ace/shared/task"
)

// Whatever an entry and the record of its task contain, the list is either the document
// with this id or the statement that it cannot be read.
func FuzzEntry(f *testing.F) {
	const id = "td_20240315_123456"
	const record = `{"task_id":"` + id + `","task_type":"table-diff","status":"COMPLETED","submitted_at":"2024-03-15T12:34:56Z","finished_at":"2024-03-15T12:35:00Z",` +
		`"document":{"key":"diffs/2024-03-15/` + id + `.json","size":2}}`
	for _, entry := range []string{`{"task_id":"` + id + `","key":"diffs/2024-03-15/` + id + `.json"}`, `{"key":"diffs/"}`, `{"key":"diffs/x","finished_at":"x"}`, `{}`, `[`, ``} {
		for _, rec := range []string{record, `{"task_id":"` + id + `"}`, `{"format":9}`, `{`} {
			f.Add([]byte(entry), []byte(rec))
		}
	}
	f.Fuzz(func(t *testing.T, entry, rec []byte) {
		store := memstore.New(t)
		for key, body := range map[string][]byte{
			archive.DiffIndexPrefix("", "") + "08289/49303999-" + id: entry,
			archive.TaskKey(id):                rec,
			"diffs/2024-03-15/" + id + ".json": []byte("{}"),
		} {
			if _, err := store.Put(t.Context(), key, "application/json", body); err != nil {
				t.Fatal(err)
			}
		}
		page, err := diffindex.New(store).List(t.Context(), diffindex.Filter{})
		if err != nil || len(page.Entries)+len(page.Unreadable) > 1 {
			t.Errorf("%q and %q: %+v, %v", entry, rec, page, err)
		}
		for _, e := range page.Entries {
			if e.TaskID != id || e.Key != "diffs/2024-03-15/"+id+".json" {
				t.Errorf("%q and %q: the document %q is listed, and does not exist", entry, rec, e.Key)
			}
		}
		for _, u := range page.Unreadable {
			if u.TaskID != id || !task.IsUnreadable(u.Err) {
				t.Errorf("%q and %q: %+v", entry, rec, u)
			}
		}
	})
}
