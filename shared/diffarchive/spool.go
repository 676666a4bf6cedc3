package diffarchive

import (
	"context"
	"crypto/rand"
	"fmt"

	"ace/shared/archive"
	"ace/shared/diffkeys"
	"ace/shared/part"
)

// phaseRuns is the phase in the archive keys of the parts of a spool. Each such part
// stores one sorted run of keys.
const phaseRuns = "runs"

// NewSpool returns a spool that stores each run of keys (see diffkeys.Spool) as a part of
// a task. The runs are removed together with the other parts of the task. Each spool has
// a random name, so that an attempt never reads the runs of an earlier attempt: the order
// and the text of the same keys may have changed since then.
func NewSpool(store archive.Store, taskID string) diffkeys.Spool {
	return spool{store: store, taskID: taskID, name: rand.Text()}
}

type spool struct {
	store  archive.Store
	taskID string
	name   string // a random name, part of the keys of the runs
}

// part returns the key and the header of a run.
func (s spool) part(run int) (key string, header part.Header) {
	unit := fmt.Sprintf("%s-%06d", s.name, run)
	return archive.PartKey(s.taskID, phaseRuns, unit), part.Header{TaskID: s.taskID, Unit: phaseRuns + "-" + unit}
}

// Create begins a run.
func (s spool) Create(ctx context.Context, run int) (diffkeys.RunWriter, error) {
	key, header := s.part(run)
	w, err := part.Create(ctx, s.store, key, header)
	if err != nil {
		return nil, err
	}
	return runWriter{w}, nil
}

// Open opens a run for reading.
func (s spool) Open(ctx context.Context, run int) (diffkeys.RunReader, error) {
	key, header := s.part(run)
	r, err := part.Open(ctx, s.store, key, header)
	if err != nil {
		return nil, err
	}
	return r, nil
}

type runWriter struct{ *part.Writer }

// Seal completes the run and makes it readable.
func (w runWriter) Seal(ctx context.Context) error { return w.Writer.Commit(ctx, struct{}{}) }
