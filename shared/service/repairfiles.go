package service

import (
	"context"
	"maps"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/task"
)

// Report returns the report of a repair, the document of a replication-diff, or the
// script of a dry run for one node.
func (s *Service) Report(ctx context.Context, req api.ReportRequest) (*api.File, error) {
	rec, err := s.ended(ctx, req.TaskID, "report", task.TableRepair, task.TableUndo, task.ReplicationDiff)
	if err != nil {
		return nil, err
	}
	if req.Format == api.FormatSQL {
		return s.script(ctx, rec, req.Node)
	}
	if rec.Report == nil && rec.Type == task.ReplicationDiff {
		return nil, fault.New(fault.NotFound, "task %s is %s and has no report", rec.TaskID, rec.Status)
	}
	if rec.Report == nil {
		return nil, fault.New(fault.NotFound, "task %s has no report: only a repair with generate_report=true writes one; its before-images are at %s",
			rec.TaskID, api.RouteBefore.Path(rec.TaskID))
	}
	return s.repairFile(ctx, rec, *rec.Report, "report")
}

// script returns the script that makes the changes of a dry run on a node. An empty node
// means the only node that has a script.
func (s *Service) script(ctx context.Context, rec task.Record, node string) (*api.File, error) {
	nodes := slices.Sorted(maps.Keys(rec.Scripts))
	if node == "" && len(nodes) == 1 {
		node = nodes[0]
	}
	recorded, found := rec.Scripts[node]
	switch {
	case len(nodes) == 0:
		return nil, fault.New(fault.NotFound, "task %s has no script: only a dry run with generate_sql=true that finds something to change writes one", rec.TaskID)
	case node == "":
		return nil, fault.New(fault.Invalid, "node is required: task %s has a script for each of the nodes %s", rec.TaskID, strings.Join(nodes, ", "))
	case !found:
		return nil, fault.New(fault.NotFound, "task %s has no script for node %s; it has one for %s", rec.TaskID, fault.Short(node), strings.Join(nodes, ", "))
	}
	info, err := s.stat(ctx, "the script of task "+rec.TaskID, recorded)
	if err != nil {
		return nil, err
	}
	return s.download(info, recorded.SHA256, typeSQL, rec.TaskID+"."+node+".sql"), nil
}

// RowsBefore returns the document with the before-images of a repair or an undo: the rows
// as they were before the task changed them.
func (s *Service) RowsBefore(ctx context.Context, req api.TaskRequest) (*api.File, error) {
	rec, err := s.ended(ctx, req.TaskID, "before-images", task.TableRepair, task.TableUndo)
	if err != nil {
		return nil, err
	}
	recorded, err := s.BeforeImages.Ensure(ctx, rec)
	if err != nil {
		return nil, err
	}
	return s.repairFile(ctx, rec, recorded, "before-images")
}

// ended returns the record of an ended task of one of the given types. what names the
// requested file in errors.
func (s *Service) ended(ctx context.Context, taskID, what string, types ...task.Type) (task.Record, error) {
	rec, err := s.task(ctx, taskID)
	switch {
	case err != nil:
		return rec, err
	case !slices.Contains(types, rec.Type):
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
