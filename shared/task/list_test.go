package task_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
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
			records, _, err := r.List(t.Context(), tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := idsOf(records); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestList_PagesCoverEverythingOnce(t *testing.T) {
	r, ids := seven(t)
	for limit := 1; limit <= 8; limit++ {
		var got []string
		filter := task.Filter{Limit: limit}
		for {
			records, next, err := r.List(t.Context(), filter)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, idsOf(records)...)
			if next == "" {
				break
			}
			filter.After = next
		}
		if !slices.Equal(got, ids) {
			t.Errorf("pages of %d have %v, want %v", limit, got, ids)
		}
	}
}

func TestList_RefusesInvalidFilters(t *testing.T) {
	r, _ := newRegistry(t)
	for _, f := range []task.Filter{{Limit: -1}, {Limit: 1001}, {Status: "DONE"}, {After: "../x"}} {
		_, _, err := r.List(t.Context(), f)
		wantCode(t, err, fault.Invalid)
	}
}

func TestList_IncludesATaskWithoutAnIndexEntryOnceItIsAcquired(t *testing.T) {
	r, store := newRegistry(t)
	store.On(faulty.Put, "index/", faulty.First(1, faulty.FailBefore))
	rec := create(t, r, diffOf("public.users"))
	acquire(t, r, rec.TaskID, "host-1")
	records, _, err := r.List(t.Context(), task.Filter{TableName: "public.users"})
	if err != nil || !slices.Equal(idsOf(records), []string{rec.TaskID}) {
		t.Errorf("listed %v, %v; want %s", idsOf(records), err, rec.TaskID)
	}
}

func TestOpen_ReturnsTheOldestSubmissionFirst(t *testing.T) {
	now := noon
	r := task.NewRegistry(newStore(t), func() time.Time { return now })
	var want []string
	// Four in one second, diffs and repairs in turn, and two in the next.
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
