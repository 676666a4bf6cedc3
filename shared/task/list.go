package task

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	indexPrefix  = "index/_tasks/"
	maxMillis    = 9_999_999_999_999 // the largest number of 13 digits: a time in the year 2286, in Unix milliseconds
	defaultLimit = 100
	maxLimit     = 1000
	scanLimit    = 1000 // the most index entries that one call of List reads
)

var cursorPattern = regexp.MustCompile(`^[0-9]{13}-` + api.TaskIDForm + `$`)

// entry is the content of an index object. It lets List skip a task without reading its
// record.
type entry struct {
	TaskID      string `json:"task_id"`
	Type        Type   `json:"task_type,omitempty"` // empty in entries of earlier versions
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname"`
	TableName   string `json:"table_name"`
	Parent      string `json:"parent,omitempty"`
}

// indexName returns a name that sorts the newest task first.
func indexName(rec Record) string {
	return indexStamp(rec.SubmittedAt) + "-" + rec.TaskID
}

func indexStamp(t time.Time) string { return fmt.Sprintf("%013d", maxMillis-t.UnixMilli()) }

// putIndexEntry adds the task to the index.
func (r *Registry) putIndexEntry(ctx context.Context, rec Record) error {
	body, err := json.Marshal(entry{rec.TaskID, rec.Type, rec.ClusterName, rec.DBName, rec.TableName, rec.Parent})
	if err == nil {
		_, err = r.store.Put(ctx, indexPrefix+indexName(rec), contentType, body)
	}
	return err
}

// ensureIndexed adds the task to the index unless this process has added it. It must
// succeed before a task leaves the status QUEUED, because later nothing adds the task. So
// it repeats a failed write: otherwise one lost request would delay the task until the
// next sweep.
func (r *Registry) ensureIndexed(ctx context.Context, rec Record) error {
	if r.indexed.remove(rec.TaskID) {
		return nil
	}
	always := func(error) bool { return true }
	return writes(always).Do(ctx, func() error { return r.putIndexEntry(ctx, rec) })
}

// indexedTasks has the tasks that this process has added to the index and not yet
// acquired. It only avoids a second write of their entries, so it may forget tasks.
type indexedTasks struct {
	mu  sync.Mutex
	ids map[string]bool
}

// maxIndexed bounds the number of tasks in indexedTasks. A process that only submits
// tasks never removes one.
const maxIndexed = 1000

func (i *indexedTasks) add(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ids == nil || len(i.ids) >= maxIndexed {
		i.ids = map[string]bool{}
	}
	i.ids[id] = true
}

// remove removes a task and reports whether it was there.
func (i *indexedTasks) remove(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	found := i.ids[id]
	delete(i.ids, id)
	return found
}

// NoParent as Filter.Parent selects the tasks that have no parent.
const NoParent = "none"

// Filter selects the tasks to list. An empty field does not restrict the list.
type Filter struct {
	ClusterName, TableName string
	Type                   Type
	Status                 Status
	Parent                 string // the id of a parent task, or NoParent
	// Clusters limits the list to the tasks of the named clusters. nil means all
	// clusters.
	Clusters []string
	Limit    int    // most records to return: 1 to 1000; 0 means 100
	After    string // the cursor that List returned with the previous page
}

// List returns tasks, the newest first, and the cursor of the next page; the cursor is
// empty on the last page. A page may have fewer records than the limit, or none, even if
// it is not the last, because one call reads at most 1000 tasks.
func (r *Registry) List(ctx context.Context, f Filter) ([]Record, string, error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	limit := cmp.Or(f.Limit, defaultLimit)
	most := scanLimit
	if f.isEmpty() { // every task is listed
		most = limit
	}
	names, err := r.indexNames(ctx, f.After, most)
	if err != nil {
		return nil, "", err
	}

	var records []Record
	for i, name := range names {
		if len(records) == limit || i == most {
			return records, names[i-1], nil
		}
		rec, ok, err := r.readEntry(ctx, name, f)
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
		return fault.New(fault.Invalid, "limit is %d; it must be 1 to %d", f.Limit, maxLimit)
	}
	if f.Status != "" && !slices.Contains(Statuses(), f.Status) {
		return fault.New(fault.Invalid, "status is %q; it must be one of %v", f.Status, Statuses())
	}
	if f.Type != "" && !slices.Contains(Types(), f.Type) {
		return fault.New(fault.Invalid, "task_type is %q; it must be one of %v", f.Type, Types())
	}
	if f.After != "" && !cursorPattern.MatchString(f.After) {
		return fault.New(fault.Invalid, "after is %q; it must be the value of next of the previous page", f.After)
	}
	return nil
}

// indexNames returns the names of at most most+1 index entries that follow after. If
// there are most+1, the caller must not list the last, which only shows that another page
// follows. indexNames skips objects that are no entries.
func (r *Registry) indexNames(ctx context.Context, after string, most int) ([]string, error) {
	if after != "" {
		after = indexPrefix + after
	}
	var names []string
	err := r.store.List(ctx, indexPrefix, after, func(info archive.Info) bool {
		if name := strings.TrimPrefix(info.Key, indexPrefix); isEntry(name) {
			names = append(names, name)
		}
		return len(names) <= most
	})
	return names, err
}

// isEntry reports whether name is the name of an index entry.
func isEntry(name string) bool {
	_, id, _ := strings.Cut(name, "-")
	return cursorPattern.MatchString(name) && api.IsTaskID(id)
}

// readEntry reads the task of an index entry and reports whether it passes the filter. A
// task that retention has deleted does not pass.
func (r *Registry) readEntry(ctx context.Context, name string, f Filter) (Record, bool, error) {
	_, id, _ := strings.Cut(name, "-")
	if f.Type != "" && !mayHaveType(id, f.Type) {
		return Record{}, false, nil
	}
	if f.readsEntry() {
		var e entry
		if _, err := r.readJSON(ctx, indexPrefix+name, &e); err != nil {
			return Record{}, false, ignoreNotFound(err)
		}
		if !f.matches(e) {
			return Record{}, false, nil
		}
	}
	rec, err := r.Get(ctx, id)
	if errors.Is(err, ErrNewer) {
		return Record{}, false, nil // a list without it is better than none
	}
	if err != nil {
		return Record{}, false, ignoreNotFound(err)
	}
	return rec, (f.Status == "" || f.Status == rec.Status) && (f.Type == "" || f.Type == rec.Type), nil
}

// readsEntry reports whether the filter depends on the content of an index entry.
func (f Filter) readsEntry() bool {
	return f.ClusterName != "" || f.TableName != "" || f.Type != "" || f.Parent != "" || f.Clusters != nil
}

// isEmpty reports whether every task passes the filter.
func (f Filter) isEmpty() bool { return !f.readsEntry() && f.Status == "" }

func (f Filter) matches(e entry) bool {
	return (f.ClusterName == "" || f.ClusterName == e.ClusterName) &&
		(f.Clusters == nil || slices.Contains(f.Clusters, e.ClusterName)) &&
		(f.TableName == "" || f.TableName == e.TableName) &&
		(f.Type == "" || e.Type == "" || f.Type == e.Type) &&
		(f.Parent == "" || f.Parent == e.Parent || f.Parent == NoParent && e.Parent == "")
}

// All yields the record of every task, in the order of the keys. It is used to rebuild
// data that is derived from the records. It ends with the first error and skips a task
// that is deleted meanwhile.
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
