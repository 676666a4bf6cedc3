package diffarchive

import (
	"context"
	"crypto/rand"
	"fmt"

	"ace/shared/archive"
	"ace/shared/diffkeys"
	"ace/shared/part"
)

// phaseRuns names the spooled runs among the parts of a task.
const phaseRuns = "runs"

// NewSpool keeps runs of keys as parts of a task, where they are removed with the task's other parts. Its runs are its
// own: the same keys read at another time may be ordered or spelt otherwise, so an attempt uses none of an earlier one.
func NewSpool(store archive.Store, taskID string) diffkeys.Spool {
	return spool{store: store, taskID: taskID, name: rand.Text()}
}

type spool struct {
	store        archive.Store
	taskID, name string
}

func (s spool) part(run int) (key string, header part.Header) {
	unit := fmt.Sprintf("%s-%06d", s.name, run)
	return archive.PartKey(s.taskID, phaseRuns, unit), part.Header{TaskID: s.taskID, Unit: phaseRuns + "-" + unit}
}

// Create starts a run.
func (s spool) Create(ctx context.Context, run int) (diffkeys.RunWriter, error) {
	key, header := s.part(run)
	w, err := part.Create(ctx, s.store, key, header)
	if err != nil {
		return nil, err
	}
	return runWriter{w}, nil
}

// Open reads a run.
func (s spool) Open(ctx context.Context, run int) (diffkeys.RunReader, error) {
	key, header := s.part(run)
	r, err := part.Open(ctx, s.store, key, header)
	if err != nil {
		return nil, err
	}
	return r, nil
}

type runWriter struct{ *part.Writer }

// Seal makes the run readable.
func (w runWriter) Seal(ctx context.Context) error { return w.Writer.Commit(ctx, struct{}{}) }
