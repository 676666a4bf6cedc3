package diffindex

import (
	"cmp"
	"context"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/task"
	"ace/shared/timelist"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
	scanLimit    = 1000 // the most entries that one call of List reads to find entries with a verdict
)

// Filter selects the documents to list. An empty field does not restrict the list.
type Filter struct {
	ClusterName string
	TableName   string
	Verdict     string    // match or differ
	Since       time.Time // only documents that finished at this time or later
	Until       time.Time // only documents that finished before this time
	Limit       int       // page size: 1 to 1000, 0 means 100
	After       string    // the cursor that the previous page returned
	// Sees reports whether documents of a cluster may be listed. nil means that all may be.
	Sees func(cluster string) bool
}

// Page is a page of the list of documents, sorted by the time at which they finished, the
// newest first.
type Page struct {
	Entries []Entry
	// Unreadable are the tasks whose entries and records are damaged. Their documents may
	// or may not pass the filter.
	Unreadable []task.Unreadable
	Next       string // the cursor of the next page; "" on the last page
}

// List returns a page of documents. It may have fewer entries than the limit, or none,
// even if it is not the last: if documents were deleted without their entries, or if few
// of the entries that were read have the verdict.
func (x *Index) List(ctx context.Context, f Filter) (Page, error) {
	if err := f.check(); err != nil {
		return Page{}, err
	}

	names, err := x.names(ctx, f)
	if err != nil {
		return Page{}, err
	}

	page := Page{Entries: []Entry{}}
	next := ""
	if most := f.mostRead(); len(names) > most {
		names, next = names[:most], names[most-1].Name
	}

	for len(names) > 0 {
		batch := names[:min(len(names), max(f.limit(), atOnce))]
		names = names[len(batch):]

		read, err := x.readAll(ctx, f, batch)
		if err != nil {
			return Page{}, err
		}
		for i, l := range read {
			if l.unread != nil && (f.Sees == nil || f.ClusterName != "") { // otherwise the caller may not see its cluster
				page.Unreadable = append(page.Unreadable, task.Unreadable{TaskID: timelist.TaskID(batch[i].Name), Err: l.unread})
			}
			if l.entry == nil {
				continue
			}
			page.Entries = append(page.Entries, *l.entry)
			if len(page.Entries) == f.limit() && (i+1 < len(batch) || len(names) > 0) {
				page.Next = batch[i].Name
				return page, nil
			}
		}
	}
	page.Next = next
	return page, nil
}

// listed is what was read for an entry. Both members are nil if the entry or its document
// does not exist, or if the filter excludes its verdict or its cluster.
type listed struct {
	entry  *Entry
	unread error // why neither the entry nor its record can be read
}

// readAll reads these entries.
func (x *Index) readAll(ctx context.Context, f Filter, versions []timelist.Version) ([]listed, error) {
	prefix := archive.DiffIndexPrefix(f.ClusterName, f.TableName)
	read, err := fanout.Map(ctx, atOnce, versions, func(ctx context.Context, v timelist.Version) (listed, error) {
		entry, exists, err := x.cached(ctx, prefix, v)
		switch {
		case task.IsUnreadable(err):
			return listed{unread: err}, nil
		case !exists, f.Verdict != "" && entry.Verdict != f.Verdict, f.Sees != nil && !f.Sees(entry.ClusterName):
			return listed{}, err
		}
		return listed{entry: &entry}, err
	})
	if err != nil {
		return nil, err
	}

	var keys []string
	for _, l := range read {
		if l.entry != nil {
			keys = append(keys, l.entry.Key)
		}
	}
	existing, err := x.documents(ctx, keys)
	for i, l := range read {
		if l.entry != nil && !existing[l.entry.Key] {
			read[i].entry = nil
		}
	}
	return read, err
}

// cached returns a version of an entry, or a newer one. It reads the entry only if the
// version is not cached. It returns false if the entry does not exist any more.
func (x *Index) cached(ctx context.Context, prefix string, v timelist.Version) (Entry, bool, error) {
	if entry, ok := x.entries.Get(v); ok {
		return entry, true, nil
	}
	entry, etag, exists, err := x.readEntry(ctx, prefix+v.Name)
	if exists {
		x.entries.Put(timelist.Version{Name: v.Name, ETag: etag}, entry)
	}
	return entry, exists, err
}

func (f Filter) limit() int { return cmp.Or(f.Limit, defaultLimit) }

// mostRead returns the maximum number of entries that one call reads.
func (f Filter) mostRead() int {
	if f.Verdict != "" || f.Sees != nil {
		return max(f.limit(), scanLimit)
	}
	return f.limit()
}

func (f Filter) check() error {
	if f.Limit < 0 || f.Limit > maxLimit {
		return fault.New(fault.Invalid, "limit is %d; it must be 1 to %d", f.Limit, maxLimit)
	}
	if f.Verdict != "" && f.Verdict != api.VerdictMatch && f.Verdict != api.VerdictDiffer {
		return fault.New(fault.Invalid, "verdict is %.60q; it must be match or differ", f.Verdict)
	}
	if f.After != "" && !timelist.IsName(f.After) {
		return fault.New(fault.Invalid, "after is %.60q; it must be the value of next of the previous page", f.After)
	}
	return nil
}

// names returns the names of the entries to read, with their versions. If there are more
// entries, it also returns the next one, so the caller can detect that the page is not
// the last.
func (x *Index) names(ctx context.Context, f Filter) ([]timelist.Version, error) {
	of := timelist.Range{After: f.start(), Since: f.Since, Most: f.mostRead() + 1}
	return timelist.Names(ctx, x.store, archive.DiffIndexPrefix(f.ClusterName, f.TableName), of)
}

// start returns the name after which the page begins. No entry of the previous page and
// no entry that finished at Until or later has a greater name.
func (f Filter) start() string {
	if f.Until.IsZero() {
		return f.After
	}
	return max(f.After, timelist.Stamp(f.Until)+".") // "." sorts after the "-" in the names of entries that finished in that millisecond
}
