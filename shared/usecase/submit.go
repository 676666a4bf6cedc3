package usecase

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// submit stores a new task and has it run, if there is room for it. request is what the task does.
func (s *Service) submit(ctx context.Context, n task.New, request any) (api.Submitted, error) {
	var err error
	if n.Parameters, err = json.Marshal(request); err != nil {
		return api.Submitted{}, fault.Wrap(err, fault.Internal, "the parameters cannot be stored")
	}
	if err := s.Starter.Admit(ctx); err != nil {
		return api.Submitted{}, err
	}
	rec, err := s.Tasks.Create(ctx, n)
	if err != nil {
		return api.Submitted{}, err
	}
	// The task exists, so the caller must learn its id: a start that fails is made good by whoever looks for open tasks.
	_ = s.Starter.Start(ctx, rec.TaskID)
	return api.Submitted{TaskID: rec.TaskID, SubmittedAt: api.At(rec.SubmittedAt)}, nil
}
