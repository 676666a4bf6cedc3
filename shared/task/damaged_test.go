package task_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"ace/shared/archive"
	"ace/shared/task"
)

// One damaged record hides no other task, and stops neither the deletion of old tasks nor
// a rebuild of the lists. Its entry stays.
func TestRegistry_ADamagedRecordConcernsNoOtherTask(t *testing.T) {
	for name, body := range map[string][]byte{
		"empty":      {},
		"truncated":  []byte(`{"task_id": "td_2024`),
		"other type": []byte(`{"task_id": 5}`),
		"an array":   []byte(`[]`),
		"no task":    []byte(`{}`),
		"other task": []byte(`{"task_id": "td_20240315_000009", "status": "COMPLETED"}`),
		"not JSON":   []byte("\x00\xff<html>"),
		"33 MiB":     append(append([]byte(`{"error": "`), bytes.Repeat([]byte("x"), 33<<20)...), `"}`...),
		"deep":       bytes.Repeat([]byte("["), 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			r, store := newRegistry(t)
			var ids []string
			for range 3 {
				rec := create(t, r, diffOf("public.users"))
				end(t, acquire(t, r, rec.TaskID, "host-1"))
				ids = append(ids, rec.TaskID)
			}
			open := create(t, r, diffOf("public.users"))
			for _, id := range []string{ids[1], open.TaskID} {
				if _, err := store.Put(t.Context(), archive.TaskKey(id), "application/json", body); err != nil {
					t.Fatal(err)
				}
			}
			others := []string{ids[0], ids[2]}

			check := func(t *testing.T) {
				t.Helper()
				for _, f := range []task.Filter{{}, {ClusterName: "my_cluster"}, {TableName: "public.users"}, {Status: task.Completed}, {Type: task.TableDiff}, {Clusters: []string{"my_cluster"}}} {
					page, err := r.List(t.Context(), f)
					if got := idsOf(page.Records); err != nil || !sameSet(got, others) {
						t.Errorf("%+v: listed %v, %v, want %v", f, got, err, others)
					}
					if got := idsOfUnreadable(page); !sameSet(got, []string{ids[1], open.TaskID}) {
						t.Errorf("%+v: the unreadable tasks are %v", f, got)
					}
				}
			}
			check(t)
			if page, err := r.List(t.Context(), task.Filter{Status: task.Queued, Type: task.TableRepair}); err != nil || len(page.Records)+len(page.Unreadable) > 0 {
				t.Errorf("of the open repairs %+v are listed, %v", page, err)
			}
			if page, err := r.List(t.Context(), task.Filter{Status: task.Queued}); err != nil || len(page.Records) > 0 || !slices.Equal(idsOfUnreadable(page), []string{open.TaskID}) {
				t.Errorf("of the open tasks %+v are listed, %v", page, err)
			}

			var old []string
			for rec, err := range r.EndedBefore(t.Context(), noon.Add(time.Hour)) {
				if err != nil {
					t.Fatal(err)
				}
				old = append(old, rec.TaskID)
			}
			if !sameSet(old, others) {
				t.Errorf("the old tasks are %v, want %v", old, others)
			}

			if n, err := r.Reindex(t.Context()); err != nil || n != 2 {
				t.Errorf("reindexed %d tasks, %v", n, err)
			}
			check(t)
		})
	}
}

// A caller who may see some clusters learns nothing of damaged tasks of others.
func TestList_ADamagedTaskOfAnotherClusterIsNotListed(t *testing.T) {
	r, store := newRegistry(t)
	ended := create(t, r, diffOf("public.users"))
	end(t, acquire(t, r, ended.TaskID, "host-1"))
	open := create(t, r, diffOf("public.users"))
	for _, id := range []string{ended.TaskID, open.TaskID} {
		if _, err := store.Put(t.Context(), archive.TaskKey(id), "application/json", []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	many := []string{"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12", "c13", "c14", "c15", "c16"}
	for _, f := range []task.Filter{
		{Clusters: []string{"other"}}, {Clusters: []string{}}, {Clusters: many}, {Clusters: many, Status: task.Queued},
		{Clusters: []string{"other"}, Status: task.Queued}, {ClusterName: "other"}, {ClusterName: "other", Status: task.Queued},
	} {
		if page, err := r.List(t.Context(), f); err != nil || len(page.Records)+len(page.Unreadable) > 0 {
			t.Errorf("%+v: listed %+v, %v", f, page, err)
		}
	}
}

func idsOfUnreadable(page task.Page) (ids []string) {
	for _, u := range page.Unreadable {
		ids = append(ids, u.TaskID)
	}
	return ids
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// The list of earlier versions has the tasks of all clusters, so a damaged task in it is
// named only in the list of all tasks.
func TestList_ADamagedTaskInTheFlatListIsNamedOnlyWithoutAFilter(t *testing.T) {
	_, store := newRegistry(t)
	r, records := listed(t, store, 4)
	for _, rec := range records {
		flatten(t, store, rec)
		if _, err := store.Put(t.Context(), archive.TaskKey(rec.TaskID), "application/json", []byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []task.Filter{
		{Clusters: []string{"other"}}, {ClusterName: "other", Clusters: []string{"other"}}, {Clusters: []string{}}, {ClusterName: "other"}, {TableName: "public.other"},
	} {
		if page, err := r.List(t.Context(), f); err != nil || len(page.Records)+len(page.Unreadable) > 0 {
			t.Errorf("%+v: listed %+v, %v", f, page, err)
		}
	}
	if page, err := r.List(t.Context(), task.Filter{}); err != nil || len(page.Unreadable) != len(records) {
		t.Errorf("listed %+v, %v", page, err)
	}
}

// A damaged open marker only loses its time, which orders tasks of the same second.
func TestOpen_ADamagedMarkerHidesNoTask(t *testing.T) {
	r, store := newRegistry(t)
	a, b := create(t, r, diffOf("public.users")), create(t, r, diffOf("public.users"))
	if _, err := store.Put(t.Context(), archive.OpenKey(a.TaskID), "application/json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	if ids, err := r.Open(t.Context()); err != nil || !sameSet(ids, []string{a.TaskID, b.TaskID}) {
		t.Errorf("the open tasks are %v, %v", ids, err)
	}
}
