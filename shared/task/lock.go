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

// lockOrphanAge is when a lock whose task has no record counts as left behind by a submission that failed. A Create
// takes createTimeout at most.
const lockOrphanAge = 2 * time.Minute

// errSubmitting says that the task that has the lock has no record yet.
var errSubmitting = errors.New("the task is being submitted")

// lock is the content of a lock: which task has the table, or had it. A lock is held as long as that task is QUEUED or
// RUNNING. Nobody releases it, since a late release could hit the lock of the next task: that one takes it over.
type lock struct {
	TaskID      string `json:"task_id"`
	Submission  string `json:"submission"`
	Asked       string `json:"asked"` // SHA-256 of what is asked
	ClusterName string `json:"cluster_name"`
	DBName      string `json:"dbname"`
	TableName   string `json:"table_name"`
}

func newLock(rec Record, asked string) lock {
	sum := sha256.Sum256([]byte(asked))
	return lock{
		TaskID: rec.TaskID, Submission: rec.Submission, Asked: hex.EncodeToString(sum[:]),
		ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
	}
}

func (l lock) key() string { return archive.LockKey(l.ClusterName, l.DBName, l.TableName) }

// acquire gives a lock to the task that is being submitted; of several that try at once one gets it. A record is the
// task that has it and was asked for the same. Conflict, naming the task, if that was asked for something else.
func (r *Registry) acquire(ctx context.Context, l lock) (*Record, error) {
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

// tryLock takes the lock if nobody has it. An earlier try whose answer was lost is recognised.
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
	holder, err := r.holder(ctx, stored, info)
	switch {
	case err != nil:
		return nil, err
	case holder == nil:
		_, err = r.store.PutIfMatch(ctx, own.key(), contentType, body, info.ETag)
		return nil, err
	case stored.Asked != own.Asked:
		return nil, fault.New(fault.Conflict, "%s task %s is %s for table %s: wait for its end, or cancel it",
			holder.Type, holder.TaskID, holder.Status, holder.TableName)
	}
	return holder, nil
}

// holder gives the task that has a lock; nil if that task has ended or never came to be.
func (r *Registry) holder(ctx context.Context, l lock, info archive.Info) (*Record, error) {
	rec, err := r.Get(ctx, l.TaskID)
	switch {
	case fault.CodeOf(err) == fault.NotFound && info.Now.Sub(info.LastModified) > lockOrphanAge:
		return nil, nil //nolint:nilnil // no task is an answer
	case fault.CodeOf(err) == fault.NotFound:
		return nil, fault.Wrap(errSubmitting, fault.Conflict, "task %s is being submitted for table %s: try again", l.TaskID, l.TableName)
	case err != nil:
		return nil, err
	case rec.Status.Terminal():
		return nil, nil //nolint:nilnil // no task is an answer
	}
	return &rec, nil
}

// CheckLock makes sure that a task that is exclusive has its table. Conflict if another has it: the store took this
// one's record so late that it counted as not submitted.
func (r *Registry) CheckLock(ctx context.Context, rec Record) error {
	var stored lock
	if _, err := r.readJSON(ctx, newLock(rec, "").key(), &stored); err != nil {
		return err
	}
	if stored.TaskID != rec.TaskID {
		return fault.New(fault.Conflict, "table %s belongs to task %s", rec.TableName, stored.TaskID)
	}
	return nil
}
