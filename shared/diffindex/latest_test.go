package diffindex_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/archive"
	"ace/shared/diffindex"
)

// latest returns the task of the latest document of a table, or "".
func latest(t *testing.T, x *diffindex.Index, database, table string) string {
	t.Helper()
	entry, exists, err := x.Latest(t.Context(), "demo", database, table)
	if err != nil || exists != (entry.TaskID != "") {
		t.Fatalf("%+v, %t, %v", entry, exists, err)
	}
	return entry.TaskID
}

func TestLatest_FollowsWhatIsAddedAndRemoved(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	if got := latest(t, x, "app", "public.t"); got != "" {
		t.Fatalf("in an empty list: %s", got)
	}
	first := completed(t, store, 1, "demo", "public.t", noon)
	second := completed(t, store, 2, "demo", "public.t", noon.Add(time.Hour))
	second.Parameters = json.RawMessage(`{"table_filter": "id > 5", "nodes": ["n1", "n2"]}`)
	other := completed(t, store, 3, "demo", "public.t", noon.Add(2*time.Hour))
	other.DBName = "crm"
	add(t, x, second)
	add(t, x, first)
	add(t, x, other)
	if app, crm := latest(t, x, "app", "public.t"), latest(t, x, "crm", "public.t"); app != second.TaskID || crm != other.TaskID {
		t.Errorf("the latest of app is %s, of crm %s", app, crm)
	}
	entry, _, err := x.Latest(t.Context(), "demo", "app", "public.t")
	if err != nil || entry.Restrictions == nil || entry.Restrictions.TableFilter != "id > 5" || len(entry.Restrictions.Nodes) != 2 {
		t.Errorf("%+v, %v", entry.Restrictions, err)
	}
	if err := x.Remove(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if got := latest(t, x, "app", "public.t"); got != first.TaskID {
		t.Errorf("after the removal: %s", got)
	}
}

// An entry without restrictions is of an earlier version.
func TestLatest_ReadsEntriesOfEarlierVersions(t *testing.T) {
	store := memstore.New(t)
	rec := completed(t, faulty.Wrap(store), 1, "demo", "public.t", noon)
	add(t, diffindex.New(store), rec)
	err := store.List(t.Context(), archive.DiffIndexRoot, "", func(info archive.Info) bool {
		_, err := store.Put(t.Context(), info.Key, "application/json", []byte(`{"task_id": "td_20240315_000001", "dbname": "app", "verdict": "match", "key": "diffs/2024-03-15/td_20240315_000001.json"}`))
		return err == nil
	})
	entry, exists, latestErr := diffindex.New(store).Latest(t.Context(), "demo", "app", "public.t")
	if err != nil || latestErr != nil || !exists || entry.Restrictions != nil || entry.Verdict != "match" {
		t.Errorf("%+v, %t, %v, %v", entry, exists, err, latestErr)
	}
}

// The cost for a table does not depend on the number of documents, and a second call for
// the same table reads nothing.
func TestLatest_ReadsTwoObjectsPerTable(t *testing.T) {
	store := newStore(t)
	x := diffindex.New(store)
	const tables, documents = 100, 1_000
	for i := range documents {
		add(t, x, completed(t, store, i, "demo", fmt.Sprintf("public.t%d", i%tables), noon.Add(time.Duration(i)*time.Minute)))
	}
	for range 2 {
		for i := range tables {
			if got := latest(t, x, "app", fmt.Sprintf("public.t%d", i)); !strings.HasSuffix(got, fmt.Sprintf("%06d", documents-tables+i)) {
				t.Fatalf("the latest of table %d is %s", i, got)
			}
		}
	}
	lists, gets := store.Count(faulty.List, archive.DiffIndexRoot), store.Count(faulty.Get, archive.DiffIndexRoot)
	if lists != tables || gets != tables {
		t.Errorf("%d listings and %d objects were read for %d tables", lists, gets, tables)
	}
}
