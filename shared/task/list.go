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

// Page is a page of the list of tasks, the newest first.
type Page struct {
	Records []Record
	// Unreadable are tasks whose records are damaged, or which a newer version has stored.
	// They may or may not pass the filter: their types and states are unknown.
	Unreadable []Unreadable
	Next       string // the cursor of the next page; "" on the last page
}

// Unreadable is a task whose record cannot be read.
type Unreadable struct {
	TaskID string
	Err    error
}

// List returns a page of tasks. It may have fewer records than the limit, or none, even
// if it is not the last, because one call reads at most 1000 records. The tasks of a
// cluster and of a table have lists of their own, and the tasks that are QUEUED or
// RUNNING are found by their open markers. So only other filters read records that they
// exclude.
func (r *Registry) List(ctx context.Context, f Filter) (Page, error) {
	if name, ok := nameOfFlat(f.After); ok { // a cursor of an earlier version
		f.After = name
	}
	if err := f.check(); err != nil {
		return Page{}, err
	}

	found, err := r.names(ctx, f)
	if err != nil {
		return Page{}, err
	}
	names, unreadable := found.names, found.unreadable
	next := ""
	if most := f.mostRead(); len(names) > most {
		names, next = names[:most], names[most-1].Name
	}
	if f.Type != "" {
		names = slices.DeleteFunc(names, func(v timelist.Version) bool { return !mayHaveType(timelist.TaskID(v.Name), f.Type) })
		unreadable = slices.DeleteFunc(unreadable, func(u Unreadable) bool { return !mayHaveType(u.TaskID, f.Type) })
	}

	page := Page{Unreadable: unreadable}
	for len(names) > 0 {
		batch := names[:min(len(names), max(f.limit(), atOnce))]
		names = names[len(batch):]
		read, err := fanout.Map(ctx, atOnce, batch, r.readListed)
		if err != nil {
			return Page{}, err
		}
		for i, l := range read {
			switch {
			case l.unread != nil && found.mayPass(f, batch[i].Name):
				page.Unreadable = append(page.Unreadable, Unreadable{timelist.TaskID(batch[i].Name), l.unread})
			case l.record != nil && f.matches(*l.record):
				page.Records = append(page.Records, *l.record)
			}
			if len(page.Records) == f.limit() && (i+1 < len(batch) || len(names) > 0) {
				page.Next = batch[i].Name
				return page, nil
			}
		}
	}
	page.Next = next
	return page, nil
}

func (f Filter) limit() int { return cmp.Or(f.Limit, defaultLimit) }

// mostRead returns the maximum number of records that one call of List reads.
func (f Filter) mostRead() int {
	if f.Type == "" && f.Status == "" && f.Parent == "" && (f.Clusters == nil || f.ClusterName != "") {
		return f.limit()
	}
	return max(f.limit(), scanLimit)
}

// candidates is what a list has for a page.
type candidates struct {
	// names has the names of the entries to read, with their versions. If there are
	// more, it also has the next one, so that the caller detects that the page is not
	// the last.
	names []timelist.Version
	// flat has those names that are only in the flat list, which has tasks of all clusters.
	flat map[string]bool
	// unreadable are open tasks. Their names are unknown, so they are on the first page.
	unreadable []Unreadable
}

// mayPass reports whether an unreadable task is in a list of only what the filter
// selects. Otherwise its cluster and its table are unknown, so the caller may not see it.
func (c candidates) mayPass(f Filter, name string) bool {
	if c.flat[name] {
		return f.Clusters == nil && f.ClusterName == "" && f.TableName == ""
	}
	return f.Clusters == nil || f.ClusterName != "" || len(f.Clusters) <= atOnce
}

// names finds the entries of a page.
func (r *Registry) names(ctx context.Context, f Filter) (candidates, error) {
	of := timelist.Range{After: f.After, Most: f.mostRead() + 1}
	if f.Status == Queued || f.Status == Running {
		names, unreadable, err := r.openNames(ctx, of)
		if f.After != "" || f.ClusterName != "" || f.TableName != "" || f.Clusters != nil {
			unreadable = nil
		}
		return candidates{names: names, unreadable: unreadable}, err
	}
	// The flat list is read first: a task that is moved meanwhile is in one of the lists.
	flat, err := r.flatNames(ctx, of.After, of.Most)
	if err != nil {
		return candidates{}, err
	}
	lists, err := fanout.Map(ctx, atOnce, f.clusters(), func(ctx context.Context, cluster string) ([]timelist.Version, error) {
		return timelist.Names(ctx, r.store, archive.TaskIndexPrefix(cluster, f.TableName), of)
	})
	return candidates{names: timelist.Merge(of.Most, append(lists, flat)...), flat: onlyIn(flat, lists)}, err
}

// onlyIn returns the names in flat that are in none of the lists. In an archive without
// tasks of earlier versions, flat is empty.
func onlyIn(flat []timelist.Version, lists [][]timelist.Version) map[string]bool {
	if len(flat) == 0 {
		return nil
	}
	only := map[string]bool{}
	for _, v := range flat {
		only[v.Name] = true
	}
	for _, list := range lists {
		for _, v := range list {
			delete(only, v.Name)
		}
	}
	return only
}

// clusters returns the clusters whose lists have all tasks that pass the filter. The
// cluster "" has the tasks of all clusters.
func (f Filter) clusters() []string {
	if f.ClusterName == "" && f.Clusters != nil && len(f.Clusters) <= atOnce {
		return f.Clusters
	}
	return []string{f.ClusterName}
}

// openNames returns the names of the tasks that have an open marker, and those of these
// tasks that cannot be read. The tasks may have no entry yet.
func (r *Registry) openNames(ctx context.Context, of timelist.Range) ([]timelist.Version, []Unreadable, error) {
	open, err := r.openSet(ctx)
	if err != nil {
		return nil, nil, err
	}
	ids := slices.DeleteFunc(slices.Sorted(maps.Keys(open)), func(id string) bool { return CheckID(id) != nil })
	read, err := fanout.Map(ctx, atOnce, ids, r.getListed)
	if err != nil {
		return nil, nil, err
	}

	var names []timelist.Version
	var unreadable []Unreadable
	for i, l := range read {
		switch {
		case l.unread != nil:
			unreadable = append(unreadable, Unreadable{ids[i], l.unread})
		case l.record != nil && indexName(*l.record) > of.After:
			names = append(names, timelist.Version{Name: indexName(*l.record)})
		}
	}
	return timelist.Merge(of.Most, names), unreadable, nil
}

// listed is what was read for an entry. Both members are nil for a task that retention
// has deleted.
type listed struct {
	record *Record
	unread error // why the record cannot be read
}

// readListed returns the record of the task with an entry. The record of a task that has
// ended does not change until the task is forgotten, which changes the version of the
// entry. So it is read only once.
func (r *Registry) readListed(ctx context.Context, v timelist.Version) (listed, error) {
	if rec, ok := r.ended.Get(v); ok {
		return listed{record: rec}, nil
	}
	l, err := r.getListed(ctx, timelist.TaskID(v.Name))
	if rec := l.record; rec != nil && rec.Status.Terminal() && len(rec.Result)+len(rec.Parameters) <= maxCachedSize {
		r.ended.Put(v, rec)
	}
	return l, err
}

// getListed returns the record of a task for a list. An error means that no record can be
// read now.
func (r *Registry) getListed(ctx context.Context, id string) (listed, error) {
	rec, err := r.Get(ctx, id)
	switch {
	case err == nil:
		return listed{record: &rec}, nil
	case fault.CodeOf(err) == fault.NotFound:
		return listed{}, nil
	case IsUnreadable(err):
		return listed{unread: err}, nil
	}
	return listed{}, err
}

// IsUnreadable reports whether an error of Get means that the task's record is damaged or
// was stored by a newer version. It concerns this task only, and a retry does not help.
func IsUnreadable(err error) bool {
	var fe *fault.Error
	return errors.Is(err, ErrNewer) || errors.As(err, &fe) && fe.Code == fault.Internal
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
// data that is derived from the records. It skips a task that is deleted meanwhile. It
// ends with the first error, unless the error means that the record is unreadable (see
// IsUnreadable); the yielded record then has nothing but its TaskID.
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
			rec.TaskID = id
			stopped = !yield(rec, err) || err != nil && !IsUnreadable(err)
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
			if IsUnreadable(err) {
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
