package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/audit"
	"ace/shared/fault"
)

// clock is a clock that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newLog(t testing.TB) (*audit.Log, *faulty.Store, *clock) {
	t.Helper()
	c := &clock{time.Date(2026, 3, 15, 12, 34, 56, 789_000_000, time.UTC)}
	store := faulty.Wrap(memstore.New(t))
	return audit.New(store, c.now), store, c
}

func by(name string) api.RequestedBy { return api.RequestedBy{Caller: name} }

func TestAdd_StoresOneObjectThatIsNeverReplaced(t *testing.T) {
	log, store, _ := newLog(t)
	id, err := log.Add(t.Context(), api.AuditEntry{Action: "table-repair", Outcome: api.AuditAccepted, RequestedBy: by("ci"), TaskID: "tr_20260315_123456"})
	if err != nil || !api.IsAuditCursor(id) {
		t.Fatalf("got %q, %v", id, err)
	}
	var stored api.AuditEntry
	key := archive.AuditKey(time.Date(2026, 3, 15, 0, 0, 0, 0, time.UTC), id)
	if _, _, err := archive.ReadJSON(t.Context(), store, key, &stored); err != nil || !strings.HasPrefix(key, "audit/2026-03-15/") ||
		stored.Format != "ace-audit/1" || stored.ID != id || stored.At.String() != "2026-03-15T12:34:56.789Z" || stored.TaskID != "tr_20260315_123456" {
		t.Errorf("%s holds %+v, %v", key, stored, err)
	}
	if n := store.Count(faulty.PutIfAbsent, archive.AuditPrefix); n != 1 || store.Count(faulty.Put, archive.AuditPrefix) != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestAdd_ReportsThatNothingWasDone(t *testing.T) {
	log, store, _ := newLog(t)
	store.On(faulty.PutIfAbsent, archive.AuditPrefix, faulty.First(1, faulty.FailBefore))
	_, err := log.Add(t.Context(), api.AuditEntry{})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "nothing was done, because the audit log cannot be written") {
		t.Errorf("got %v", err)
	}
}

// all returns the ids of all pages.
func all(t rapid.TB, log *audit.Log, f audit.Filter) (ids []string) {
	for range 10_000 {
		entries, next, err := log.List(context.Background(), f)
		if err != nil || len(entries) > max(f.Limit, 1) && f.Limit > 0 {
			t.Fatalf("%+v returned %d entries, %v", f, len(entries), err)
		}
		for _, e := range entries {
			ids = append(ids, e.ID)
		}
		if next == "" {
			return ids
		}
		if !api.IsAuditCursor(next) {
			t.Fatalf("the cursor is %q", next)
		}
		f.After = next
	}
	t.Fatalf("%+v has no last page", f)
	return nil
}

func TestList_PagesHoldEveryMatchOnceAndTheNewestFirst(t *testing.T) {
	names, clusters := []string{"ci", "dba", "schedule"}, []string{"demo", "shop", ""}
	rapid.Check(t, func(rt *rapid.T) {
		log, _, c := newLog(t)
		begin := c.at
		type added struct {
			at               time.Time
			id, who, subject string
		}
		var entries []added
		for range rapid.IntRange(0, 40).Draw(rt, "entries") {
			c.at = begin.Add(time.Duration(rapid.Int64Range(0, int64(900*24*time.Hour)).Draw(rt, "at")))
			a := added{at: c.at.Truncate(time.Millisecond), who: rapid.SampledFrom(names).Draw(rt, "who"), subject: rapid.SampledFrom(clusters).Draw(rt, "cluster")}
			var err error
			if a.id, err = log.Add(context.Background(), api.AuditEntry{RequestedBy: by(a.who), ClusterName: a.subject}); err != nil {
				rt.Fatal(err)
			}
			entries = append(entries, a)
		}
		c.at = begin.Add(900 * 24 * time.Hour)

		f := audit.Filter{Limit: rapid.IntRange(1, 7).Draw(rt, "limit")}
		if rapid.Bool().Draw(rt, "by caller") {
			f.Caller = rapid.SampledFrom(names).Draw(rt, "caller")
		}
		if rapid.Bool().Draw(rt, "restricted") {
			f.Sees = func(cluster string) bool { return cluster == "demo" }
		}
		moment := func(name string) time.Time {
			return begin.Add(time.Duration(rapid.Int64Range(0, int64(900*24*time.Hour)).Draw(rt, name))).Truncate(time.Millisecond)
		}
		if rapid.Bool().Draw(rt, "with since") {
			f.Since = moment("since")
		}
		if rapid.Bool().Draw(rt, "with until") {
			f.Until = moment("until")
		}

		slices.SortFunc(entries, func(a, b added) int { return strings.Compare(a.id, b.id) })
		var want []string
		for _, a := range entries {
			if (f.Caller == "" || f.Caller == a.who) && (f.Sees == nil || f.Sees(a.subject)) &&
				(f.Since.IsZero() || !a.at.Before(f.Since)) && (f.Until.IsZero() || a.at.Before(f.Until)) {
				want = append(want, a.id)
			}
		}
		if got := all(rt, log, f); !slices.Equal(got, want) {
			rt.Fatalf("%+v returned %v, want %v", f, got, want)
		}
	})
}

func TestList_ADamagedEntryDoesNotHideTheOthers(t *testing.T) {
	log, store, c := newLog(t)
	first, err := log.Add(t.Context(), api.AuditEntry{RequestedBy: by("ci")})
	if err != nil {
		t.Fatal(err)
	}
	c.at = c.at.Add(time.Second)
	second, err := log.Add(t.Context(), api.AuditEntry{RequestedBy: by("ci")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Put(t.Context(), archive.AuditKey(c.at, second), "application/json", []byte("{")); err != nil {
		t.Fatal(err)
	}
	entries, _, err := log.List(t.Context(), audit.Filter{})
	if err != nil || len(entries) != 2 || entries[0].ID != second || entries[0].Outcome != api.AuditUnreadable || entries[1].ID != first {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func TestList_OfALongTimeReadsABoundedNumberOfEntries(t *testing.T) {
	log, store, c := newLog(t)
	for range 2500 {
		c.at = c.at.Add(time.Millisecond)
		if _, err := log.Add(t.Context(), api.AuditEntry{RequestedBy: by("ci")}); err != nil {
			t.Fatal(err)
		}
	}
	before := store.Count(faulty.Get, "")
	entries, next, err := log.List(t.Context(), audit.Filter{Caller: "dba"})
	if read := store.Count(faulty.Get, "") - before; err != nil || len(entries) != 0 || next == "" || read > 2000 {
		t.Errorf("read %d entries, got %d and %q, %v", read, len(entries), next, err)
	}
	if ids := all(t, log, audit.Filter{Limit: 1000}); len(ids) != 2500 {
		t.Errorf("all pages hold %d entries", len(ids))
	}
}

func TestAddRefused_IsBoundedAndCountsTheRest(t *testing.T) {
	log, _, c := newLog(t)
	for range 1000 {
		if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by("ci")}); err != nil {
			t.Fatal(err)
		}
		if err := log.AddUnknown(t.Context(), api.AuditEntry{}); err != nil {
			t.Fatal(err)
		}
	}
	if ids := all(t, log, audit.Filter{Caller: "ci"}); len(ids) != 60 {
		t.Errorf("%d entries of a caller", len(ids))
	}
	if ids := all(t, log, audit.Filter{}); len(ids) != 70 {
		t.Errorf("%d entries", len(ids))
	}
	c.at = c.at.Add(2 * time.Second)
	for range 2 {
		if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by("ci")}); err != nil {
			t.Fatal(err)
		}
	}
	entries, _, err := log.List(t.Context(), audit.Filter{Caller: "ci"})
	if err != nil || len(entries) != 61 || entries[0].Unrecorded != 940 {
		t.Errorf("%d entries, the newest is %+v, %v", len(entries), entries[0], err)
	}
}

func TestAddRefused_OneCallerDoesNotKeepOthersOutOfTheLog(t *testing.T) {
	log, _, _ := newLog(t)
	for range 100 {
		if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by("loud")}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by("ci")}); err != nil {
		t.Fatal(err)
	}
	if ids := all(t, log, audit.Filter{Caller: "ci"}); len(ids) != 1 {
		t.Errorf("%d entries of the other caller", len(ids))
	}
	// The names of callers of functions are not bounded.
	for n := range 10_000 {
		if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by(fmt.Sprint("caller-", n))}); err != nil {
			t.Fatal(err)
		}
	}
	if ids := all(t, log, audit.Filter{Limit: 1000}); len(ids) > 300 {
		t.Errorf("%d entries", len(ids))
	}
}

func TestExpire_DeletesWholeDaysOnly(t *testing.T) {
	log, store, c := newLog(t)
	begin := c.at
	for n := range 5 {
		c.at = begin.AddDate(0, 0, n)
		if _, err := log.Add(t.Context(), api.AuditEntry{RequestedBy: by(fmt.Sprint(n))}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := log.Expire(t.Context(), begin.AddDate(0, 0, 2))
	left, _, listErr := log.List(t.Context(), audit.Filter{})
	if err != nil || listErr != nil || n != 2 || len(left) != 3 || left[2].RequestedBy.Caller != "2" {
		t.Errorf("deleted %d, %d are left, %v, %v", n, len(left), err, listErr)
	}
	if store.Count(faulty.Delete, "") != 2 {
		t.Errorf("%d deletions", store.Count(faulty.Delete, ""))
	}
}

func TestWithoutFilter_OmitsOnlyTheText(t *testing.T) {
	for given, want := range map[string]string{
		`{"table_filter":"ssn = '1'","nodes":["n1"]}`: `{"nodes":["n1"],"table_filter":"(9 bytes, see the task)"}`,
		`{"table_filter":"","quiet":true}`:            `{"quiet":true,"table_filter":""}`,
		`{}`:                                          `{}`,
		`[1]`:                                         ``,
		``:                                            ``,
	} {
		if got := audit.WithoutFilter(json.RawMessage(given)); string(got) != want {
			t.Errorf("%s became %s, want %s", given, got, want)
		}
	}
}

func TestAddRefused_TheNextEntryCountsThoseThatCouldNotBeStored(t *testing.T) {
	log, store, _ := newLog(t)
	store.On(faulty.PutIfAbsent, archive.AuditPrefix, faulty.First(2, faulty.FailBefore))
	for n := range 3 {
		if err := log.AddRefused(t.Context(), api.AuditEntry{RequestedBy: by("ci")}); (err != nil) != (n < 2) {
			t.Fatal(err)
		}
	}
	entries, _, err := log.List(t.Context(), audit.Filter{})
	if err != nil || len(entries) != 1 || entries[0].Unrecorded != 2 {
		t.Errorf("got %+v, %v", entries, err)
	}
}
