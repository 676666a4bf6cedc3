package service

import (
	"context"
	"encoding/json"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// SubmitTableUndo checks that the repair req.TaskID can be undone, and submits a
// table-undo task. If an identical task is QUEUED or RUNNING, it returns that task. If
// another repair or undo of the table is QUEUED or RUNNING, the error is a Conflict.
func (s *Service) SubmitTableUndo(ctx context.Context, req api.TableUndoRequest) (api.Submitted, error) {
	repair, err := s.task(ctx, req.TaskID)
	if err != nil {
		return api.Submitted{}, err
	}
	if err := checkUndoable(repair); err != nil {
		return api.Submitted{}, err
	}
	if _, err := s.cluster(ctx, repair.ClusterName); err != nil {
		return api.Submitted{}, err
	}
	return s.submitExclusive(ctx, task.New{
		Type: task.TableUndo, ClusterName: repair.ClusterName, DBName: repair.DBName, TableName: repair.TableName,
	}, req, req)
}

// checkUndoable returns an error unless the task is an ended repair that may have changed
// rows. A repair that FAILED or was CANCELLED may have changed rows of some nodes, so it
// can be undone too.
func checkUndoable(repair task.Record) error {
	if repair.Type != task.TableRepair {
		return fault.New(fault.Invalid, "task_id is %s, which is a %s: only a %s can be undone", repair.TaskID, repair.Type, task.TableRepair)
	}

	if !repair.Status.Terminal() {
		return fault.New(fault.Conflict, "task %s is %s: wait until it has ended to undo it", repair.TaskID, repair.Status)
	}

	var req api.TableRepairRequest
	if err := json.Unmarshal(repair.Parameters, &req); err != nil {
		return fault.Wrap(err, fault.Internal, "the parameters of task %s cannot be read", repair.TaskID)
	}

	if req.DryRun {
		return fault.New(fault.Invalid, "task_id is %s, which was a dry run: it changed nothing", repair.TaskID)
	}
	return nil
}
