// Package retention removes what is older than it must be kept: the documents, reports and before-images of tasks that
// ended, their records and entries in lists, and imported documents.
//
// It promises: nothing goes that a task needs which has not ended, or that ended later; of one task the list entries go
// first and the record last, so that nothing is listed that is gone, and an interrupted sweep is taken up by the next.
// It may run beside the service and beside other sweeps. What lies in the archive without a record it does not touch.
package retention

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/diffindex"
	"ace/shared/fault"
	"ace/shared/task"
)

// abandoned is when a document counts as left behind that was being imported: no request takes that long.
const abandoned = 24 * time.Hour

// Sweeper removes what is old.
type Sweeper struct {
	Store archive.Store
	Tasks *task.Registry
	Diffs *diffindex.Index
	Now   func() time.Time
	// Keep gives further tasks (ids) and documents (keys) that are needed; nil: none.
	Keep func(context.Context) ([]string, error)
}

// Removed counts what a sweep removed.
type Removed struct {
	Tasks   int // with all that they left
	Imports int // imported documents
}

// Sweep removes what ended, or was imported, longer ago than keep; 0 keeps all of it. What imports have left behind
// goes in any case.
func (s *Sweeper) Sweep(ctx context.Context, keep time.Duration) (Removed, error) {
	var removed Removed
	now := s.Now()
	if _, err := s.objects(ctx, archive.IncomingPrefix, now.Add(-abandoned), nil); err != nil || keep == 0 {
		return removed, err
	}
	needed, err := s.needed(ctx)
	if err != nil {
		return removed, err
	}
	for rec, err := range s.Tasks.EndedBefore(ctx, now.Add(-keep)) {
		if err == nil {
			err = s.look(ctx, needed) // what was submitted meanwhile may start from this one
		}
		if err == nil && !needed.of(rec) {
			err = s.remove(ctx, rec)
			removed.Tasks++
		}
		if err != nil {
			return removed, err
		}
	}
	if err := s.look(ctx, needed); err != nil {
		return removed, err
	}
	removed.Imports, err = s.objects(ctx, archive.ImportPrefix, now.Add(-keep), needed.keys)
	return removed, err
}

// needed is what tasks start from that have not ended.
type needed struct {
	keys map[string]bool // of documents; also the ids of tasks
	seen map[string]bool // tasks whose needs are among them
}

func (n needed) of(rec task.Record) bool {
	return n.keys[rec.TaskID] || rec.Document != nil && n.keys[rec.Document.Key]
}

func (s *Sweeper) needed(ctx context.Context) (needed, error) {
	n := needed{keys: map[string]bool{}, seen: map[string]bool{}}
	if s.Keep == nil {
		return n, nil
	}
	more, err := s.Keep(ctx)
	for _, key := range more {
		n.keys[key] = true
	}
	return n, err
}

// look adds what open tasks need that were not seen before.
func (s *Sweeper) look(ctx context.Context, n needed) error {
	open, err := s.Tasks.Open(ctx)
	if err != nil {
		return err
	}
	for _, id := range open {
		if n.seen[id] {
			continue
		}
		rec, err := s.Tasks.Get(ctx, id)
		if fault.CodeOf(err) == fault.NotFound { // a submission under way, or one that failed
			continue
		}
		if err != nil {
			return err
		}
		n.seen[id] = true
		if rec.Input != nil {
			n.keys[rec.Input.Key] = true
		}
		var undo api.TableUndoRequest
		if rec.Type == task.TableUndo && json.Unmarshal(rec.Parameters, &undo) == nil {
			n.keys[undo.TaskID] = true
		}
	}
	return nil
}

// remove removes a task and all that it has left.
func (s *Sweeper) remove(ctx context.Context, rec task.Record) error {
	if err := s.Diffs.Remove(ctx, rec); err != nil {
		return err
	}
	document := strings.TrimSuffix(archive.DiffKey(rec.TaskID, rec.SubmittedAt, api.FormatJSON), api.FormatJSON)
	for _, prefix := range []string{
		document, // renderings stand beside it
		archive.ReportsOfTaskPrefix(rec.TaskID, rec.SubmittedAt), // before-images stand beside a report
		archive.RepairsOfTaskPrefix(rec.TaskID),
		archive.BaselineKey(rec.ClusterName, rec.DBName, rec.TableName, rec.TaskID),
	} {
		if err := s.below(ctx, prefix); err != nil {
			return err
		}
	}
	return s.Tasks.Forget(ctx, rec)
}

func (s *Sweeper) below(ctx context.Context, prefix string) error {
	var keys []string
	err := s.Store.List(ctx, prefix, "", func(info archive.Info) bool {
		keys = append(keys, info.Key)
		return true
	})
	for _, key := range keys {
		if err == nil {
			err = s.Store.Delete(ctx, key)
		}
	}
	return err
}

// objects removes the objects below a prefix that were written before a time and are not needed.
func (s *Sweeper) objects(ctx context.Context, prefix string, before time.Time, needed map[string]bool) (int, error) {
	var keys []string
	err := s.Store.List(ctx, prefix, "", func(info archive.Info) bool {
		if info.LastModified.Before(before) && !needed[info.Key] {
			keys = append(keys, info.Key)
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	for i, key := range keys {
		if err := s.Store.Delete(ctx, key); err != nil {
			return i, err
		}
	}
	return len(keys), nil
}
