// Package retention deletes data that is older than the retention period: the documents,
// reports and before-images of ended tasks, their records and list entries, and imported
// documents.
//
// It deletes no object of a task that ended within the period, and nothing that an open
// task needs. It deletes a task's entries in the lists of documents first, and the task's
// record after all its other objects. So no list names a deleted document, and if a sweep
// is interrupted, the next one completes the deletion. A sweep can run at the same time
// as the service and other sweeps. Apart from imported documents and abandoned uploads,
// it deletes no object without a task record. A task whose record is damaged, or which a
// newer version has stored, is kept; while such a task is open, a sweep fails, because
// what the task needs is unknown.
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

// abandoned is the age at which an object below archive.IncomingPrefix counts as
// abandoned. No import takes that long.
const abandoned = 24 * time.Hour

// Sweeper deletes data that is older than the retention period.
type Sweeper struct {
	Store archive.Store
	Tasks *task.Registry
	Diffs *diffindex.Index
	Now   func() time.Time
	// Keep returns the ids of tasks and the keys of documents that Sweep must not delete, in
	// addition to the tasks and documents that open tasks need. It may be nil.
	Keep func(context.Context) ([]string, error)
}

// Removed counts what a sweep deleted.
type Removed struct {
	Tasks   int // deleted tasks, with their documents, reports and before-images
	Imports int // deleted documents that were imported
}

// Sweep deletes the tasks that ended, and the documents that were imported, longer than
// keep ago. If keep is 0, it deletes neither. It always deletes abandoned uploads.
func (s *Sweeper) Sweep(ctx context.Context, keep time.Duration) (Removed, error) {
	var removed Removed
	now := s.Now()
	if _, err := s.deleteOld(ctx, archive.IncomingPrefix, now.Add(-abandoned), nil); err != nil || keep == 0 {
		return removed, err
	}

	needed, err := s.needed(ctx)
	if err != nil {
		return removed, err
	}

	for rec, err := range s.Tasks.EndedBefore(ctx, now.Add(-keep)) {
		if err == nil {
			err = s.addOpen(ctx, needed) // a task that was submitted in the meantime may need rec
		}
		kept := false
		if err == nil {
			kept, err = s.isParentKept(ctx, rec, now.Add(-keep))
		}
		if err == nil && !kept && !needed.has(rec) {
			err = s.remove(ctx, rec)
			removed.Tasks++
		}
		if err != nil {
			return removed, err
		}
	}

	if err := s.addOpen(ctx, needed); err != nil {
		return removed, err
	}

	removed.Imports, err = s.deleteOld(ctx, archive.ImportPrefix, now.Add(-keep), needed.keys)
	return removed, err
}

// isParentKept reports whether a task has a parent that is still open, that ended at or
// after the time before, or that is unreadable (see task.IsUnreadable). Such a task must
// not be deleted, because the document of the parent names the document of the task.
func (s *Sweeper) isParentKept(ctx context.Context, rec task.Record, before time.Time) (bool, error) {
	if rec.Parent == "" {
		return false, nil
	}
	parent, err := s.Tasks.Get(ctx, rec.Parent)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return false, nil
	case task.IsUnreadable(err):
		return true, nil
	}
	return parent.FinishedAt == nil || !parent.FinishedAt.Before(before), err
}

// needed holds what must be kept: the documents that open tasks read, the repairs that
// open tasks undo, and what Keep returns.
type needed struct {
	keys map[string]bool // keys of documents, and ids of tasks
	seen map[string]bool // ids of the open tasks whose input is already in keys
}

// has reports whether a task or its document is needed.
func (n needed) has(rec task.Record) bool {
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

// addOpen adds to n the documents that open tasks read and the ids of the repairs that
// open tasks undo.
func (s *Sweeper) addOpen(ctx context.Context, n needed) error {
	open, err := s.Tasks.Open(ctx)
	if err != nil {
		return err
	}

	for _, id := range open {
		if n.seen[id] {
			continue
		}
		rec, err := s.Tasks.Get(ctx, id)
		if fault.CodeOf(err) == fault.NotFound { // the open marker of a submission that is incomplete or failed
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

// remove deletes a task and all its objects. It deletes the entries in the lists of
// documents first, so that no list names a deleted document. It calls Forget last,
// because a later sweep can complete an interrupted deletion only while the record
// exists.
func (s *Sweeper) remove(ctx context.Context, rec task.Record) error {
	if err := s.Diffs.Remove(ctx, rec); err != nil {
		return err
	}

	document := strings.TrimSuffix(archive.DiffKey(rec.TaskID, rec.SubmittedAt, api.FormatJSON), api.FormatJSON)
	for _, prefix := range []string{
		document, // the prefix of the document and its renderings
		archive.ReportsOfTaskPrefix(rec.TaskID, rec.SubmittedAt), // the prefix of the report and the before-images
		archive.RepairsOfTaskPrefix(rec.TaskID),
		archive.BaselineKey(rec.ClusterName, rec.DBName, rec.TableName, rec.TaskID),
	} {
		if err := s.deleteBelow(ctx, prefix); err != nil {
			return err
		}
	}
	return s.Tasks.Forget(ctx, rec)
}

// deleteBelow deletes all objects whose keys begin with prefix.
func (s *Sweeper) deleteBelow(ctx context.Context, prefix string) error {
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

// deleteOld deletes the objects below prefix that were last written before the time
// before, except those whose keys are in needed. It returns their number.
func (s *Sweeper) deleteOld(ctx context.Context, prefix string, before time.Time, needed map[string]bool) (int, error) {
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
