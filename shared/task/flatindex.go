package task

import (
	"context"
	"strings"
	"sync/atomic"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/timelist"
)

// Earlier versions wrote one entry per task, all below archive.FlatTaskIndexPrefix. List
// reads that list too. MoveIndex moves its entries to the lists of this version.

// stampDigits is the number of digits with which a name in the flat list begins.
const stampDigits = 13

// flatName returns the name of an entry in the flat list. Names in both lists sort alike.
func flatName(name string) string { return strings.Replace(name, "/", "", 1) }

func flatKey(name string) string { return archive.FlatTaskIndexPrefix + flatName(name) }

// nameOfFlat returns the name in the lists of this version for a name in the flat list.
// It returns false if flat is not the name of an entry.
func nameOfFlat(flat string) (string, bool) {
	if len(flat) < stampDigits {
		return "", false
	}
	name := timelist.Split(flat[:stampDigits]) + flat[stampDigits:]
	return name, timelist.IsName(name) && CheckID(timelist.TaskID(name)) == nil
}

// flatNames returns the first names in the flat list that follow after, as names in the
// lists of this version.
func (r *Registry) flatNames(ctx context.Context, after string, most int) ([]timelist.Version, error) {
	if after != "" {
		after = flatKey(after)
	}
	var names []timelist.Version
	err := r.store.List(ctx, archive.FlatTaskIndexPrefix, after, func(info archive.Info) bool {
		if name, ok := nameOfFlat(strings.TrimPrefix(info.Key, archive.FlatTaskIndexPrefix)); ok {
			names = append(names, timelist.Version{Name: name, ETag: info.ETag})
		}
		return len(names) < most
	})
	return names, err
}

// moveBatch is the number of names that MoveIndex holds in memory.
const moveBatch = 1000

// MoveIndex moves the tasks in the list that earlier versions wrote to the lists of this
// version, and returns their number. It may be interrupted and repeated, and may run at
// the same time as other processes: a task is always in one of the lists.
func (r *Registry) MoveIndex(ctx context.Context) (int, error) {
	var moved atomic.Int64
	for after := ""; ; {
		names, err := r.flatNames(ctx, after, moveBatch)
		if err != nil || len(names) == 0 {
			return int(moved.Load()), err
		}
		after = names[len(names)-1].Name
		_, err = fanout.Map(ctx, atOnce, names, func(ctx context.Context, v timelist.Version) (struct{}, error) {
			ok, err := r.moveEntry(ctx, v.Name)
			if ok {
				moved.Add(1)
			}
			return struct{}{}, err
		})
		if err != nil {
			return int(moved.Load()), err
		}
	}
}

// moveEntry moves one entry, and reports whether it did. An entry that cannot be decoded
// is replaced by one from the record; without a record it is left.
func (r *Registry) moveEntry(ctx context.Context, name string) (bool, error) {
	var e entry
	_, err := r.readJSON(ctx, flatKey(name), &e)
	switch code := fault.CodeOf(err); {
	case code == fault.NotFound: // another process has moved it
		return false, nil
	case code == fault.Internal, err == nil && e.TaskID == "":
		rec, err := r.Get(ctx, timelist.TaskID(name))
		if err != nil {
			return false, ignoreUnreadable(err)
		}
		e = entryOf(rec)
	case err != nil:
		return false, err
	}

	// The entries are written before the flat one is deleted, and List reads the flat list
	// first, so no reader misses the task.
	if err := r.putEntry(ctx, e, append(e.narrowKeys(name), allTasks()+name)); err != nil {
		return false, err
	}
	return true, r.store.Delete(ctx, flatKey(name))
}

// ignoreUnreadable returns nil for the error of a record that does not exist or is
// unreadable.
func ignoreUnreadable(err error) error {
	if fault.CodeOf(err) == fault.NotFound || IsUnreadable(err) {
		return nil
	}
	return err
}
