package diffindex

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

var cursorPattern = regexp.MustCompile(`^[0-9]{5}/[0-9]{8}-t[dr]_[0-9a-z_]{1,40}$`)

// Filter selects the documents to list. An empty field does not restrict the list.
type Filter struct {
	ClusterName string
	TableName   string
	Since       time.Time // only documents that finished at this time or later
	Until       time.Time // only documents that finished before this time
	Limit       int       // page size: 1 to 1000, 0 means 100
	After       string    // the cursor that the previous page returned
}

// List returns a page of documents, the one that finished last first, and the cursor of
// the next page. The cursor is empty on the last page. A page may have fewer entries than
// the limit, or none, if documents were deleted without their entries.
func (x *Index) List(ctx context.Context, f Filter) ([]Entry, string, error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}

	names, err := x.names(ctx, f)
	if err != nil {
		return nil, "", err
	}

	next := ""
	if limit := f.limit(); len(names) > limit {
		names, next = names[:limit], names[limit-1]
	}

	prefix := archive.DiffIndexPrefix(f.ClusterName, f.TableName)
	listed, err := fanout.Map(ctx, atOnce, names, func(ctx context.Context, name string) (*Entry, error) {
		entry, exists, err := x.read(ctx, prefix+name)
		if !exists {
			return nil, err
		}
		return &entry, err
	})
	if err != nil {
		return nil, "", err
	}

	entries := make([]Entry, 0, len(listed))
	for _, entry := range listed {
		if entry != nil {
			entries = append(entries, *entry)
		}
	}
	return entries, next, nil
}

func (f Filter) limit() int { return cmp.Or(f.Limit, defaultLimit) }

func (f Filter) check() error {
	if f.Limit < 0 || f.Limit > maxLimit {
		return fault.New(fault.Invalid, "limit is %d; it must be 1 to %d", f.Limit, maxLimit)
	}
	if f.After != "" && !cursorPattern.MatchString(f.After) {
		return fault.New(fault.Invalid, "after is %.60q; it must be the value of next of the previous page", f.After)
	}
	return nil
}

// names returns the names of the page's entries, and one more if another page follows.
func (x *Index) names(ctx context.Context, f Filter) ([]string, error) {
	prefix := archive.DiffIndexPrefix(f.ClusterName, f.TableName)
	var names []string
	err := x.store.List(ctx, prefix, prefix+f.start(), func(info archive.Info) bool {
		name := strings.TrimPrefix(info.Key, prefix)
		if !f.Since.IsZero() && name[:min(len(name), len(stamp(f.Since)))] > stamp(f.Since) {
			return false
		}
		if cursorPattern.MatchString(name) {
			names = append(names, name)
		}
		return len(names) <= f.limit()
	})
	return names, err
}

// start returns the name after which the page begins. That is after the previous page,
// and after all entries that finished at Until or later.
func (f Filter) start() string {
	if f.Until.IsZero() {
		return f.After
	}
	return max(f.After, stamp(f.Until)+".") // "." sorts after the "-" in the names of entries that finished in that millisecond
}
