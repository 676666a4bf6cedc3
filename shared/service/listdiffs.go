package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/diffindex"
)

// ListDiffs returns a page of the archived documents, the most recently finished first.
func (s *Service) ListDiffs(ctx context.Context, req api.DiffsRequest) (api.DiffList, error) {
	entries, next, err := s.Diffs.List(ctx, diffindex.Filter{
		ClusterName: req.ClusterName, TableName: req.TableName.String(), Verdict: req.Verdict,
		Since: req.Since, Until: req.Until, Limit: req.Limit, After: req.After,
	})
	if err != nil {
		return api.DiffList{}, err
	}

	list := api.DiffList{Diffs: make([]api.ArchivedDiff, 0, len(entries)), Next: next}
	for _, e := range entries {
		restrictions, _, err := s.restrictions(ctx, e)
		if err != nil {
			return api.DiffList{}, err
		}
		list.Diffs = append(list.Diffs, api.ArchivedDiff{
			TaskID: e.TaskID, TaskType: string(e.Type), ClusterName: e.ClusterName, DBName: e.DBName, TableName: e.TableName, Parent: e.Parent,
			FinishedAt: api.At(e.FinishedAt), Verdict: e.Verdict, TotalRows: e.TotalRows, MismatchedRows: e.MismatchedRows,
			DiffFile: e.DiffFile, Size: e.Size,
			TableFilter: restrictions.TableFilter, Nodes: restrictions.Nodes, IgnoreColumns: restrictions.IgnoreColumns,
		})
	}
	return list, nil
}
