package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/audit"
	"ace/shared/caller"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/task"
)

// ListAudit returns a page of the audit log, the newest entry first. A caller sees the
// entries about its clusters. Only a caller of all clusters sees those that are not about
// a cluster.
func (s *Service) ListAudit(ctx context.Context, req api.AuditRequest) (api.AuditList, error) {
	by := caller.Of(ctx)
	if err := checkNamed(by, req.ClusterName); err != nil {
		return api.AuditList{}, err
	}
	filter := audit.Filter{
		Caller: req.Caller, ClusterName: req.ClusterName, Since: req.Since, Until: req.Until, Limit: req.Limit, After: req.After,
	}
	if !by.SeesAll() {
		filter.Sees = by.Sees
	}
	entries, next, err := s.Audit.List(ctx, filter)
	if entries == nil {
		entries = []api.AuditEntry{}
	}
	return api.AuditList{Entries: entries, Next: next}, err
}

// record adds an entry about an accepted request to the audit log and returns its id.
// After an error, the caller must not do what was requested. Without a request in ctx, as
// in a running task, record adds no entry and returns "".
func (s *Service) record(ctx context.Context, e api.AuditEntry) (id string, err error) {
	by := caller.RequestedBy(ctx)
	if by == nil {
		return "", nil
	}
	e.RequestedBy, e.Outcome = *by, api.AuditAccepted
	return s.Audit.Add(ctx, e)
}

// recorded returns n with a hook that adds the submission to the audit log before the
// task is created. The record of the task names the entry.
func (s *Service) recorded(ctx context.Context, n task.New) task.New {
	n.RequestedBy = caller.RequestedBy(ctx)
	n.Before = func(ctx context.Context, rec *task.Record, existing bool) error {
		id, err := s.record(ctx, api.AuditEntry{
			Action: string(rec.Type), TaskID: rec.TaskID, Existing: existing,
			ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName, Parameters: audit.WithoutFilter(n.Parameters),
		})
		if err == nil && rec.RequestedBy != nil && !existing {
			by := *rec.RequestedBy
			by.Audit = id
			rec.RequestedBy = &by
		}
		return err
	}
	return n
}

// checkNamed returns an error if the caller may not use the cluster that a request names.
// If the request names no cluster, name is "".
func checkNamed(by caller.Caller, name string) error {
	if name == "" {
		return nil
	}
	return by.CheckCluster(name)
}

// cluster returns the definition of a cluster that the caller of the request may use.
func (s *Service) cluster(ctx context.Context, name string) (cluster.Cluster, error) {
	if err := caller.Of(ctx).CheckCluster(name); err != nil {
		return cluster.Cluster{}, err
	}
	return s.Clusters.Load(ctx, name)
}

// task returns the record of a task. If the caller of the request may not see the cluster
// of the task, the error is the same as for a task that does not exist.
func (s *Service) task(ctx context.Context, id string) (task.Record, error) {
	return s.visible(ctx, id, s.Tasks.Get)
}

// visible returns the record of a task if the caller of the request may see its cluster.
func (s *Service) visible(ctx context.Context, id string, read func(context.Context, string) (task.Record, error)) (task.Record, error) {
	rec, err := read(ctx, id)
	if err == nil && !caller.Of(ctx).Sees(rec.ClusterName) {
		return task.Record{}, fault.New(fault.NotFound, "task %s does not exist", id)
	}
	return rec, err
}

// isOwn reports whether the caller of the request has requested the task.
func isOwn(ctx context.Context, rec task.Record) bool {
	return rec.RequestedBy != nil && rec.RequestedBy.Caller == caller.Of(ctx).Name
}

// checkStatus returns an error if the caller may not see the status of a task. A caller
// may see its own tasks without the right to read, so that it can wait for them.
func checkStatus(ctx context.Context, rec task.Record) error {
	if isOwn(ctx, rec) {
		return nil
	}
	return caller.Of(ctx).Check(api.RightRead)
}

// checkCancel returns an error if the caller may not cancel a task. To cancel its own
// task, a caller needs the right to start it; to cancel that of another caller, the right
// to repair.
func checkCancel(ctx context.Context, rec task.Record) error {
	right := api.RightRepair
	if isOwn(ctx, rec) {
		right = api.TaskRight(string(rec.Type))
	}
	return caller.Of(ctx).Check(right)
}

// recordCancel adds the cancellation of a task to the audit log. A task that has ended
// cannot be cancelled, so it adds no entry for such a task.
func (s *Service) recordCancel(ctx context.Context, rec task.Record) error {
	if rec.Status.Terminal() {
		return nil
	}
	_, err := s.record(ctx, api.AuditEntry{
		Action: api.RouteTaskCancel.Name(), TaskID: rec.TaskID, ClusterName: rec.ClusterName, DBName: rec.DBName, TableName: rec.TableName,
	})
	return err
}
