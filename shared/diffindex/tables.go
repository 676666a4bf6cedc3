package diffindex

import (
	"context"
	"strings"

	"ace/shared/archive"
	"ace/shared/timelist"
)

// Tables calls fn for every table that has a document in the list, until fn returns
// false. It passes the ids of the tasks of the table's newest documents: at most limit
// ids, the newest first. The number of entries that it lists per table is bounded,
// however many documents the table has. Tables does not pass the names of the tables,
// because a key may contain only a shortened name. The full name is in the task's record.
// A task or its document may have been deleted.
func (x *Index) Tables(ctx context.Context, limit int, fn func(taskIDs []string) bool) error {
	s := &tableScan{limit: limit, fn: fn}
	for !s.done {
		s.done = true // restart sets it to false if another listing must follow
		err := x.store.List(ctx, archive.DiffIndexRoot, archive.DiffIndexRoot+s.after, func(info archive.Info) bool {
			return s.add(strings.TrimPrefix(info.Key, archive.DiffIndexRoot))
		})
		if err != nil {
			return err
		}
	}
	s.flush()
	return nil
}

const (
	// skippedEntries is the number of entries that a listing skips when it has enough
	// entries of a table. If the table has more entries, a new listing begins after the
	// table. To skip this many entries costs less than a new listing.
	skippedEntries = 128
	// afterSlash sorts after "/". So a directory's name with afterSlash sorts after all
	// keys in the directory, and before those of every directory that follows.
	afterSlash = "0"
)

// tableScan is the state of one call of Tables.
type tableScan struct {
	limit int
	fn    func([]string) bool

	directory string // <cluster>/<table> of the last entry
	ids       []string
	skipped   int
	after     string // the next listing begins after this key
	done      bool   // there is no next listing
	refused   bool   // fn has returned false
}

// add adds the next key, without the prefix of the list, and reports whether the listing
// continues. If it does not continue and s.done is false, another listing follows.
func (s *tableScan) add(key string) bool {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) < 3 {
		return true
	}

	if directory := parts[0] + "/" + parts[1]; directory != s.directory {
		s.flush()
		s.directory, s.skipped = directory, 0
	}
	switch {
	case s.refused:
		return false
	case parts[0] == archive.AllSegment: // this list repeats the entries of the lists of all clusters
		return s.restart(parts[0])
	case parts[1] == archive.AllSegment: // this list repeats the entries of the lists of all tables of the cluster
		return s.restart(s.directory)
	case len(s.ids) < s.limit:
		if timelist.IsName(parts[2]) {
			s.ids = append(s.ids, timelist.TaskID(parts[2]))
		}
		return true
	case s.skipped < skippedEntries:
		s.skipped++
		return true
	}
	return s.restart(s.directory)
}

// restart makes the next listing begin after a directory. It returns false, the result of
// add that ends the current listing.
func (s *tableScan) restart(directory string) (more bool) {
	s.after, s.done = directory+afterSlash, false
	return false
}

// flush passes the ids of the last table to fn.
func (s *tableScan) flush() {
	if len(s.ids) > 0 && !s.refused {
		s.refused = !s.fn(s.ids)
	}
	s.ids = nil
}
