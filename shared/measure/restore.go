package measure

import (
	"context"
	"maps"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/task"
)

const (
	// mostRead is the maximum number of comparisons of a table that Restore reads. If there
	// are more, Restore reads the newest.
	mostRead = 16
	// readAtOnce is the number of records that Restore reads concurrently.
	readAtOnce = 4
)

// Index lists the documents in the archive.
type Index interface {
	// Tables calls fn for each table that has documents, with the tasks of its newest
	// documents, at most limit, the newest first.
	Tables(ctx context.Context, limit int, fn func(taskIDs []string) bool) error
}

// Records reads the records of tasks.
type Records interface {
	Get(ctx context.Context, taskID string) (task.Record, error)
}

// Restore adds the latest comparisons in the archive to the tables. Of each table it
// reads the records of the comparisons from the newest one back to the newest full one,
// but at most mostRead records. It ends early if t has reached its limit of states. Other
// goroutines may call Add at the same time.
func (t *Tables) Restore(ctx context.Context, index Index, records Records) error {
	var failed error
	err := index.Tables(ctx, mostRead, func(ids []string) bool {
		var latest []Comparison
		if latest, failed = readLatest(ctx, records, ids); failed != nil {
			return false
		}
		for _, c := range slices.Backward(latest) { // the oldest comparison is read first
			if !t.Add(c) {
				return false
			}
		}
		return true
	})
	if failed != nil {
		return failed
	}
	return err
}

// readLatest returns the comparisons with these task ids, in this order, the newest
// first. It stops when, for each database of the comparisons read so far, it has read a
// full comparison.
func readLatest(ctx context.Context, records Records, ids []string) ([]Comparison, error) {
	var latest []Comparison
	isComplete := map[string]bool{} // database -> whether a full comparison of the table in this database was read
	for batch := range slices.Chunk(ids, readAtOnce) {
		read, err := readComparisons(ctx, records, batch)
		if err != nil {
			return nil, err
		}
		latest = append(latest, read...)
		for _, c := range read {
			isComplete[c.DBName] = isComplete[c.DBName] || c.Scope == Full
		}
		if len(isComplete) > 0 && !slices.Contains(slices.Collect(maps.Values(isComplete)), false) {
			break
		}
	}
	return latest, nil
}

// readComparisons returns the comparisons with these task ids. It skips other tasks, and
// records that are deleted or damaged.
func readComparisons(ctx context.Context, records Records, ids []string) ([]Comparison, error) {
	read, err := fanout.Map(ctx, readAtOnce, ids, func(ctx context.Context, id string) (task.Record, error) {
		rec, err := records.Get(ctx, id)
		if code := fault.CodeOf(err); code == fault.NotFound || code == fault.Internal {
			return task.Record{}, nil
		}
		return rec, err
	})
	if err != nil {
		return nil, err
	}

	var comparisons []Comparison
	for _, rec := range read {
		if c, ok := ComparisonOf(rec); ok {
			comparisons = append(comparisons, c)
		}
	}
	return comparisons, nil
}
