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
	"ace/shared/fault"
	"ace/shared/task"
)

// seven stores tasks a minute apart, alternating between two tables; the second is
// cancelled.
func seven(t *testing.T) (r *task.Registry, newestFirst []string) {
	t.Helper()
	now := noon
	r = task.NewRegistry(newStore(t), func() time.Time { return now })
	for i := range 7 {
		rec := create(t, r, diffOf(fmt.Sprintf("public.t%d", i%2)))
		newestFirst = append([]string{rec.TaskID}, newestFirst...)
		now = now.Add(time.Minute)
	}
	if _, err := r.RequestCancel(t.Context(), newestFirst[5]); err != nil {
		t.Fatal(err)
	}
	return r, newestFirst
}

func TestList_FiltersAndReturnsTheNewestFirst(t *testing.T) {
	r, ids := seven(t)
	for _, tt := range []struct {
		name   string
		filter task.Filter
		want   []string
	}{
		{"everything", task.Filter{}, ids},
		{"one table", task.Filter{TableName: "public.t0"}, []string{ids[0], ids[2], ids[4], ids[6]}},
		{"one cluster", task.Filter{ClusterName: "my_cluster"}, ids},
		{"another cluster", task.Filter{ClusterName: "other"}, nil},
		{"one status", task.Filter{Status: task.Cancelled}, []string{ids[5]}},
		{"table and status", task.Filter{TableName: "public.t1", Status: task.Queued}, []string{ids[1], ids[3]}},
		{"the newest two", task.Filter{Limit: 2}, ids[:2]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			page, err := r.List(t.Context(), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := idsOf(page.Records); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestList_FiltersByTypeAndFindsUndosOfEarlierVersions(t *testing.T) {
	now := noon
	store := newStore(t)
	r := task.NewRegistry(store, func() time.Time { return now })
	ids := map[task.Type][]string{}
	for _, typ := range append(task.Types(), task.Types()...) {
		n := diffOf("public.users")
		n.Type = typ
		ids[typ] = append([]string{create(t, r, n).TaskID}, ids[typ]...)
		now = now.Add(time.Minute)
	}

	old := olderUndo(t, r, store)
	ids[task.TableUndo] = append([]string{old}, ids[task.TableUndo]...)
	for _, typ := range task.Types() {
		for _, f := range []task.Filter{{Type: typ}, {Type: typ, TableName: "public.users", Status: task.Queued}} {
			if page, err := r.List(t.Context(), f); err != nil || page.Next != "" || !slices.Equal(idsOf(page.Records), ids[typ]) {
				t.Errorf("%+v lists %v, next %q, %v; want %v", f, idsOf(page.Records), page.Next, err, ids[typ])
			}
		}
	}

	if rec, err := r.RequestCancel(t.Context(), old); err != nil || rec.Status != task.Cancelled || rec.Type != task.TableUndo {
		t.Errorf("the undo of an earlier version is %+v, %v", rec, err)
	}
}

func TestList_SkipsObjectsThatAreNoEntries(t *testing.T) {
	store := newStore(t)
	r := task.NewRegistry(store, func() time.Time { return noon })
	want := create(t, r, diffOf("public.users")).TaskID
	for _, name := range []string{"0", "x", "9", "8203984432879-td_x", "82039/84432879-td_x"} { // before and after the entry of the task
		for _, list := range []string{archive.FlatTaskIndexPrefix, archive.TaskIndexPrefix("", ""), archive.TaskIndexPrefix("", "public.users")} {
			if _, err := store.Put(t.Context(), list+name, "text/plain", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range []task.Filter{{}, {Type: task.TableDiff}, {TableName: "public.users"}} {
		if page, err := r.List(t.Context(), f); err != nil || page.Next != "" || !slices.Equal(idsOf(page.Records), []string{want}) {
			t.Errorf("%+v lists %v, next %q, %v", f, idsOf(page.Records), page.Next, err)
		}
	}
}

// olderUndo stores an undo as earlier versions did: its id begins with tr_, and its entry
// in the list has no type. It returns the id.
func olderUndo(t *testing.T, r *task.Registry, store archive.Store) string {
	t.Helper()
	n := diffOf("public.users")
	n.Type = task.TableRepair
	rec := create(t, r, n)
	rec.Type = task.TableUndo
	entries := map[string]any{archive.TaskKey(rec.TaskID): rec}
	err := store.List(t.Context(), archive.TaskIndexRoot, "", func(info archive.Info) bool {
		if strings.HasSuffix(info.Key, rec.TaskID) {
			entries[info.Key] = map[string]string{"task_id": rec.TaskID, "cluster_name": rec.ClusterName, "dbname": rec.DBName, "table_name": rec.TableName}
		}
		return true
	})
	if err != nil || len(entries) != 5 {
		t.Fatalf("found %v, %v", entries, err)
	}
	for key, value := range entries {
		body, err := json.Marshal(value)
		if err == nil {
			_, err = store.Put(t.Context(), key, "application/json", body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return rec.TaskID
}

func TestList_PagesCoverEverythingOnce(t *testing.T) {
	r, ids := seven(t)
	for limit := 1; limit <= 8; limit++ {
		var got []string
		filter := task.Filter{Limit: limit}
		for {
			page, err := r.List(t.Context(), filter)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, idsOf(page.Records)...)
			if page.Next == "" {
				break
			}
			filter.After = page.Next
		}
		if !slices.Equal(got, ids) {
			t.Errorf("pages of %d have %v, want %v", limit, got, ids)
		}
	}
}

func TestList_RefusesInvalidFilters(t *testing.T) {
	r, _ := newRegistry(t)
	for _, f := range []task.Filter{{Limit: -1}, {Limit: 1001}, {Status: "DONE"}, {Type: "table-fix"}, {After: "../x"}} {
		_, err := r.List(t.Context(), f)
		wantCode(t, err, fault.Invalid)
	}
}

func TestList_IncludesATaskWithoutAnIndexEntryOnceItIsAcquired(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.Put, "index/", faulty.First(1, faulty.FailBefore))
	rec := create(t, r, diffOf("public.users"))
	acquire(t, r, rec.TaskID, "host-1")
	page, err := r.List(t.Context(), task.Filter{TableName: "public.users"})
	if err != nil || !slices.Equal(idsOf(page.Records), []string{rec.TaskID}) {
		t.Errorf("listed %v, %v; want %s", idsOf(page.Records), err, rec.TaskID)
	}
}

func TestOpen_ReturnsTheOldestSubmissionFirst(t *testing.T) {
	now := noon
	r := task.NewRegistry(newStore(t), func() time.Time { return now })
	var want []string
	// Submit four tasks in one second, diffs and repairs in turn, and two in the next
	// second.
	for i := range 6 {
		n := diffOf("public.users")
		if i%2 == 1 {
			n.Type = task.TableRepair
		}
		want = append(want, create(t, r, n).TaskID)
		now = now.Add(70 * time.Millisecond)
	}
	if got := open(t, r); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func idsOf(records []task.Record) []string {
	var ids []string
	for _, rec := range records {
		ids = append(ids, rec.TaskID)
	}
	return ids
}
