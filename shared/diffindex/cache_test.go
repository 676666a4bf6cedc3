package diffindex_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/shared/diffindex"
)

func TestList_ReadsNoVersionOfAnEntryTwice(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		writer, reader := diffindex.New(store), diffindex.New(store)
		for n := range 40 {
			add(t, writer, completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second)))
		}
		for i, tt := range []struct {
			index *diffindex.Index
			reads int
		}{{writer, 40}, {writer, 0}, {reader, 40}, {reader, 0}} {
			before := store.Count(faulty.Get, "")
			if got := pages(t, tt.index, diffindex.Filter{Limit: 50}); len(got) != 40 {
				t.Errorf("page %d has %d documents", i, len(got))
			}
			if reads := store.Count(faulty.Get, "") - before; reads != tt.reads {
				t.Errorf("page %d reads %d entries, want %d", i, reads, tt.reads)
			}
		}
	})
}

func TestList_ReturnsWhatAnotherProcessHasChanged(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		other, x := diffindex.New(store), diffindex.New(store)
		rec := completed(t, store, 1, "demo", "public.users", noon)
		add(t, x, rec)
		for _, filter := range []diffindex.Filter{{}, {ClusterName: "demo"}} {
			for _, verdict := range []string{"match", "differ", "match"} {
				rec.Result = json.RawMessage(`{"diff_file": "` + rec.Document.Key + `", "verdict": "` + verdict + `"}`)
				add(t, other, rec)
				if page, err := x.List(t.Context(), filter); err != nil || len(page.Entries) != 1 || page.Entries[0].Verdict != verdict {
					t.Errorf("listed %+v, %v, want the verdict %s", page.Entries, err, verdict)
				}
			}
		}
		if err := other.Remove(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		if got := pages(t, x, diffindex.Filter{}); len(got) > 0 {
			t.Errorf("listed %v after another process removed it", got)
		}
	})
}

// A listing finds which documents of a day exist. It must be right if renderings are next
// to documents, and for the first and the last document of the day.
func TestList_OmitsDocumentsThatAreGoneFromADayOfMany(t *testing.T) {
	onEveryStore(t, func(t *testing.T, store *faulty.Store) {
		x := diffindex.New(store)
		var want []string
		for n := range 50 {
			rec := completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second))
			add(t, x, rec)
			rendering := strings.TrimSuffix(rec.Document.Key, ".json") + ".html"
			if _, err := store.Put(t.Context(), rendering, "text/html", []byte("x")); err != nil {
				t.Fatal(err)
			}
			if n%7 == 0 { // also the first and the last
				if err := store.Delete(t.Context(), rec.Document.Key); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want = append(want, rec.TaskID)
		}
		slices.Reverse(want)
		stats := store.Count(faulty.Stat, "")
		if got := pages(t, x, diffindex.Filter{Limit: 60}); !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
		if stats = store.Count(faulty.Stat, "") - stats; stats != 0 {
			t.Errorf("%d documents were checked one by one", stats)
		}
	})
}

// The listing of a day ends after 16 keys per document: the rest is checked one by one.
func TestList_FewOfManyDocumentsOfADayCostABoundedListing(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	const apart, listed = 20, 40
	var want []string
	for n := range apart * listed {
		rec := completed(t, store, n, "demo", "public.users", noon.Add(time.Duration(n)*time.Second))
		if n%apart != 0 {
			continue
		}
		add(t, x, rec)
		if n == 0 || n == apart*(listed-1) {
			if err := store.Delete(t.Context(), rec.Document.Key); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want = append(want, rec.TaskID)
	}
	slices.Reverse(want)
	stats := store.Count(faulty.Stat, "")
	if got := pages(t, x, diffindex.Filter{}); !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if stats = store.Count(faulty.Stat, "") - stats; stats < 5 || stats > 10 {
		t.Errorf("%d documents were checked one by one, want about a fifth of %d", stats, listed)
	}
}

// A cached entry is not returned if the caller may not see its cluster.
func TestList_OmitsWhatTheCallerMayNotSee(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	add(t, x, completed(t, store, 1, "demo", "public.users", noon))
	add(t, x, completed(t, store, 2, "secret", "public.users", noon.Add(time.Second)))
	sees := func(cluster string) bool { return cluster == "demo" }
	for range 2 {
		if got := pages(t, x, diffindex.Filter{}); len(got) != 2 {
			t.Errorf("listed %v without a restriction", got)
		}
		if got := pages(t, x, diffindex.Filter{Sees: sees}); !slices.Equal(got, []string{"td_20240315_000001"}) {
			t.Errorf("listed %v, want the document of demo", got)
		}
	}
}
