package task

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	indexPrefix  = "index/_tasks/"
	maxMillis    = 9_999_999_999_999 // 13 digits, the year 2286
	defaultLimit = 100
	maxLimit     = 1000
	scanLimit    = 1000 // index entries one call of List looks at
)

var cursorPattern = regexp.MustCompile(`^[0-9]{13}-t[dr]_[0-9a-z_]+$`)

// entry is the content of an index object: enough to pass over a task without reading its record.
type entry struct {
	TaskID      string `json:"task_id"`
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname"`
	TableName   string `json:"table_name"`
}

// indexName makes the newest task the first in a listing.
func indexName(rec Record) string {
	return indexStamp(rec.SubmittedAt) + "-" + rec.TaskID
}

func indexStamp(t time.Time) string { return fmt.Sprintf("%013d", maxMillis-t.UnixMilli()) }

// index lists the task. A failure is made good by the next Acquire: the task itself must not depend on it.
func (r *Registry) index(ctx context.Context, rec Record) {
	body, err := json.Marshal(entry{rec.TaskID, rec.ClusterName, rec.DBName, rec.TableName})
	if err == nil {
		_, _ = r.store.Put(ctx, indexPrefix+indexName(rec), contentType, body)
	}
}

// Filter says which tasks to list; empty fields do not restrict.
type Filter struct {
	ClusterName, TableName string
	Status                 Status
	Limit                  int    // at most so many records: 1 to 1000, 0 means 100
	After                  string // the cursor of the page before
}

// List gives tasks, the newest first, and the cursor of the next page, empty on the last. A page may have fewer
// records than the limit, even none, and still be followed by another: one call looks at 1000 tasks at most.
func (r *Registry) List(ctx context.Context, f Filter) ([]Record, string, error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	names, err := r.indexNames(ctx, f.After)
	if err != nil {
		return nil, "", err
	}
	limit := cmp.Or(f.Limit, defaultLimit)
	var records []Record
	for i, name := range names {
		if len(records) == limit || i == scanLimit {
			return records, names[i-1], nil
		}
		rec, ok, err := r.listed(ctx, name, f)
		if err != nil {
			return nil, "", err
		}
		if ok {
			records = append(records, rec)
		}
	}
	return records, "", nil
}

func (f Filter) check() error {
	if f.Limit < 0 || f.Limit > maxLimit {
		return fault.New(fault.Invalid, "limit is %d; allowed is 1 to %d", f.Limit, maxLimit)
	}
	if f.Status != "" && !slices.Contains(Statuses(), f.Status) {
		return fault.New(fault.Invalid, "status is %q; allowed are %v", f.Status, Statuses())
	}
	if f.After != "" && !cursorPattern.MatchString(f.After) {
		return fault.New(fault.Invalid, "after is %q; it must be the cursor that came with the page before", f.After)
	}
	return nil
}

// indexNames lists one entry more than List looks at, so that it knows whether another page follows.
func (r *Registry) indexNames(ctx context.Context, after string) ([]string, error) {
	if after != "" {
		after = indexPrefix + after
	}
	var names []string
	err := r.store.List(ctx, indexPrefix, after, func(info archive.Info) bool {
		names = append(names, strings.TrimPrefix(info.Key, indexPrefix))
		return len(names) <= scanLimit
	})
	return names, err
}

// listed reads the task behind an index entry if it passes the filter. One that retention has removed does not.
func (r *Registry) listed(ctx context.Context, name string, f Filter) (Record, bool, error) {
	if f.ClusterName != "" || f.TableName != "" {
		var e entry
		if _, err := r.readJSON(ctx, indexPrefix+name, &e); err != nil {
			return Record{}, false, ignoreNotFound(err)
		}
		if !f.passes(e) {
			return Record{}, false, nil
		}
	}
	_, id, _ := strings.Cut(name, "-")
	rec, err := r.Get(ctx, id)
	if err != nil {
		return Record{}, false, ignoreNotFound(err)
	}
	return rec, f.Status == "" || f.Status == rec.Status, nil
}

func (f Filter) passes(e entry) bool {
	return (f.ClusterName == "" || f.ClusterName == e.ClusterName) &&
		(f.TableName == "" || f.TableName == e.TableName)
}

// All reads every task there is, in the order of the keys: for repairs of what is derived from the records. It ends with
// the first error. A task that goes meanwhile is passed over.
func (r *Registry) All(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		stopped := false
		err := r.store.List(ctx, archive.TasksPrefix, "", func(info archive.Info) bool {
			id, ok := archive.TaskIDOfRecord(info.Key)
			if !ok {
				return true
			}
			rec, err := r.Get(ctx, id)
			if fault.CodeOf(err) == fault.NotFound {
				return true
			}
			stopped = !yield(rec, err) || err != nil
			return !stopped
		})
		if err != nil && !stopped {
			yield(Record{}, err)
		}
	}
}

func ignoreNotFound(err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return nil
	}
	return err
}
