package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// Report returns the report of a repair.
func (s *Service) Report(ctx context.Context, req api.TaskRequest) (*api.File, error) {
	rec, err := s.endedRepair(ctx, req.TaskID, "report")
	if err != nil {
		return nil, err
	}
	if rec.Report == nil {
		return nil, fault.New(fault.NotFound, "task %s has no report: only a repair with generate_report=true writes one; its before-images are at %s",
			rec.TaskID, api.RouteBefore.Path(rec.TaskID))
	}
	return s.repairFile(ctx, rec, *rec.Report, "report")
}

// RowsBefore returns the document with the before-images of a repair or an undo: the rows
// as they were before the task changed them.
func (s *Service) RowsBefore(ctx context.Context, req api.TaskRequest) (*api.File, error) {
	rec, err := s.endedRepair(ctx, req.TaskID, "before-images")
	if err != nil {
		return nil, err
	}
	recorded, err := s.BeforeImages.Ensure(ctx, rec)
	if err != nil {
		return nil, err
	}
	return s.repairFile(ctx, rec, recorded, "before-images")
}

// endedRepair returns the record of an ended repair or undo. what names the requested
// file in errors.
func (s *Service) endedRepair(ctx context.Context, taskID, what string) (task.Record, error) {
	rec, err := s.Tasks.Get(ctx, taskID)
	switch {
	case err != nil:
		return rec, err
	case rec.Type != task.TableRepair && rec.Type != task.TableUndo:
		return rec, fault.New(fault.NotFound, "task %s is a %s, not a repair: it has no %s", rec.TaskID, rec.Type, what)
	case !rec.Status.Terminal():
		return rec, fault.New(fault.NotFound, "task %s is %s: it has no %s yet", rec.TaskID, rec.Status, what)
	}
	return rec, nil
}

func (s *Service) repairFile(ctx context.Context, rec task.Record, recorded task.Document, what string) (*api.File, error) {
	info, err := s.stat(ctx, "the "+what+" of task "+rec.TaskID, recorded)
	if err != nil {
		return nil, err
	}
	return s.download(info, recorded.SHA256, typeJSON, rec.TaskID+"."+what+".json"), nil
}
