package diffindex_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/diffindex"
)

// The names sort before and after the slash of a directory, and one name is too long for
// a key.
func TestTables_ReturnsTheNewestTasksOfEachTable(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		want := map[string]bool{}
		n := 0
		for _, cluster := range []string{"demo", "demo-2", "demo0"} {
			for _, table := range []string{"public.a", "public.a-b", "public.a0", "public.a.b", `"` + strings.Repeat("ä", 31) + `"."` + strings.Repeat("%", 63) + `"`} {
				var ids []string
				for i := range 2 {
					n++
					rec := completed(t, store, n, cluster, table, noon.Add(time.Duration(i)*30*time.Hour))
					add(t, x, rec)
					ids = append(ids, rec.TaskID)
				}
				slices.Reverse(ids)
				want[fmt.Sprint(ids[:1])] = true
			}
		}

		got := map[string]bool{}
		before := store.Count(faulty.List, "")
		err := x.Tables(t.Context(), 1, func(ids []string) bool {
			got[fmt.Sprint(ids)] = true
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
		// One for each cluster, before and after the list of all its tables.
		if lists := store.Count(faulty.List, "") - before; lists > 5 {
			t.Errorf("%d tables need %d listings", len(want), lists)
		}

		calls := 0
		err = x.Tables(t.Context(), 2, func([]string) bool {
			calls++
			return false
		})
		if err != nil || calls != 1 {
			t.Errorf("after the first table was refused: %d calls, %v", calls, err)
		}
	})
}

func TestTables_ReportsAnErrorOfTheStore(t *testing.T) {
	store := newStore(t)
	store.On(faulty.List, "", faulty.Always(faulty.FailBefore))
	if err := diffindex.New(store).Tables(t.Context(), 2, func([]string) bool { return true }); err == nil {
		t.Error("no error")
	}
}

// The entries of a table with many documents are not all listed.
func TestTables_SkipsLongLists(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	for n := range 600 {
		add(t, x, completed(t, store, n, "demo", []string{"public.a", "public.b"}[n/500], noon.Add(time.Duration(n)*time.Minute)))
	}
	listed := 0
	counting := &listing{Store: store, listed: &listed}
	var got [][]string
	err := diffindex.New(counting).Tables(t.Context(), 2, func(ids []string) bool {
		got = append(got, ids)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"td_20240315_000499", "td_20240315_000498"}, {"td_20240315_000599", "td_20240315_000598"}}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if listed > 300 {
		t.Errorf("%d entries were listed", listed)
	}
}

// listing counts the objects that a store lists.
type listing struct {
	archive.Store
	listed *int
}

func (l *listing) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	return l.Store.List(ctx, prefix, after, func(info archive.Info) bool {
		*l.listed++
		return fn(info)
	})
}

func TestSince_ReturnsTheNewestTasks(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		for n := range 5 {
			add(t, x, completed(t, store, n, "demo", "public.a", noon.Add(time.Duration(n)*time.Hour)))
		}
		for limit, want := range map[int][]string{2: {"td_20240315_000004", "td_20240315_000003"}, 10: {"td_20240315_000004", "td_20240315_000003", "td_20240315_000002"}} {
			got, err := x.Since(t.Context(), noon.Add(2*time.Hour), limit)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("limit %d: got %v, %v, want %v", limit, got, err, want)
			}
		}
		if _, err := x.Since(t.Context(), noon, 5000); err == nil {
			t.Error("a limit of 5000 is accepted")
		}
	})
}
