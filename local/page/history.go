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
	historyMaxAge  = 3 * time.Second
	historyRenewal = time.Hour // after which it is read from the beginning, because documents may have been deleted
	historyStep    = 200       // documents that are read at once
	maxHistory     = 20_000    // documents that are read
	maxPoints      = 24        // comparisons that are kept of a table
)

// history has the newest comparisons of each table. It is never changed: a newer history
// is a new value.
type history struct {
	tables map[tableKey][]point // newest first
	begun  time.Time            // when the first step was read
	newest time.Time            // when the newest comparison ended
	read   int                  // number of documents
	next   string               // where the next step continues
}

// tableKey names a table of a database.
type tableKey struct{ Cluster, DB, Table string }

// point is one comparison of a table.
type point struct {
	TaskID     string
	Type       string
	At         time.Time
	Verdict    string
	Mismatched int64
	Total      int64
	// Partial is why the verdict is not about the whole table, or "".
	Partial string
}

// readHistory reads a part of the list of documents: at first step by step from the
// newest to the oldest, later only what is new.
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

// add adds a comparison, unless it is known.
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

// partial returns why the verdict of a comparison is not about the whole table, or "".
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

// tableRow is a table with its newest comparisons.
type tableRow struct {
	tableKey
	Last   point
	Points []point // newest first
}

// rows returns the tables: those that differ first, and of these the one with the newest
// comparison first.
func (h history) rows() []tableRow {
	rows := make([]tableRow, 0, len(h.tables))
	for key, points := range h.tables {
		rows = append(rows, tableRow{key, points[0], points})
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
