//go:build !unit

package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/directory"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/minio"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/archive"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/diffindex"
	"ace/shared/endpoint"
	"ace/shared/invoke"
	"ace/shared/task"
)

const (
	// pageLimit is the time limit of a page of the archive's list in a soak. busyLimit
	// applies while other tests run.
	pageLimit = 200 * time.Millisecond
	busyLimit = 5 * pageLimit
	// pageAttempts is how often a page may be tried. A busy machine is slow now and then,
	// a slow list always.
	pageAttempts = 20
	// pageRows is the default number of documents on a page.
	pageRows = 50
	// shortArchive is the initial length of an archive, which is enough for all
	// questions.
	shortArchive = 1_200
	// distinct is the number of documents of a history with their own content. All others
	// have the content of one of these.
	distinct = 240
	// documentsApart is the time between two documents. A hundred thousand documents span
	// a year.
	documentsApart = 5 * time.Minute
)

// newestDocument is the time of the newest document of a history.
var newestDocument = time.Date(2024, 3, 15, 12, 34, 56, 789_000_000, time.UTC)

// history is an archive with a list of very many documents. Document 0 is the newest.
type history struct {
	store  *faulty.Store
	twin   func(from, to string) error
	length int
	keys   int           // number of keys that listings have returned
	limit  time.Duration // time limit of a page
}

// archived returns the list's entry of a document.
func archived(n int) diffindex.Entry {
	id := fmt.Sprintf("td_20240315_%06d", n%distinct)
	key := archive.DiffKey(id, newestDocument, "json")
	return diffindex.Entry{
		TaskID: id, Type: task.TableDiff, ClusterName: fmt.Sprintf("cluster-%d", n%4), DBName: "app", TableName: fmt.Sprintf("public.t%d", n%3),
		FinishedAt: finished(n), Verdict: api.VerdictMatch, TotalRows: int64(n), DiffFile: key, Key: key, Size: 2,
		Restrictions: &diffindex.Restrictions{},
	}
}

func finished(n int) time.Time { return newestDocument.Add(-time.Duration(n) * documentsApart) }

// name returns the name of an entry in each list.
func (h *history) name(n int) string {
	digits := fmt.Sprintf("%013d", 9_999_999_999_999-finished(n).UnixMilli())
	return digits[:5] + "/" + digits[5:] + "-" + archived(n).TaskID
}

// places returns the keys of an entry in all lists. The first key is that in the list of
// all documents.
func (h *history) places(n int) (keys []string) {
	e := archived(n)
	for _, list := range [][2]string{{"", ""}, {e.ClusterName, ""}, {"", e.TableName}, {e.ClusterName, e.TableName}} {
		keys = append(keys, archive.DiffIndexPrefix(list[0], list[1])+h.name(n))
	}
	return keys
}

// grow extends the history to a length.
func (h *history) grow(t *testing.T, length int) {
	t.Helper()
	for ; h.length < length; h.length++ {
		if err := h.add(t, h.length); err != nil {
			t.Fatal(err)
		}
	}
}

func (h *history) add(t *testing.T, n int) error {
	e, places := archived(n), h.places(n)
	var errs []error
	if n < distinct {
		body, err := json.Marshal(e)
		_, document := h.store.Put(t.Context(), e.Key, "application/json", []byte("{}"))
		_, entry := h.store.Put(t.Context(), places[0], "application/json", body)
		errs = append(errs, err, document, entry)
	} else {
		errs = append(errs, h.twin(h.places(n % distinct)[0], places[0]))
	}
	for _, place := range places[1:] {
		errs = append(errs, h.twin(places[0], place))
	}
	return errors.Join(errs...)
}

// check checks that the index stores an entry under the keys that places returns.
func (h *history) check(t *testing.T) {
	t.Helper()
	e, index := archived(0), diffindex.New(h.store)
	record := task.Record{
		TaskID: e.TaskID, Type: e.Type, Status: task.Completed, FinishedAt: &e.FinishedAt, ClusterName: e.ClusterName, TableName: e.TableName,
		Document: &task.Document{Key: e.Key},
	}
	if err := errors.Join(index.Add(t.Context(), record), index.Remove(t.Context(), record)); err != nil {
		t.Fatal(err)
	}
	for _, place := range h.places(0) {
		if h.store.Count(faulty.Put, place) == 0 {
			t.Fatalf("documents are not listed at keys such as %s any more", place)
		}
	}
}

// List implements archive.Store and counts keys.
func (h *history) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	return h.store.List(ctx, prefix, after, func(info archive.Info) bool {
		h.keys++
		return fn(info)
	})
}

// counted is a store that is read through a history.
type counted struct {
	archive.Store
	h *history
}

// List implements archive.Store.
func (c counted) List(ctx context.Context, prefix, after string, fn func(archive.Info) bool) error {
	return c.h.List(ctx, prefix, after, fn)
}

// question is a request to GET /ace/diffs, with the documents that its page must have.
type question struct {
	name  string
	query url.Values
	first int              // the newest document that may be listed
	last  int              // the oldest document that may be listed; 0: the oldest of all
	takes func(n int) bool // whether document n is listed; nil: every document is
}

func (h *history) questions() []question {
	middle := h.length / 2
	cluster, table := archived(middle).ClusterName, archived(middle).TableName
	ofCluster := func(n int) bool { return archived(n).ClusterName == cluster }
	ofTable := func(n int) bool { return archived(n).TableName == table }
	ofBoth := func(n int) bool { return ofCluster(n) && ofTable(n) }
	window := url.Values{"since": {finished(middle + 500).Format(time.RFC3339Nano)}, "until": {finished(middle).Format(time.RFC3339Nano)}}
	with := func(query url.Values, name, value string) url.Values {
		more := url.Values{name: {value}}
		for name, values := range query {
			more[name] = values
		}
		return more
	}
	return []question{
		{name: "the newest"},
		{name: "in the middle, by cursor", query: url.Values{"after": {h.name(middle)}}, first: middle + 1},
		{name: "the oldest, by cursor", query: url.Values{"after": {h.name(h.length - 20)}}, first: h.length - 19},
		{name: "of a cluster", query: url.Values{"cluster_name": {cluster}}, takes: ofCluster},
		{name: "of a table", query: url.Values{"table_name": {table}}, takes: ofTable},
		{name: "of a time", query: window, first: middle + 1, last: middle + 500},
		{name: "of a time, by cursor", query: with(window, "after", h.name(middle+480)), first: middle + 481, last: middle + 500},
		{name: "of a table of a cluster at a time", query: with(with(window, "cluster_name", cluster), "table_name", table),
			first: middle + 1, last: middle + 500, takes: ofBoth},
	}
}

// answer returns the expected page of a question.
func (h *history) answer(q question) (ids []string) {
	last := h.length - 1
	if q.last > 0 {
		last = q.last
	}
	for n := q.first; n <= last && len(ids) < pageRows; n++ {
		if q.takes == nil || q.takes(n) {
			ids = append(ids, archived(n).TaskID)
		}
	}
	return ids
}

// cost is the number of keys and calls that a page needed from the store.
type cost struct{ Listings, Keys, Reads, Checks int }

// ask requests a page and returns its cost.
func (h *history) ask(t *testing.T, mux *endpoint.Mux, q question) (spent cost, took time.Duration) {
	t.Helper()
	before := cost{h.store.Count(faulty.List, ""), h.keys, h.store.Count(faulty.Get, ""), h.store.Count(faulty.Stat, "")}
	begin := time.Now()
	response := mux.Handle(caller.AsService(t.Context()), endpoint.Request{Method: "GET", Path: "/ace/diffs", RawQuery: q.query.Encode()})
	took = time.Since(begin)
	var list api.DiffList
	if err := json.Unmarshal(response.Body, &list); err != nil || response.Status != 200 {
		t.Fatalf("%s: status %d, %s", q.name, response.Status, response.Body)
	}
	var ids []string
	for _, d := range list.Diffs {
		ids = append(ids, d.TaskID)
	}
	if want := h.answer(q); !slices.Equal(ids, want) {
		t.Errorf("%s: listed are %v, want %v", q.name, ids, want)
	}
	return cost{
		h.store.Count(faulty.List, "") - before.Listings, h.keys - before.Keys,
		h.store.Count(faulty.Get, "") - before.Reads, h.store.Count(faulty.Stat, "") - before.Checks,
	}, took
}

// quickest repeats the request until the answer is in time, and returns the durations.
func (h *history) quickest(t *testing.T, mux *endpoint.Mux, q question) (spent cost, took []time.Duration) {
	t.Helper()
	for range pageAttempts {
		var this time.Duration
		spent, this = h.ask(t, mux, q)
		if took = append(took, this.Round(time.Millisecond)); this <= h.limit {
			return spent, took
		}
	}
	t.Errorf("%s of %d documents took %v, wanted are at most %s", q.name, h.length, took, h.limit)
	return spent, took
}

// TestDiffs_TheCostOfAPageDoesNotDependOnTheArchive lists pages of an archive, and again
// after it has grown. In a soak it grows to a hundred thousand documents.
func TestDiffs_TheCostOfAPageDoesNotDependOnTheArchive(t *testing.T) {
	few, limit := 3_000, busyLimit
	length := soak.Rounds(t, few, 100_000)
	if length > few {
		limit = pageLimit
	}
	for name, open := range map[string]func(testing.TB) (archive.Store, func(from, to string) error){
		"directory": directory.Twins,
		"MinIO":     func(t testing.TB) (archive.Store, func(from, to string) error) { return minio.Start(t).Twins(t) },
	} {
		t.Run(name, func(t *testing.T) {
			store, twin := open(t)
			h := &history{store: faulty.Wrap(store), twin: twin, limit: limit}
			mux := listing(t, h)
			h.check(t)
			begin := time.Now()
			h.grow(t, shortArchive)
			for _, q := range h.questions() {
				spent, _ := h.ask(t, mux, q)
				h.checkCost(t, q, spent)
			}
			h.grow(t, length)
			t.Logf("%d documents were listed in %s", length, time.Since(begin).Round(time.Millisecond))
			for _, q := range h.questions() {
				spent, took := h.quickest(t, mux, q)
				t.Logf("%s: %v, %+v", q.name, took, spent)
				soak.Report(t, "%s, a page %s of %d documents: %v", name, q.name, length, took)
				h.checkCost(t, q, spent)
			}
		})
	}
}

// checkCost checks that a page costs no more than its own entries and documents: a
// listing of the entries, and one of the documents, which are of one day.
func (h *history) checkCost(t *testing.T, q question, spent cost) {
	t.Helper()
	if spent.Listings > 2 || spent.Keys > pageRows+1+distinct || spent.Reads > pageRows || spent.Checks > pageRows {
		t.Errorf("%s: a page of %d documents asks the store for %+v", q.name, h.length, spent)
	}
}

// listing is a service that lists the documents of a history.
func listing(t *testing.T, h *history) *endpoint.Mux {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	a := app.New(app.Options{Store: counted{h.store, h}, Clusters: cluster.NewSource(cluster.Options{Path: t.TempDir()}), Log: log})
	queue := invoke.NewQueue(1, 1, func(context.Context, string, bool) {})
	t.Cleanup(func() {
		queue.Close()
		a.Close()
	})
	mux, err := endpoint.New(endpoint.Options{Logger: log}, a.Endpoints(queue)...)
	if err != nil {
		t.Fatal(err)
	}
	return mux
}
