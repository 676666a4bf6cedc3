package task

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

const (
	createTimeout  = 20 * time.Second
	createAttempts = 16 // ids that are tried; with 2^30 suffixes even two collisions in a row are rare
)

// errIDTaken means that another submission has this id.
var errIDTaken = errors.New("task id is taken")

// New describes a task to create.
type New struct {
	Type                           Type
	ClusterName, DBName, TableName string
	Parameters                     json.RawMessage // a JSON object
	Input                          *Document
	// Exclusive, if not empty, makes the task exclusive and describes its work. At most
	// one exclusive task of a table is QUEUED or RUNNING. A submission with the same text
	// returns that task instead of creating another.
	Exclusive string
	Scheduled bool   // a schedule submitted the task
	Parent    string // the id of the parent, see Record.Parent
	// Once is empty, or a text that identifies this submission and no other. A repeated
	// Create with the same Once and SubmittedAt creates no second task. It returns the task
	// that the first Create has created.
	Once string
	// SubmittedAt is the time of the submission. The zero value means now.
	SubmittedAt time.Time
	RequestedBy *api.RequestedBy // who requested the task; nil means that it is not known
	// Before, if set, is called before the task is created. At that time the id is known,
	// and no other submission can receive it. Before may change rec.RequestedBy. If it
	// returns an error, no task is created. If Create returns an existing task (see
	// Exclusive), rec is the record of that task and existing is true. Before is not
	// called for a submission with Once.
	Before func(ctx context.Context, rec *Record, existing bool) error
}

// openMarker is the content of open/<id>. Submission has the same value as in the task's
// record. By this value, a submission recognizes its own marker.
type openMarker struct {
	Submission  string    `json:"submission"`
	SubmittedAt time.Time `json:"submitted_at"`
}

// Create stores a new QUEUED task under an id that no other task has. Once it has begun
// to write, it continues even if ctx is cancelled. After an error (Unavailable) no task
// exists, with one exception: if the store accepted the write of the record but could not
// be read afterwards, the open marker stays and the task runs like any other.
//
// If n.Exclusive is set, another task may already hold the lock of the table. If that
// task was created with the same Exclusive, Create returns it. Otherwise the error is a
// Conflict that names that task.
func (r *Registry) Create(ctx context.Context, n New) (Record, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	defer cancel()
	rec := r.newRecord(n)
	if n.Once != "" {
		return r.createOnce(ctx, rec, n.Once)
	}
	base := rec.TaskID
	for range createAttempts {
		holder, err := r.submit(ctx, &rec, n)
		switch {
		case err == nil && holder != nil:
			return *holder, nil
		case err == nil:
			r.announce(ctx, rec)
			return rec, nil
		}
		if !errors.Is(err, errIDTaken) {
			return Record{}, err
		}
		rec.TaskID = withSuffix(base)
	}
	return Record{}, fault.New(fault.Unavailable, "no free task id was found for %s; try again", base)
}

// createOnce stores rec under an id that depends on once, and returns the stored record.
// If an earlier submission with the same once has stored a task, createOnce returns that
// task and stores none.
func (r *Registry) createOnce(ctx context.Context, rec Record, once string) (Record, error) {
	sum := sha256.Sum256([]byte(once))
	rec.Submission = hex.EncodeToString(sum[:])
	for n := range createAttempts {
		rec.TaskID = onceID(rec.Type, rec.SubmittedAt, once, n)

		stored, err := r.Get(ctx, rec.TaskID)
		switch {
		case err == nil && stored.Submission == rec.Submission:
			return stored, nil
		case err == nil: // the id belongs to another submission
			continue
		case fault.CodeOf(err) != fault.NotFound:
			return Record{}, err
		}

		_, err = r.submit(ctx, &rec, New{})
		switch {
		case err == nil:
			r.announce(ctx, rec)
			return rec, nil
		case !errors.Is(err, errIDTaken):
			return Record{}, err
		}
	}
	return Record{}, fault.New(fault.Unavailable, "no free task id was found for %s; try again", rec.TaskID)
}

// announce adds a new task to the index and notifies the observer. If the addition fails,
// the task exists anyway; Acquire or RequestCancel adds it later.
func (r *Registry) announce(ctx context.Context, rec Record) {
	if r.Index(ctx, rec) == nil {
		r.indexed.add(rec.TaskID)
	}
	r.observer.TaskCreated(rec)
}

func (r *Registry) newRecord(n New) Record {
	submitted := millis(r.clock())
	if !n.SubmittedAt.IsZero() {
		submitted = millis(n.SubmittedAt)
	}
	return Record{
		Format: CurrentFormat, TaskID: newID(n.Type, submitted), Type: n.Type, Status: Queued, SubmittedAt: submitted,
		ClusterName: n.ClusterName, DBName: n.DBName, TableName: n.TableName, Parameters: n.Parameters, Input: n.Input, Scheduled: n.Scheduled,
		Parent: n.Parent, RequestedBy: n.RequestedBy,
		Submission: rand.Text(), Revision: rand.Text(),
	}
}

// submit writes the open marker, the lock of an exclusive task, and the record, and calls
// n.Before between the lock and the record. The error is errIDTaken if the id belongs to
// another submission. If a task with the same n.Exclusive already holds the lock, submit
// returns that task's record; otherwise the returned record is nil.
func (r *Registry) submit(ctx context.Context, rec *Record, n New) (*Record, error) {
	m := openMarker{Submission: rec.Submission, SubmittedAt: rec.SubmittedAt}
	if err := r.claim(ctx, archive.OpenKey(rec.TaskID), m, rec.Submission); err != nil {
		return nil, err
	}
	if n.Exclusive != "" {
		if holder, err := r.acquireLock(ctx, newLock(*rec, n.Exclusive)); err != nil || holder != nil {
			r.removeMarker(ctx, rec.TaskID)
			if holder != nil && n.Before != nil {
				err = n.Before(ctx, holder, true)
			}
			return holder, err
		}
	}
	if n.Before != nil {
		if err := r.prepare(ctx, rec, n); err != nil {
			if n.Exclusive != "" {
				r.releaseLock(ctx, newLock(*rec, n.Exclusive))
			}
			r.removeMarker(ctx, rec.TaskID)
			return nil, err
		}
	}
	err := r.claim(ctx, archive.TaskKey(rec.TaskID), rec, rec.Submission)
	if errors.Is(err, errIDTaken) {
		// The other task has already ended; otherwise its open marker would have stopped
		// this submission.
		r.removeMarker(ctx, rec.TaskID)
	}
	return nil, err
}

// prepare calls n.Before for a task that is about to be created. The caller has created
// the open marker of the id. If a task has the id anyway, that task has ended. The error
// is then errIDTaken, and Before is not called, because the new task will have another
// id.
func (r *Registry) prepare(ctx context.Context, rec *Record, n New) error {
	_, err := r.store.Stat(ctx, archive.TaskKey(rec.TaskID))
	switch {
	case err == nil:
		return errIDTaken
	case !errors.Is(err, archive.ErrNotFound):
		return err
	}
	return n.Before(ctx, rec, false)
}

// claim creates an object that contains the id of a submission. A response that does not
// confirm the creation may be about a repeated request, of which the first one has
// created the object. So claim then reads the stored object and compares its submission.
func (r *Registry) claim(ctx context.Context, key string, content any, submission string) error {
	body, err := json.Marshal(content)
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "the task's parameters are not JSON")
	}
	unknown := func(err error) bool { return !errors.Is(err, errIDTaken) }
	return writes(unknown).Do(ctx, func() error {
		_, err := r.store.PutIfAbsent(ctx, key, contentType, body)
		if err == nil {
			return nil
		}

		var stored openMarker
		_, readErr := r.readJSON(ctx, key, &stored)
		switch {
		case readErr == nil && stored.Submission == submission:
			return nil
		case readErr == nil:
			return errIDTaken
		case errors.Is(readErr, archive.ErrNotFound):
			return err
		default:
			return readErr
		}
	})
}
