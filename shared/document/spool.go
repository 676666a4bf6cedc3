package document

import (
	"context"
	"errors"
	"fmt"

	"ace/shared/archive"
	"ace/shared/diffkeys"
	"ace/shared/part"
)

// phaseRuns names the spooled runs among the parts of a task.
const phaseRuns = "runs"

// NewSpool keeps runs of keys as parts of a task, where they are removed with the task's other parts. name sets the
// collections of one task apart. A run is written once: one that an earlier attempt at the same plan has written counts.
func NewSpool(store archive.Store, taskID, planHash, name string) diffkeys.Spool {
	return spool{store: store, taskID: taskID, planHash: planHash, name: name}
}

type spool struct {
	store                  archive.Store
	taskID, planHash, name string
}

func (s spool) part(run int) (key string, header part.Header) {
	unit := fmt.Sprintf("%s-%06d", s.name, run)
	return archive.PartKey(s.taskID, phaseRuns, unit), part.Header{TaskID: s.taskID, PlanHash: s.planHash, Unit: phaseRuns + "-" + unit}
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
func (w runWriter) Seal(ctx context.Context) error {
	err := w.Writer.Seal(ctx, struct{}{})
	if errors.Is(err, archive.ErrPrecondition) {
		return nil
	}
	return err
}
