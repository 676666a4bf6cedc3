package task

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	createTimeout  = 20 * time.Second
	createAttempts = 16 // ids tried; with 2^30 suffixes even the second collision is rare
)

// errTaken says that another submission has this id.
var errTaken = errors.New("task id is taken")

// New is what a submission says.
type New struct {
	Type                           Type
	ClusterName, DBName, TableName string
	Parameters                     json.RawMessage // a JSON object
	Input                          *Document
	// Exclusive: of the tasks with such a text only one per table may be QUEUED or RUNNING. The text says what is asked:
	// whoever asks the same again is given the task that there is.
	Exclusive string
}

// mark is the content of open/<id>. It carries the submission, so that its writer can tell it from another's.
type mark struct {
	Submission  string    `json:"submission"`
	SubmittedAt time.Time `json:"submitted_at"`
}

// Create stores a new task, QUEUED, under an id nobody else has. What it began it finishes even if ctx is cancelled
// meanwhile. After an error (Unavailable) no task exists, unless the store took the write and could not be asked
// about it: then the open mark stands, and the task runs like any other.
//
// Where an exclusive task has the table already, the answer is that task if it was asked for the same, else a Conflict
// that names it.
func (r *Registry) Create(ctx context.Context, n New) (Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	rec := r.newRecord(n)
	base := rec.TaskID
	for range createAttempts {
		holder, err := r.submit(ctx, rec, n.Exclusive)
		switch {
		case err == nil && holder != nil:
			return *holder, nil
		case err == nil:
			r.index(ctx, rec)
			return rec, nil
		}
		if !errors.Is(err, errTaken) {
			return Record{}, err
		}
		rec.TaskID = withSuffix(base)
	}
	return Record{}, fault.New(fault.Unavailable, "no free task id was found for %s; try again", base)
}

func (r *Registry) newRecord(n New) Record {
	submitted := millis(r.clock())
	return Record{
		TaskID: newID(n.Type, submitted), Type: n.Type, Status: Queued, SubmittedAt: submitted,
		ClusterName: n.ClusterName, DBName: n.DBName, TableName: n.TableName, Parameters: n.Parameters, Input: n.Input,
		Submission: rand.Text(), Revision: rand.Text(),
	}
}

// submit writes the open mark, the lock of an exclusive task, and the record. errTaken when the id belongs to another
// submission; a record, when that task has the lock and was asked for the same.
func (r *Registry) submit(ctx context.Context, rec Record, exclusive string) (*Record, error) {
	m := mark{Submission: rec.Submission, SubmittedAt: rec.SubmittedAt}
	if err := r.claim(ctx, archive.OpenKey(rec.TaskID), m, rec.Submission); err != nil {
		return nil, err
	}
	if exclusive != "" {
		if holder, err := r.acquire(ctx, newLock(rec, exclusive)); err != nil || holder != nil {
			r.unmark(ctx, rec.TaskID)
			return holder, err
		}
	}
	err := r.claim(ctx, archive.TaskKey(rec.TaskID), rec, rec.Submission)
	if errors.Is(err, errTaken) {
		// The other task has ended already, or its own mark would have been in the way of ours.
		r.unmark(ctx, rec.TaskID)
	}
	return nil, err
}

// claim creates an object that carries a submission. When the answer does not say that it was created (it may be
// lost, or be about a repetition of ours), what is stored decides.
func (r *Registry) claim(ctx context.Context, key string, content any, submission string) error {
	body, err := json.Marshal(content)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the task's parameters are not JSON")
	}
	unknown := func(err error) bool { return !errors.Is(err, errTaken) }
	return writes(unknown).Do(ctx, func() error {
		_, err := r.store.PutIfAbsent(ctx, key, contentType, body)
		if err == nil {
			return nil
		}

		var stored mark
		_, readErr := r.readJSON(ctx, key, &stored)
		switch {
		case readErr == nil && stored.Submission == submission:
			return nil
		case readErr == nil:
			return errTaken
		case errors.Is(readErr, archive.ErrNotFound):
			return err
		default:
			return readErr
		}
	})
}
