package service

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// SubmitTableUndo checks that there is a repair to undo, and stores the request as a task for the repair's table. What
// is repeated is answered as a repair is.
func (s *Service) SubmitTableUndo(ctx context.Context, req api.TableUndoRequest) (api.Submitted, error) {
	repair, err := s.Tasks.Get(ctx, req.TaskID)
	if err != nil {
		return api.Submitted{}, err
	}
	if err := checkUndoable(repair); err != nil {
		return api.Submitted{}, err
	}
	if _, err := s.Clusters.Load(ctx, repair.ClusterName); err != nil {
		return api.Submitted{}, err
	}
	return s.submitExclusive(ctx, task.New{
		Type: task.TableUndo, ClusterName: repair.ClusterName, DBName: repair.DBName, TableName: repair.TableName,
	}, req, req)
}

// checkUndoable refuses what has changed nothing and never will, or has not ended. A repair that FAILED or was CANCELLED
// may have changed some nodes before.
func checkUndoable(repair task.Record) error {
	if repair.Type != task.TableRepair {
		return fault.New(fault.Invalid, "task_id is %s, a %s: only a %s can be undone", repair.TaskID, repair.Type, task.TableRepair)
	}
	if !repair.Status.Terminal() {
		return fault.New(fault.Conflict, "task %s is %s: it can be undone when it has ended", repair.TaskID, repair.Status)
	}
	var req api.TableRepairRequest
	if err := json.Unmarshal(repair.Parameters, &req); err != nil {
		return fault.Wrap(err, fault.Internal, "the parameters of task %s cannot be read", repair.TaskID)
	}
	if req.DryRun {
		return fault.New(fault.Invalid, "task_id is %s, a dry run: it has changed nothing", repair.TaskID)
	}
	return nil
}
