package task_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/task"
)

// listed stores n tasks a minute apart, of two tables and two clusters in turn, and
// returns their records, the newest first.
func listed(t *testing.T, store archive.Store, n int) (*task.Registry, []task.Record) {
	t.Helper()
	now := noon
	r := task.NewRegistry(store, func() time.Time { return now })
	var records []task.Record
	for i := range n {
		of := diffOf(fmt.Sprintf("public.t%d", i%2))
		of.ClusterName = fmt.Sprintf("cluster%d", i/2%2)
		records = append([]task.Record{create(t, r, of)}, records...)
		now = now.Add(time.Minute)
	}
	return r, records
}

// flatten replaces the entries of a task by that of an earlier version.
func flatten(t *testing.T, store archive.Store, rec task.Record) {
	t.Helper()
	for _, key := range keysOf(t, store, archive.TaskIndexRoot) {
		if strings.HasSuffix(key, rec.TaskID) {
			if err := store.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
	}
	body, err := json.Marshal(map[string]string{"task_id": rec.TaskID, "cluster_name": rec.ClusterName, "dbname": rec.DBName, "table_name": rec.TableName})
	if err == nil {
		name := fmt.Sprintf("%013d-%s", 9_999_999_999_999-rec.SubmittedAt.UnixMilli(), rec.TaskID)
		_, err = store.Put(t.Context(), "index/_tasks/"+name, "application/json", body)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func keysOf(t *testing.T, store archive.Store, prefix string) []string {
	t.Helper()
	var keys []string
	err := store.List(t.Context(), prefix, "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// everyPage lists what passes a filter, page by page.
func everyPage(t *testing.T, r *task.Registry, f task.Filter) []string {
	t.Helper()
	var ids []string
	for {
		page, err := r.List(t.Context(), f)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		ids = append(ids, idsOf(page.Records)...)
		if page.Next == "" {
			return ids
		}
		f.After = page.Next
	}
}

// checkLists compares the pages of all filters with the records.
func checkLists(t *testing.T, r *task.Registry, records []task.Record) {
	t.Helper()
	for _, f := range []task.Filter{
		{},
		{TableName: "public.t0"},
		{ClusterName: "cluster1"},
		{ClusterName: "cluster1", TableName: "public.t0"},
		{Clusters: []string{"cluster0"}},
		{Clusters: []string{"cluster1", "other", "cluster0"}, TableName: "public.t1"},
		{Clusters: []string{}},
		{Status: task.Cancelled},
		{Status: task.Queued, TableName: "public.t0"},
	} {
		var want []string
		for _, rec := range records {
			if (f.TableName == "" || f.TableName == rec.TableName) && (f.ClusterName == "" || f.ClusterName == rec.ClusterName) &&
				(f.Clusters == nil || slices.Contains(f.Clusters, rec.ClusterName)) && (f.Status == "" || f.Status == rec.Status) {
				want = append(want, rec.TaskID)
			}
		}
		for _, limit := range []int{1, 3, 100} {
			f.Limit = limit
			if got := everyPage(t, r, f); !slices.Equal(got, want) {
				t.Fatalf("%+v lists %v, want %v", f, got, want)
			}
		}
	}
}

// cancelled cancels every third task and returns the current records.
func cancelled(t *testing.T, r *task.Registry, records []task.Record) []task.Record {
	t.Helper()
	records = slices.Clone(records)
	for i := 0; i < len(records); i += 3 {
		rec, err := r.RequestCancel(t.Context(), records[i].TaskID)
		if err != nil {
			t.Fatal(err)
		}
		records[i] = rec
	}
	return records
}

func TestList_HasTheTasksInTheListOfEarlierVersions(t *testing.T) {
	store := newStore(t)
	r, records := listed(t, store, 20)
	records = cancelled(t, r, records)
	for i, rec := range records {
		if i%4 < 2 { // both lists have older and newer tasks than the other
			flatten(t, store, rec)
		}
	}
	checkLists(t, r, records)

	// A client that began with an earlier version has a cursor of that version.
	page, err := r.List(t.Context(), task.Filter{After: fmt.Sprintf("%013d-%s", 9_999_999_999_999-records[4].SubmittedAt.UnixMilli(), records[4].TaskID)})
	if err != nil || len(page.Records) != 15 || page.Records[0].TaskID != records[5].TaskID {
		t.Errorf("listed %v after %s, %v", idsOf(page.Records), records[4].TaskID, err)
	}
}

// The move is interrupted after every call of the store in turn. No task is ever hidden
// or listed twice.
func TestMoveIndex_HidesNoTaskWhereverItIsInterrupted(t *testing.T) {
	for _, op := range []faulty.Op{faulty.Put, faulty.Delete, faulty.Get} {
		for _, when := range []faulty.Outcome{faulty.FailBefore, faulty.FailAfter} {
			store := newStore(t)
			r, records := listed(t, store, 8)
			records = cancelled(t, r, records)
			for _, rec := range records {
				flatten(t, store, rec)
			}
			for n := 0; ; n++ {
				store.On(op, "index/", faulty.Nth(n+1, when))
				_, err := r.MoveIndex(t.Context())
				store.Heal()
				checkLists(t, r, records)
				if err == nil {
					break
				}
			}
			if left := keysOf(t, store, "index/_tasks/"); len(left) > 0 {
				t.Errorf("these entries were not moved: %v", left)
			}
			if keys := keysOf(t, store, archive.TaskIndexRoot); len(keys) != 4*len(records) {
				t.Errorf("%d entries for %d tasks: %v", len(keys), len(records), keys)
			}
		}
	}
}

func TestList_APageReadsOnlyItsOwnRecordsAndEachOnce(t *testing.T) {
	store := newStore(t)
	r, records := listed(t, store, 120)
	for _, rec := range records[2:] {
		if _, err := r.RequestCancel(t.Context(), rec.TaskID); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []task.Filter{
		{Limit: 20},
		{Limit: 20, TableName: "public.t0"},
		{Limit: 20, ClusterName: "cluster1"},
		{Limit: 20, ClusterName: "cluster1", TableName: "public.t1"},
		{Limit: 20, Clusters: []string{"cluster1"}},
		{Limit: 20, Status: task.Queued},
	} {
		reader := task.NewRegistry(store, atNoon) // has read nothing before
		want := min(20, len(everyPage(t, reader, task.Filter{Limit: 20, Status: f.Status})))
		reader = task.NewRegistry(store, atNoon)
		for again, most := range []int{want, 2} { // two tasks have not ended: they are read again
			if f.Status != "" {
				most = 4 // the records of open tasks are read to order them
			}
			before := store.Count(faulty.Get, "")
			got, err := reader.List(t.Context(), f)
			if read := store.Count(faulty.Get, "") - before; err != nil || len(got.Records) != want || read > most {
				t.Errorf("%+v, call %d: %d tasks after %d reads, want %d after at most %d; %v", f, again, len(got.Records), read, want, most, err)
			}
		}
	}
}

func TestForget_IsInNoListOnceTheRecordIsGone(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6} {
		store := newStore(t)
		r, records := listed(t, store, 4)
		for _, rec := range records {
			if _, err := r.RequestCancel(t.Context(), rec.TaskID); err != nil {
				t.Fatal(err)
			}
		}
		if n%2 == 0 {
			flatten(t, store, records[1])
		}
		gone, err := r.Get(t.Context(), records[1].TaskID)
		if err != nil {
			t.Fatal(err)
		}
		everyPage(t, r, task.Filter{}) // the records are cached

		store.On(faulty.Delete, "", faulty.Nth(n, faulty.FailBefore))
		failed := r.Forget(t.Context(), gone)
		store.Heal()
		if _, err := r.Get(t.Context(), gone.TaskID); err != nil {
			for _, f := range []task.Filter{{}, {TableName: gone.TableName}, {ClusterName: gone.ClusterName}} {
				if ids := everyPage(t, r, f); slices.Contains(ids, gone.TaskID) {
					t.Errorf("deletion %d failed (%v): %+v lists %v, and the record is gone", n, failed, f, ids)
				}
			}
		}

		for rec, err := range r.EndedBefore(t.Context(), noon.Add(24*time.Hour)) { // as retention does
			if err != nil {
				t.Fatal(err)
			}
			if rec.TaskID == gone.TaskID {
				if err := r.Forget(t.Context(), rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, key := range keysOf(t, store, "index/") {
			if strings.Contains(key, gone.TaskID) {
				t.Errorf("deletion %d failed: %s is left", n, key)
			}
		}
	}
}

func TestReindex_RestoresTheListsFromTheRecords(t *testing.T) {
	store := newStore(t)
	r, records := listed(t, store, 9)
	for _, key := range keysOf(t, store, "index/") {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.Reindex(t.Context()); err != nil || n != len(records) {
		t.Errorf("%d tasks, %v; want %d", n, err, len(records))
	}
	checkLists(t, r, records)
}

// The record could not be deleted, pages are read, and at the next attempt the entry
// cannot be deleted.
func TestForget_IsInNoListAfterItHasFailedTwice(t *testing.T) {
	store := newStore(t)
	r, records := listed(t, store, 2)
	gone, err := r.RequestCancel(t.Context(), records[0].TaskID)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{archive.TaskKey(gone.TaskID), archive.TaskIndexPrefix("", "")} {
		store.On(faulty.Delete, prefix, faulty.Always(faulty.FailBefore))
		if err := r.Forget(t.Context(), gone); err == nil {
			t.Fatalf("the deletion of %s did not fail", prefix)
		}
		store.Heal()
		ids := everyPage(t, r, task.Filter{})
		if _, err := r.Get(t.Context(), gone.TaskID); err != nil && slices.Contains(ids, gone.TaskID) {
			t.Errorf("the list has %v, and the record of %s is gone", ids, gone.TaskID)
		}
	}
}
