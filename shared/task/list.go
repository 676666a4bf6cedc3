package task

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/timelist"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
	scanLimit    = 1000 // the most records that one call of List reads
)

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
// it is not the last, because one call reads at most 1000 records. The tasks of a cluster
// and of a table have lists of their own, and the tasks that are QUEUED or RUNNING are
// found by their open markers. So only other filters read records that they exclude.
func (r *Registry) List(ctx context.Context, f Filter) ([]Record, string, error) {
	if name, ok := nameOfFlat(f.After); ok { // a cursor of an earlier version
		f.After = name
	}
	if err := f.check(); err != nil {
		return nil, "", err
	}

	names, err := r.names(ctx, f)
	if err != nil {
		return nil, "", err
	}
	next := ""
	if most := f.mostRead(); len(names) > most {
		names, next = names[:most], names[most-1].Name
	}
	if f.Type != "" {
		names = slices.DeleteFunc(names, func(v timelist.Version) bool { return !mayHaveType(timelist.TaskID(v.Name), f.Type) })
	}

	var records []Record
	for len(names) > 0 {
		batch := names[:min(len(names), max(f.limit(), atOnce))]
		names = names[len(batch):]
		read, err := fanout.Map(ctx, atOnce, batch, r.readListed)
		if err != nil {
			return nil, "", err
		}
		for i, rec := range read {
			if rec == nil || !f.matches(*rec) {
				continue
			}
			records = append(records, *rec)
			if len(records) == f.limit() && (i+1 < len(batch) || len(names) > 0) {
				return records, batch[i].Name, nil
			}
		}
	}
	return records, next, nil
}

func (f Filter) limit() int { return cmp.Or(f.Limit, defaultLimit) }

// mostRead returns the maximum number of records that one call of List reads.
func (f Filter) mostRead() int {
	if f.Type == "" && f.Status == "" && f.Parent == "" && (f.Clusters == nil || f.ClusterName != "") {
		return f.limit()
	}
	return max(f.limit(), scanLimit)
}

// names returns the names of the entries to read, with their versions. If there are more,
// it also returns the next one, so the caller can detect that the page is not the last.
func (r *Registry) names(ctx context.Context, f Filter) ([]timelist.Version, error) {
	of := timelist.Range{After: f.After, Most: f.mostRead() + 1}
	if f.Status == Queued || f.Status == Running {
		return r.openNames(ctx, of)
	}
	// The flat list is read first: a task that is moved meanwhile is in one of the lists.
	flat, err := r.flatNames(ctx, of.After, of.Most)
	if err != nil {
		return nil, err
	}
	listed, err := fanout.Map(ctx, atOnce, f.clusters(), func(ctx context.Context, cluster string) ([]timelist.Version, error) {
		return timelist.Names(ctx, r.store, archive.TaskIndexPrefix(cluster, f.TableName), of)
	})
	return timelist.Merge(of.Most, append(listed, flat)...), err
}

// clusters returns the clusters whose lists have all tasks that pass the filter. The
// cluster "" has the tasks of all clusters.
func (f Filter) clusters() []string {
	if f.ClusterName == "" && f.Clusters != nil && len(f.Clusters) <= atOnce {
		return f.Clusters
	}
	return []string{f.ClusterName}
}

// openNames returns the names of the tasks that have an open marker. These tasks may have
// no entry yet.
func (r *Registry) openNames(ctx context.Context, of timelist.Range) ([]timelist.Version, error) {
	open, err := r.openSet(ctx)
	if err != nil {
		return nil, err
	}
	ids := slices.Collect(maps.Keys(open))
	names, err := fanout.Map(ctx, atOnce, ids, func(ctx context.Context, id string) (timelist.Version, error) {
		rec, err := r.Get(ctx, id)
		if err != nil {
			return timelist.Version{}, ignoreUnlisted(err)
		}
		return timelist.Version{Name: indexName(rec)}, nil
	})
	names = slices.DeleteFunc(names, func(v timelist.Version) bool { return v.Name <= of.After })
	return timelist.Merge(of.Most, names), err
}

// readListed returns the record of the task with an entry. It returns nil for a task that
// is not listed: retention has deleted it, or a newer version has stored it. The record
// of a task that has ended does not change until the task is forgotten, which changes the
// version of the entry. So it is read only once.
func (r *Registry) readListed(ctx context.Context, v timelist.Version) (*Record, error) {
	if rec, ok := r.ended.Get(v); ok {
		return rec, nil
	}
	rec, err := r.Get(ctx, timelist.TaskID(v.Name))
	if err != nil {
		return nil, ignoreUnlisted(err)
	}
	if rec.Status.Terminal() && len(rec.Result)+len(rec.Parameters) <= maxCachedSize {
		r.ended.Put(v, &rec)
	}
	return &rec, nil
}

// ignoreUnlisted returns nil for the error of a record that does not exist, or that a
// newer version has stored. A list without it is better than none.
func ignoreUnlisted(err error) error {
	if errors.Is(err, ErrNewer) || fault.CodeOf(err) == fault.NotFound || fault.CodeOf(err) == fault.Invalid {
		return nil
	}
	return err
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
	if f.After != "" && !timelist.IsName(f.After) {
		return fault.New(fault.Invalid, "after is %q; it must be the value of next of the previous page", f.After)
	}
	return nil
}

func (f Filter) matches(rec Record) bool {
	return (f.ClusterName == "" || f.ClusterName == rec.ClusterName) &&
		(f.Clusters == nil || slices.Contains(f.Clusters, rec.ClusterName)) &&
		(f.TableName == "" || f.TableName == rec.TableName) &&
		(f.Type == "" || f.Type == rec.Type) &&
		(f.Status == "" || f.Status == rec.Status) &&
		(f.Parent == "" || f.Parent == rec.Parent || f.Parent == NoParent && rec.Parent == "")
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
			stopped = !yield(rec, err) || err != nil && !errors.Is(err, ErrNewer)
			return !stopped
		})
		if err != nil && !stopped {
			yield(Record{}, err)
		}
	}
}

// Reindex adds every task to the lists of tasks, and returns the number of tasks.
func (r *Registry) Reindex(ctx context.Context) (int, error) {
	var unread error
	count := 0
	records := func(yield func(Record) bool) {
		for rec, err := range r.All(ctx) {
			if errors.Is(err, ErrNewer) {
				continue // its entry stays as it is
			}
			if err != nil {
				unread = err
				return
			}
			count++
			if !yield(rec) {
				return
			}
		}
	}
	err := fanout.Each(ctx, atOnce, records, r.Index)
	return count, cmp.Or(err, unread)
}
