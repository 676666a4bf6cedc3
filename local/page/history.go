package page

import (
	"cmp"
	"context"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	"ace/shared/api"
)

const (
	historyMaxAge = 3 * time.Second // a history that was read longer ago is read again
	// historyRenewal is the time after which the whole history is read again instead of
	// only the new documents, because old documents may have been deleted.
	historyRenewal = time.Hour
	historyStep    = 200    // number of documents that are listed by one request
	maxHistory     = 20_000 // once this number of documents was read, older documents are not read
	maxPoints      = 24     // maximum number of comparisons that are stored for a table
)

// history has the newest comparisons of each table. readHistory never changes a history
// that pages use: it returns a new one.
type history struct {
	tables map[tableKey][]point // the comparisons of each table, newest first
	begun  time.Time            // when the last reading of the whole list began; it goes from the newest document to the oldest
	newest time.Time            // when the newest comparison ended
	read   int                  // number of documents that this reading has read so far, without documents that were added after it began
	next   string               // the cursor of the next page of the list; "" after the oldest document
}

// tableKey names a table of a database or, for a comparison of several tables, what the
// archive lists as its table.
type tableKey struct{ Cluster, DB, Table string }

// point is one comparison of a table.
type point struct {
	TaskID     string
	Type       string
	At         time.Time
	Verdict    string
	Mismatched int64
	Total      int64
	// Partial is the reason why the verdict is not about the whole table. It is "" if the
	// verdict is about the whole table.
	Partial string
}

// readHistory reads a part of the list of documents and returns old with that part added.
// The first calls read the list from the newest document to the oldest, historyStep
// documents in each call. The returned bool is true if another such call must follow.
// Once the whole list was read, each call reads only the new documents. After
// historyRenewal, the calls begin again with the whole list.
func (p *Page) readHistory(ctx context.Context, old kept[history]) (history, bool, error) {
	h := history{tables: maps.Clone(old.Value.tables), begun: old.Value.begun, newest: old.Value.newest, read: old.Value.read, next: old.Value.next}
	query := url.Values{"limit": {strconv.Itoa(historyStep)}}
	switch {
	case h.tables == nil || old.Complete && time.Since(h.begun) > historyRenewal:
		h = history{tables: map[tableKey][]point{}, begun: time.Now()}
	case old.Complete:
		query.Set("limit", "1000")
		query.Set("since", api.At(h.newest).String())
	default:
		query.Set("after", h.next)
	}

	list, err := get[api.DiffList](ctx, p.API, api.RouteDiffs.Path(""), query)
	if err != nil {
		return history{}, false, err
	}
	for _, d := range list.Diffs {
		h.add(d)
	}
	if query.Has("since") {
		return h, false, nil
	}
	h.read += len(list.Diffs)
	h.next = list.Next
	return h, h.next != "" && h.read < maxHistory, nil
}

// add adds a comparison, unless the history already has it. Only the newest maxPoints
// comparisons of a table remain.
func (h *history) add(d api.ArchivedDiff) {
	key := tableKey{d.ClusterName, d.DBName, d.TableName}
	points := h.tables[key]
	if slices.ContainsFunc(points, func(known point) bool { return known.TaskID == d.TaskID }) {
		return
	}
	points = append(slices.Clone(points), point{
		d.TaskID, d.TaskType, d.FinishedAt.Time, d.Verdict, d.MismatchedRows, d.TotalRows, partial(d),
	})
	slices.SortStableFunc(points, func(a, b point) int { return b.At.Compare(a.At) })
	h.tables[key] = points[:min(len(points), maxPoints)]
	if d.FinishedAt.After(h.newest) {
		h.newest = d.FinishedAt.Time
	}
}

// partial returns the reason why the verdict of a comparison is not about the whole table
// on all nodes, such as "only some nodes". It returns "" if there is no such reason.
func partial(d api.ArchivedDiff) string {
	switch {
	case d.TaskType == api.TypeTableRerun:
		return "only the rows that differed before"
	case d.TableFilter != "":
		return "only rows that pass a filter"
	case len(d.Nodes) > 0:
		return "only some nodes"
	case len(d.IgnoreColumns) > 0:
		return "without some columns"
	}
	return ""
}

// tableRow is an entry of the history with its newest comparisons.
type tableRow struct {
	tableKey
	Last   point
	Points []point // the newest comparisons including Last, newest first
}

// rows returns one tableRow for each table. The tables whose last verdict is not "match"
// are first. In each of the two groups, the tables with the newest comparisons are first.
// It leaves out the clusters for which sees returns false.
func (h history) rows(sees func(cluster string) bool) []tableRow {
	rows := make([]tableRow, 0, len(h.tables))
	for key, points := range h.tables {
		if sees(key.Cluster) {
			rows = append(rows, tableRow{key, points[0], points})
		}
	}
	slices.SortFunc(rows, func(a, b tableRow) int {
		return cmp.Or(rank(a.Last)-rank(b.Last), b.Last.At.Compare(a.Last.At), cmp.Compare(a.Table, b.Table))
	})
	return rows
}

func rank(p point) int {
	if p.Verdict == api.VerdictMatch {
		return 1
	}
	return 0
}
