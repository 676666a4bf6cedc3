package diffindex

import (
	"context"
	"strings"

	"ace/shared/archive"
)

// Tables calls fn for every table that has a document in the list, with the ids of the
// tasks of its newest documents, newest first and at most limit, until fn returns false.
// It requests one page of a listing per table, however many documents the table has.
// Names that are too long for a key are shortened there, so Tables does not return the
// names: the record of each task has them. A task or its document may have been deleted.
func (x *Index) Tables(ctx context.Context, limit int, fn func(taskIDs []string) bool) error {
	for after := ""; ; {
		directory, ids, err := x.nextTable(ctx, after, limit)
		if err != nil || directory == "" {
			return err
		}

		cluster, table, _ := strings.Cut(directory, "/")
		switch {
		case cluster == archive.AllSegment: // the lists of all clusters repeat those of each cluster
			after = cluster + afterSlash
			continue
		case table != archive.AllSegment && len(ids) > 0 && !fn(ids):
			return nil
		}
		after = directory + afterSlash
	}
}

// afterSlash sorts after "/". So a directory's name with afterSlash sorts after all keys
// in the directory, and before those of every directory that follows.
const afterSlash = "0"

// nextTable returns the first directory <cluster>/<table> whose entries follow after, and
// the task ids of its first entries. The directory is "" if there is none.
func (x *Index) nextTable(ctx context.Context, after string, limit int) (directory string, ids []string, err error) {
	err = x.store.List(ctx, archive.DiffIndexRoot, archive.DiffIndexRoot+after, func(info archive.Info) bool {
		parts := strings.SplitN(strings.TrimPrefix(info.Key, archive.DiffIndexRoot), "/", 3)
		if len(parts) < 3 {
			return true
		}
		at := parts[0] + "/" + parts[1]
		if directory == "" {
			directory = at
		}
		if at != directory {
			return false
		}
		if cursorPattern.MatchString(parts[2]) {
			_, id, _ := strings.Cut(parts[2], "-")
			ids = append(ids, id)
		}
		return len(ids) < limit
	})
	return directory, ids, err
}
