package task

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// Open returns the ids of the tasks that have an open marker, the oldest submission
// first. Most of these tasks have not ended. A few may have ended without having been
// cleared; Acquire refuses these and clears them.
func (r *Registry) Open(ctx context.Context) ([]string, error) {
	var ids []string
	err := r.store.List(ctx, archive.OpenPrefix, "", func(info archive.Info) bool {
		if id := strings.TrimPrefix(info.Key, archive.OpenPrefix); CheckID(id) == nil {
			ids = append(ids, id)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	submitted, err := r.submittedWithinOneSecond(ctx, ids)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(strings.Compare(idSecond(a), idSecond(b)), submitted[a].Compare(submitted[b]), strings.Compare(a, b))
	})
	return ids, nil
}

// submittedWithinOneSecond returns, by task id, the submission times of those tasks that
// were submitted in the same second as another of the tasks. A task id contains the
// submission time only in seconds, so such tasks cannot be ordered by their ids.
func (r *Registry) submittedWithinOneSecond(ctx context.Context, ids []string) (map[string]time.Time, error) {
	perSecond := make(map[string]int)
	for _, id := range ids {
		perSecond[idSecond(id)]++
	}
	submitted := make(map[string]time.Time)
	for _, id := range ids {
		if perSecond[idSecond(id)] == 1 {
			continue
		}
		var m openMarker
		_, err := r.readJSON(ctx, archive.OpenKey(id), &m)
		if err != nil && !errors.Is(err, archive.ErrNotFound) && fault.CodeOf(err) != fault.Internal { // a damaged marker only has no time
			return nil, err
		}
		submitted[id] = m.SubmittedAt
	}
	return submitted, nil
}
