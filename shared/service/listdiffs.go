package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/diffindex"
	"ace/shared/fanout"
)

// ListDiffs returns a page of the archived documents, the most recently finished first.
func (s *Service) ListDiffs(ctx context.Context, req api.DiffsRequest) (api.DiffList, error) {
	by := caller.Of(ctx)
	if err := checkNamed(by, req.ClusterName); err != nil {
		return api.DiffList{}, err
	}
	filter := diffindex.Filter{
		ClusterName: req.ClusterName, TableName: req.TableName.String(), Verdict: req.Verdict,
		Since: req.Since, Until: req.Until, Limit: req.Limit, After: req.After,
	}
	if !by.SeesAll() {
		filter.Sees = by.Sees
	}
	page, err := s.Diffs.List(ctx, filter)
	if err != nil {
		return api.DiffList{}, err
	}

	diffs, err := fanout.Map(ctx, comparisonsAtOnce, page.Entries, s.archivedDiff)
	if err != nil {
		return api.DiffList{}, err
	}
	return api.DiffList{Diffs: diffs, Unreadable: unreadable(page.Unreadable), Next: page.Next}, nil
}

func (s *Service) archivedDiff(ctx context.Context, e diffindex.Entry) (api.ArchivedDiff, error) {
	restrictions, found, err := s.restrictions(ctx, e)
	if err != nil {
		return api.ArchivedDiff{}, err
	}
	if !found {
		restrictions.TableFilter = unknownFilter
	}
	return api.ArchivedDiff{
		TaskID: e.TaskID, TaskType: string(e.Type), ClusterName: e.ClusterName, DBName: e.DBName, TableName: e.TableName, Parent: e.Parent,
		FinishedAt: api.At(e.FinishedAt), Verdict: e.Verdict, TotalRows: e.TotalRows, MismatchedRows: e.MismatchedRows,
		DiffFile: e.DiffFile, Size: e.Size,
		TableFilter: restrictions.TableFilter, Nodes: restrictions.Nodes, IgnoreColumns: restrictions.IgnoreColumns,
	}, nil
}
