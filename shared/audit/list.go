package audit

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
)

const (
	day          = 24 * time.Hour
	defaultLimit = 100
	// maxDays and maxEntries bound the work of one List: how many days it lists, and how
	// many entries it reads.
	maxDays    = 400
	maxEntries = 2000
	readAtOnce = 32
)

// Filter selects entries. An empty field does not restrict the list.
type Filter struct {
	Caller, ClusterName string
	Since, Until        time.Time
	// Sees reports whether an entry about a cluster may be listed. cluster is "" for an
	// entry that is not about a cluster. nil means that all may be listed.
	Sees  func(cluster string) bool
	Limit int    // maximum number of entries; 0 means 100
	After string // the cursor that List returned with the previous page
}

func (f Filter) matches(e api.AuditEntry) bool {
	return (f.Caller == "" || f.Caller == e.RequestedBy.Caller) &&
		(f.ClusterName == "" || f.ClusterName == e.ClusterName) &&
		(f.Sees == nil || f.Sees(e.ClusterName))
}

// List returns entries, the newest first, and the cursor of the next page; the cursor is
// empty on the last page. One call lists a bounded number of days and reads a bounded
// number of entries. So even a page before the last may have fewer entries than the
// limit, or none.
func (l *Log) List(ctx context.Context, f Filter) (entries []api.AuditEntry, next string, err error) {
	f.Limit = cmp.Or(f.Limit, defaultLimit)
	oldest, newest, err := l.days(ctx, f)
	if err != nil || oldest.IsZero() {
		return nil, "", err
	}

	left := maxEntries
	for at, n := newest, 0; !at.Before(oldest); at, n = at.Add(-day), n+1 {
		if n == maxDays {
			return entries, stamp(at.Add(day-time.Millisecond)) + "-", nil
		}
		names, err := l.names(ctx, at, f, left)
		if err != nil {
			return nil, "", err
		}
		left -= len(names)
		var last string
		if entries, last, err = l.readPage(ctx, f, entries, names); err != nil {
			return nil, "", err
		}
		if len(entries) == f.Limit || left <= 0 {
			return entries, last, nil
		}
	}
	return entries, "", nil
}

// readPage adds the entries with these ids that pass the filter to the page, until it has
// as many as the limit. It returns the id of the last entry that it considered.
func (l *Log) readPage(ctx context.Context, f Filter, page []api.AuditEntry, ids []string) (_ []api.AuditEntry, last string, err error) {
	for len(ids) > 0 {
		batch := ids[:min(len(ids), max(f.Limit-len(page), readAtOnce))]
		read, err := fanout.Map(ctx, readAtOnce, batch, l.read)
		if err != nil {
			return nil, "", err
		}
		for i, e := range read {
			last = batch[i]
			if e.ID != "" && f.matches(e) {
				page = append(page, e)
			}
			if len(page) == f.Limit {
				return page, last, nil
			}
		}
		ids = ids[len(batch):]
	}
	return page, last, nil
}

// days returns the first moments of the oldest and of the newest day that may have
// entries which pass the filter. oldest is zero if there are none.
func (l *Log) days(ctx context.Context, f Filter) (oldest, newest time.Time, err error) {
	err = l.store.List(ctx, archive.AuditPrefix, "", func(info archive.Info) bool {
		text, _, _ := strings.Cut(strings.TrimPrefix(info.Key, archive.AuditPrefix), "/")
		var parseErr error
		oldest, parseErr = time.Parse(time.DateOnly, text)
		return parseErr != nil // skip an object that is no entry
	})
	if err != nil || oldest.IsZero() {
		return time.Time{}, time.Time{}, err
	}

	// The clock of another process may be ahead, so the day after today is listed too.
	newest = l.now().UTC().Truncate(day).Add(day)
	if !f.Until.IsZero() && f.Until.Before(newest) {
		newest = f.Until.UTC().Add(-time.Nanosecond).Truncate(day)
	}
	if f.After != "" {
		if at := timeOf(f.After).Truncate(day); at.Before(newest) {
			newest = at
		}
	}
	if since := f.Since.UTC().Truncate(day); !f.Since.IsZero() && since.After(oldest) {
		oldest = since
	}
	return oldest, newest, nil
}

// names returns the ids of at most limit entries of a day that pass the times of the
// filter, the newest first.
func (l *Log) names(ctx context.Context, at time.Time, f Filter, limit int) ([]string, error) {
	prefix := archive.AuditDayPrefix(at)
	after := ""
	if f.After != "" {
		after = prefix + f.After + ".json"
	}

	var names []string
	err := l.store.List(ctx, prefix, after, func(info archive.Info) bool {
		id := strings.TrimSuffix(strings.TrimPrefix(info.Key, prefix), ".json")
		switch {
		case !api.IsAuditCursor(id): // no entry
			return true
		case !f.Until.IsZero() && !timeOf(id).Before(f.Until):
			return true
		case !f.Since.IsZero() && timeOf(id).Before(f.Since):
			return false
		}
		names = append(names, id)
		return len(names) < limit
	})
	return names, err
}

// read returns an entry. If it was deleted meanwhile, the entry has no id. If it is
// damaged, the entry has only the id, the time and the reason, so that the other entries
// can still be listed.
func (l *Log) read(ctx context.Context, id string) (api.AuditEntry, error) {
	var e api.AuditEntry
	_, _, err := archive.ReadJSON(ctx, l.store, archive.AuditKey(timeOf(id), id), &e)
	if errors.Is(err, archive.ErrNotFound) {
		return api.AuditEntry{}, nil
	}
	if err == nil && e.ID != id {
		err = fault.New(fault.Internal, "object %s in the archive is damaged: it is the entry %q", archive.AuditKey(timeOf(id), id), e.ID)
	}
	if fault.CodeOf(err) == fault.Internal {
		return api.AuditEntry{Format: Format, ID: id, At: api.At(timeOf(id)), Outcome: api.AuditUnreadable, Reason: fault.PublicMessage(err)}, nil
	}
	return e, err
}

// Expire deletes the entries of all days that ended before a time, the oldest first, and
// returns how many it deleted.
func (l *Log) Expire(ctx context.Context, before time.Time) (int, error) {
	var keys []string
	err := l.store.List(ctx, archive.AuditPrefix, "", func(info archive.Info) bool {
		text, _, _ := strings.Cut(strings.TrimPrefix(info.Key, archive.AuditPrefix), "/")
		of, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return true
		}
		if of.Add(day).After(before) {
			return false
		}
		keys = append(keys, info.Key)
		return true
	})
	if err != nil {
		return 0, err
	}
	for n, key := range keys {
		if err := l.store.Delete(ctx, key); err != nil {
			return n, err
		}
	}
	return len(keys), nil
}
