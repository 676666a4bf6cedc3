package measure

import (
	"context"
	"slices"
	"time"
)

const (
	// mostRefreshed is the maximum number of comparisons that one call of Refresh reads. If
	// there are more, Refresh reads the newest.
	mostRefreshed = 1000
	// overlap is subtracted from since, the parameter of Refresh. The clocks of processes
	// differ, and a document is not listed until some time after its task has ended.
	overlap = 2 * time.Minute
)

// Recent lists the newest documents.
type Recent interface {
	Since(ctx context.Context, since time.Time, limit int) (taskIDs []string, err error)
}

// Refresh adds the comparisons that ended after since, also those of other processes that
// use the same archive.
func (t *Tables) Refresh(ctx context.Context, recent Recent, records Records, since time.Time) error {
	ids, err := recent.Since(ctx, since.Add(-overlap), mostRefreshed)
	if err != nil {
		return err
	}
	slices.Reverse(ids) // the oldest comparison is first now
	for batch := range slices.Chunk(ids, readAtOnce) {
		read, err := readComparisons(ctx, records, batch)
		if err != nil {
			return err
		}
		for _, c := range read {
			t.Add(c)
		}
	}
	return nil
}
