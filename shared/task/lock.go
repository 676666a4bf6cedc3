package task

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

// lockOrphanAge is the age at which a lock whose task has no record counts as left by a
// failed submission. It must be greater than createTimeout, which bounds a Create.
const lockOrphanAge = 2 * time.Minute

// releaseTimeout bounds the release of a lock.
const releaseTimeout = 10 * time.Second

// errSubmitting means that the task that holds the lock has no record yet.
var errSubmitting = errors.New("the task is being submitted")

// lock is the content of a lock object. It names the task that holds the lock of the
// table, or held it last. The task holds it as long as it is QUEUED or RUNNING. A lock
// object is never deleted, because a late deletion could remove the lock of the next
// task. The next task replaces it.
type lock struct {
	TaskID      string `json:"task_id"`
	Submission  string `json:"submission"`
	Asked       string `json:"asked"` // SHA-256 of New.Exclusive
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname"`
	TableName   string `json:"table_name"`
	// Released means that the task was not created, so the lock is free. Versions that do
	// not know the member wait until the lock is older than lockOrphanAge.
	Released bool `json:"released,omitempty"`
}

func newLock(rec Record, asked string) lock {
	sum := sha256.Sum256([]byte(asked))
	return lock{
		TaskID: rec.TaskID, Submission: rec.Submission, Asked: hex.EncodeToString(sum[:]),
		ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
	}
}

func (l lock) key() string { return archive.LockKey(l.ClusterName, l.DBName, l.TableName) }

// acquireLock acquires the table lock l for the task that is being submitted. Of
// concurrent calls one succeeds. If a task with the same New.Exclusive already holds the
// lock, acquireLock returns that task's record; otherwise the record is nil. If a
// different task holds it, the error is a Conflict that names that task.
func (r *Registry) acquireLock(ctx context.Context, l lock) (*Record, error) {
	mayPass := func(err error) bool {
		return errors.Is(err, archive.ErrPrecondition) || errors.Is(err, errSubmitting) || fault.Retryable(err)
	}
	var holder *Record
	err := writes(mayPass).Do(ctx, func() (err error) {
		holder, err = r.tryLock(ctx, l)
		return err
	})
	return holder, err
}

// tryLock acquires the lock if it is free. It also succeeds if an earlier try acquired it
// but its response was lost.
func (r *Registry) tryLock(ctx context.Context, own lock) (*Record, error) {
	body, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	var stored lock
	info, err := r.readJSON(ctx, own.key(), &stored)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		_, err = r.store.PutIfAbsent(ctx, own.key(), contentType, body)
		return nil, err
	case err != nil || stored == own:
		return nil, err
	}

	holder, err := r.lockHolder(ctx, stored, info)
	switch {
	case err != nil:
		return nil, err
	case holder == nil:
		_, err = r.store.PutIfMatch(ctx, own.key(), contentType, body, info.ETag)
		return nil, err
	case stored.Asked != own.Asked:
		return nil, fault.New(fault.Conflict, "%s task %s is %s for table %s: wait until it ends, or cancel it",
			holder.Type, holder.TaskID, holder.Status, holder.TableName)
	}
	return holder, nil
}

// releaseLock releases the lock of a submission that has failed before its record was
// written. It is a compare-and-swap, so it cannot release the lock of another task. If it
// fails, the lock is free after lockOrphanAge.
func (r *Registry) releaseLock(ctx context.Context, own lock) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	var stored lock
	info, err := r.readJSON(ctx, own.key(), &stored)
	if err != nil || stored != own {
		return
	}
	own.Released = true
	if body, err := json.Marshal(own); err == nil {
		_, _ = r.store.PutIfMatch(ctx, own.key(), contentType, body, info.ETag)
	}
}

// lockHolder returns the task that holds a lock, or nil if that task has ended or was
// never created.
func (r *Registry) lockHolder(ctx context.Context, l lock, info archive.Info) (*Record, error) {
	if l.Released {
		return nil, nil //nolint:nilnil // no task is an answer
	}
	rec, err := r.Get(ctx, l.TaskID)
	switch {
	case fault.CodeOf(err) == fault.NotFound && info.Now.Sub(info.LastModified) > lockOrphanAge:
		return nil, nil //nolint:nilnil // no task is an answer
	case fault.CodeOf(err) == fault.NotFound:
		return nil, fault.Wrap(errSubmitting, fault.Conflict,
			"task %s is being submitted for table %s: try again", l.TaskID, l.TableName)
	case err != nil:
		return nil, err
	case rec.Status.Terminal():
		return nil, nil //nolint:nilnil // no task is an answer
	}
	return &rec, nil
}

// CheckLock checks that an exclusive task still holds the lock of its table. The error is
// a Conflict if another task holds it. This happens if the store accepted this task's
// record so late that the task already counted as not submitted.
func (r *Registry) CheckLock(ctx context.Context, rec Record) error {
	var stored lock
	if _, err := r.readJSON(ctx, newLock(rec, "").key(), &stored); err != nil {
		return err
	}
	if stored.TaskID != rec.TaskID {
		return fault.New(fault.Conflict, "table %s is locked by task %s", rec.TableName, stored.TaskID)
	}
	return nil
}
