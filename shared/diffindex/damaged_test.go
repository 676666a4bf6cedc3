package diffindex_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/diffindex"
)

// damaged returns contents that no program has stored as an entry.
func damaged() map[string][]byte {
	return map[string][]byte{
		"empty":       {},
		"truncated":   []byte(`{"task_id": "td_2024`),
		"other type":  []byte(`{"task_id": 5}`),
		"other task":  []byte(`{"task_id": "td_20240315_000002", "key": "diffs/2024-03-15/td_20240315_000002.json"}`),
		"no document": []byte(`{"task_id": "td_20240315_000001"}`),
		"other place": []byte(`{"task_id": "td_20240315_000001", "key": "tasks/td_20240315_000001/task.json"}`),
		"33 MiB":      append(append([]byte(`{"verdict": "`), bytes.Repeat([]byte("x"), 33<<20)...), `"}`...),
		"deep":        bytes.Repeat([]byte("["), 100_000),
	}
}

// Instead of a damaged entry, the list has what the task's record says. If that is
// damaged too, the list says so. Other documents are listed as always.
func TestList_ADamagedEntryConcernsNoOtherDocument(t *testing.T) {
	for name, body := range damaged() {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			x := diffindex.New(store)
			var ids []string
			for n := range 3 {
				rec := completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(-n)*time.Second))
				content, err := json.Marshal(rec)
				if err != nil {
					t.Fatal(err)
				}
				put(t, store, archive.TaskKey(rec.TaskID), content)
				add(t, x, rec)
				ids = append(ids, rec.TaskID)
				if n == 1 {
					for _, key := range indexKeys(t, store) {
						if bytes.HasSuffix([]byte(key), []byte(rec.TaskID)) {
							put(t, store, key, body)
						}
					}
				}
			}

			for _, f := range []diffindex.Filter{{}, {ClusterName: "demo"}, {TableName: "public.users"}, {Verdict: verdictOf(1)}} {
				page, err := x.List(t.Context(), f)
				if err != nil || len(page.Unreadable) > 0 || !slices.Contains(idsOf(page), ids[1]) {
					t.Errorf("%+v: listed %+v, %v", f, page, err)
				}
			}
			if got := pages(t, x, diffindex.Filter{}); !slices.Equal(got, ids) {
				t.Errorf("listed %v, want %v", got, ids)
			}

			put(t, store, archive.TaskKey(ids[1]), body)
			sees := func(string) bool { return true }
			for _, tt := range []struct {
				filter diffindex.Filter
				told   bool
			}{
				{diffindex.Filter{}, true}, {diffindex.Filter{ClusterName: "demo"}, true}, {diffindex.Filter{Sees: sees, ClusterName: "demo"}, true},
				{diffindex.Filter{Sees: sees}, false}, // its cluster is unknown
			} {
				page, err := x.List(t.Context(), tt.filter)
				if got := idsOf(page); err != nil || !slices.Equal(got, []string{ids[0], ids[2]}) {
					t.Errorf("%+v: listed %v, %v", tt.filter, got, err)
				}
				if told := len(page.Unreadable) == 1 && page.Unreadable[0].TaskID == ids[1]; told != tt.told {
					t.Errorf("%+v: the unreadable tasks are %v", tt.filter, page.Unreadable)
				}
			}
		})
	}
}

func idsOf(page diffindex.Page) (ids []string) {
	for _, e := range page.Entries {
		ids = append(ids, e.TaskID)
	}
	return ids
}

func put(t *testing.T, store *faulty.Store, key string, body []byte) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, "application/json", body); err != nil {
		t.Fatal(err)
	}
}
