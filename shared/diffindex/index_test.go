package diffindex_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/faulty"
	"ace/shared/archive"
	"ace/shared/diffindex"
	"ace/shared/fault"
	"ace/shared/task"
)

// pages returns everything that passes a filter. It reads page by page.
func pages(t rapid.TB, x *diffindex.Index, f diffindex.Filter) []string {
	t.Helper()
	var ids []string
	for {
		page, err := x.List(context.Background(), f)
		if err != nil {
			t.Fatalf("%+v: %v", f, err)
		}
		for _, e := range page.Entries {
			ids = append(ids, e.TaskID)
		}
		if page.Next == "" {
			return ids
		}
		f.After = page.Next
	}
}

func add(t testing.TB, x *diffindex.Index, rec task.Record) {
	t.Helper()
	if err := x.Add(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
}

func all(records ...task.Record) iter.Seq2[task.Record, error] {
	return func(yield func(task.Record, error) bool) {
		for _, rec := range records {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// The entries of the document stay, because this version cannot make them again.
func TestRebuild_SkipsAnUnreadableTask(t *testing.T) {
	for name, unreadable := range map[string]string{"newer": fmt.Sprintf(`{"format": %d, "task_id": 5}`, task.CurrentFormat+1), "damaged": `{"task_id"`} {
		t.Run(name, func(t *testing.T) { rebuildWith(t, []byte(unreadable)) })
	}
}

func rebuildWith(t *testing.T, unreadable []byte) {
	t.Helper()
	store := newStore(t)
	x := diffindex.New(store)
	var records []task.Record
	for n := range 3 {
		rec := completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second))
		body, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			body = unreadable
		}
		if _, err := store.Put(t.Context(), archive.TaskKey(rec.TaskID), "application/json", body); err != nil {
			t.Fatal(err)
		}
		records = append(records, rec)
	}
	add(t, x, records[1])
	for _, key := range indexKeys(t, store)[:2] { // even a damaged entry is better than none
		if _, err := store.Put(t.Context(), key, "application/json", []byte("{")); err != nil {
			t.Fatal(err)
		}
	}

	done, err := x.Rebuild(t.Context(), task.NewRegistry(store, time.Now).All(t.Context()))
	if err != nil || done.Listed != 2 || done.Removed != 0 || len(done.Unreadable) != 1 || done.Unreadable[records[1].TaskID] == nil {
		t.Errorf("rebuilt %+v, %v", done, err)
	}
	if keys := indexKeys(t, store); len(keys) != 3*4 {
		t.Errorf("%d entries: %v", len(keys), keys)
	}
}

func TestList_DescribesADocumentByItsTasksResult(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		add(t, x, completed(t, store, 1, "demo", "public.users", noon))
		page, err := x.List(t.Context(), diffindex.Filter{})
		if err != nil || page.Next != "" || len(page.Entries) != 1 {
			t.Fatalf("listed %+v, %v", page, err)
		}
		want := diffindex.Entry{
			TaskID: "td_20240315_000001", Type: task.TableDiff, ClusterName: "demo", DBName: "app", TableName: "public.users",
			FinishedAt: noon, Verdict: "differ", TotalRows: 10, MismatchedRows: 3,
			DiffFile: "diffs/2024-03-15/td_20240315_000001.json", Key: "diffs/2024-03-15/td_20240315_000001.json", Size: 2,
			Restrictions: &diffindex.Restrictions{},
		}
		if diff := gocmp.Diff(want, page.Entries[0]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestList_PagesHoldEveryMatchOnceAndTheNewestFirst(t *testing.T) {
	clusters := []string{"demo", "branch"}
	tables := []string{"public.users", `"My Schema"."a/b"`, `"` + strings.Repeat("ä", 31) + `"."` + strings.Repeat("%", 63) + `"`}
	store := newStore(t)
	x := diffindex.New(store)
	var records []task.Record
	for n := range 24 { // two of each cluster and table every other millisecond
		finished := noon.Add(time.Duration(n%6*2) * time.Millisecond)
		rec := completed(t, store, n, clusters[n%2], tables[n/2%3], finished)
		add(t, x, rec)
		records = append(records, rec)
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := diffindex.Filter{
			ClusterName: rapid.SampledFrom(append(clusters, "")).Draw(rt, "cluster"),
			TableName:   rapid.SampledFrom(append(tables, "")).Draw(rt, "table"),
			Verdict:     rapid.SampledFrom([]string{"match", "differ", ""}).Draw(rt, "verdict"),
			Limit:       rapid.SampledFrom([]int{1, 3, 12, 100}).Draw(rt, "limit"),
		}
		times := rapid.Custom(func(t *rapid.T) time.Time {
			return noon.Add(time.Duration(rapid.IntRange(-1, 12).Draw(t, "ms")) * time.Millisecond)
		})
		if rapid.Bool().Draw(rt, "bounded below") {
			f.Since = times.Draw(rt, "since")
		}
		if rapid.Bool().Draw(rt, "bounded above") {
			f.Until = times.Draw(rt, "until")
		}
		if got, want := pages(rt, x, f), passing(records, f); !slices.Equal(got, want) {
			rt.Fatalf("%+v returns %v, want %v", f, got, want)
		}
	})
}

// passing computes what List promises, slowly.
func passing(records []task.Record, f diffindex.Filter) []string {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b task.Record) int {
		return cmp.Or(b.FinishedAt.Compare(*a.FinishedAt), strings.Compare(a.TaskID, b.TaskID))
	})
	var ids []string
	for _, rec := range records {
		if (f.Verdict == "" || strings.Contains(string(rec.Result), `"verdict": "`+f.Verdict+`"`)) && (f.ClusterName == "" || f.ClusterName == rec.ClusterName) && (f.TableName == "" || f.TableName == rec.TableName) &&
			(f.Since.IsZero() || !rec.FinishedAt.Before(f.Since)) && (f.Until.IsZero() || rec.FinishedAt.Before(f.Until)) {
			ids = append(ids, rec.TaskID)
		}
	}
	return ids
}

func TestList_OmitsDocumentsThatAreGone(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		for n := range 5 {
			rec := completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second))
			add(t, x, rec)
			if n%2 == 0 {
				if err := store.Delete(t.Context(), rec.Document.Key); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []string{"td_20240315_000003", "td_20240315_000001"}
		for limit := 1; limit <= 6; limit++ {
			if got := pages(t, x, diffindex.Filter{Limit: limit}); !slices.Equal(got, want) {
				t.Errorf("pages of %d hold %v, want %v", limit, got, want)
			}
		}
	})
}

func TestList_AFirstPageCostsOneListingAndTwoRequestsPerEntry(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	for n := range 120 {
		add(t, x, completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second)))
	}
	for name, f := range map[string]diffindex.Filter{
		"the newest": {Limit: 20}, "in the middle": {Limit: 20, Until: noon.Add(60 * time.Second), TableName: "public.users"},
		"the oldest": {Limit: 20, ClusterName: "demo", Until: noon.Add(20 * time.Second)},
	} {
		listings, reads, stats := store.Count(faulty.List, ""), store.Count(faulty.Get, ""), store.Count(faulty.Stat, "")
		page, err := diffindex.New(store).List(t.Context(), f)
		if err != nil || len(page.Entries) != 20 {
			t.Fatalf("%s: %d entries, %v", name, len(page.Entries), err)
		}
		listings, reads, stats = store.Count(faulty.List, "")-listings, store.Count(faulty.Get, "")-reads, store.Count(faulty.Stat, "")-stats
		if listings != 1 || reads != 20 || stats != 20 {
			t.Errorf("%s: %d listings, %d reads, %d checks; want 1, 20, 20", name, listings, reads, stats)
		}
	}
}

func TestList_APageOfARareVerdictReadsABoundedNumberOfEntries(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	match := completed(t, store, 0, "demo", "public.users", noon.Add(-time.Hour))
	for n := range 1005 { // each of them differs
		rec := completed(t, store, 3*n+1, "demo", "public.users", noon.Add(time.Duration(n)*time.Second))
		add(t, x, rec)
	}
	add(t, x, match)
	f := diffindex.Filter{Verdict: "match", Limit: 20}
	page, err := diffindex.New(store).List(t.Context(), f) // an index that has read nothing before
	if reads, stats := store.Count(faulty.Get, ""), store.Count(faulty.Stat, ""); err != nil || len(page.Entries) != 0 || page.Next == "" || reads != 1000 || stats != 0 {
		t.Errorf("the first page has %d entries, next %q, %v, after %d reads and %d checks", len(page.Entries), page.Next, err, reads, stats)
	}
	if got := pages(t, x, f); !slices.Equal(got, []string{match.TaskID}) {
		t.Errorf("the pages hold %v, want %s", got, match.TaskID)
	}
}

func TestList_RejectsInvalidFilters(t *testing.T) {
	x := diffindex.New(newStore(t))
	for _, f := range []diffindex.Filter{{Limit: -1}, {Limit: 1001}, {Verdict: "differs"}, {After: "../x"}, {After: "td_20240315_000001"}, {After: "99999/99999999-td_1/../x"}} {
		if _, err := x.List(t.Context(), f); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%+v returns %v", f, err)
		}
	}
}

func TestAdd_SkipsTasksWithoutADiffDocument(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	failed := completed(t, store, 1, "demo", "public.users", noon)
	failed.Status = task.Failed
	bare := completed(t, store, 2, "demo", "public.users", noon)
	bare.Document = nil
	report := completed(t, store, 3, "demo", "public.users", noon)
	report.Document.Key = "reports/2024-03-15/tr_20240315_000003.json"
	for _, rec := range []task.Record{failed, bare, report} {
		add(t, x, rec)
	}
	if store.Count(faulty.Put, archive.DiffIndexRoot) > 0 {
		t.Error("something was listed")
	}
}

func TestRemove_DeletesAllEntriesOfADocument(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	rec := completed(t, store, 1, "demo", "public.users", noon)
	add(t, x, rec)
	if err := x.Remove(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if left := indexKeys(t, store); len(left) > 0 {
		t.Errorf("these keys are left: %v", left)
	}
}

func TestRebuild_ListsExactlyTheDocumentsThatExist(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		var records []task.Record
		for n := range 4 {
			records = append(records, completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second)))
		}
		// Document 0 is listed and then deleted, document 1 is listed, documents 2 and 3
		// are not listed.
		add(t, x, records[0])
		add(t, x, records[1])
		if err := store.Delete(t.Context(), records[0].Document.Key); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), archive.DiffIndexPrefix("demo", "")+"99999/99999999-td_20240315_000009", "", []byte("{")); err != nil {
			t.Fatal(err)
		}
		// A damaged entry at another time than that of the document would list it twice.
		if _, err := store.Put(t.Context(), archive.DiffIndexPrefix("demo", "")+"99999/99999999-"+records[1].TaskID, "", []byte("{")); err != nil {
			t.Fatal(err)
		}
		done, err := x.Rebuild(t.Context(), all(records...))
		if err != nil || done.Listed != 3 || done.Removed != 1 || len(done.Unreadable) > 0 {
			t.Errorf("rebuilt %+v, %v", done, err)
		}
		if keys := indexKeys(t, store); len(keys) != 3*4 {
			t.Errorf("%d entries: %v", len(keys), keys)
		}
		want := []string{"td_20240315_000003", "td_20240315_000002", "td_20240315_000001"}
		if got := pages(t, x, diffindex.Filter{ClusterName: "demo"}); !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
	})
}

func TestRebuild_RemovesNothingIfTheTasksCannotBeRead(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	add(t, x, completed(t, store, 1, "demo", "public.users", noon))
	trouble := func(yield func(task.Record, error) bool) { yield(task.Record{}, fmt.Errorf("trouble")) }
	if _, err := x.Rebuild(t.Context(), trouble); err == nil || store.Count(faulty.Delete, "") > 0 {
		t.Errorf("error %v, %d removed", err, store.Count(faulty.Delete, ""))
	}
}

func indexKeys(t *testing.T, store archive.Store) []string {
	t.Helper()
	var keys []string
	err := store.List(t.Context(), archive.DiffIndexRoot, "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A document is listed whatever the type of its task.
func TestList_HasDocumentsOfEveryType(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		want := []string{"td_20240315_000001", "tr_20240315_000001", "tu_20240315_000001", "sd_20240315_000001", "rs_20240315_000001", "rd_20240315_000001", "rs_20240315_000001_x1y2z3"}
		for n, id := range want {
			rec := completed(t, store, 1, "demo", "public.users", noon.Add(-time.Duration(n)*time.Second))
			rec.TaskID = id
			add(t, x, rec)
		}
		for _, f := range []diffindex.Filter{{Limit: 1}, {}, {ClusterName: "demo", Limit: 2}, {ClusterName: "demo", TableName: "public.users"}} {
			if got := pages(t, x, f); !slices.Equal(got, want) {
				t.Errorf("%+v lists %v, want %v", f, got, want)
			}
		}
	})
}
