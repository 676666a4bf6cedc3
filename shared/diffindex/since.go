package diffindex

import (
	"context"
	"time"

	"ace/shared/timelist"
)

// Since returns the ids of the tasks whose documents were finished at the time since or
// later, the newest first. It returns at most limit ids, and limit must be from 1 to
// 1000. It reads only the names of entries, so a task or its document may have been
// deleted.
func (x *Index) Since(ctx context.Context, since time.Time, limit int) ([]string, error) {
	f := Filter{Since: since, Limit: limit}
	if err := f.check(); err != nil {
		return nil, err
	}
	names, err := x.names(ctx, f)
	if err != nil {
		return nil, err
	}

	ids := make([]string, 0, len(names))
	for _, v := range names[:min(len(names), limit)] {
		ids = append(ids, timelist.TaskID(v.Name))
	}
	return ids, nil
}
