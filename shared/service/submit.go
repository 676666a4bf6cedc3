package service

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
	var rec task.Record
	err = s.Starter.Submit(ctx, func(ctx context.Context) (_ string, err error) {
		rec, err = s.Tasks.Create(ctx, n)
		return rec.TaskID, err
	})
	if rec.TaskID == "" {
		return api.Submitted{}, err
	}
	if err != nil { // but the task exists, so the caller must learn its id
		s.Log.WarnContext(ctx, "task not started: it is when open tasks are looked for", "task_id", rec.TaskID, "error", err)
	}
	return api.Submitted{TaskID: rec.TaskID, SubmittedAt: api.At(rec.SubmittedAt)}, nil
}
