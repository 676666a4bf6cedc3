package service

import (
	"context"

	"ace/shared/api"
	"ace/shared/diffindex"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/inventory"
	"ace/shared/table"
	"ace/shared/task"
)

// comparisonsAtOnce bounds the number of tables whose last comparisons are looked up
// concurrently.
const comparisonsAtOnce = 32

// ListTables returns a page of the tables of a database, as the catalogs of the nodes
// show them, each with its last comparison.
func (s *Service) ListTables(ctx context.Context, req api.TablesRequest) (api.TableList, error) {
	definition, err := s.cluster(ctx, req.ClusterName)
	if err != nil {
		return api.TableList{}, err
	}
	database, err := definition.Database(req.DBName)
	if err != nil {
		return api.TableList{}, err
	}
	targets, err := definition.Targets(req.DBName, nil)
	if err != nil {
		return api.TableList{}, err
	}

	page, err := s.Nodes.Tables(ctx, targets, table.Selection{
		Schema: req.Schema, AfterSchema: req.After.Schema, AfterName: req.After.Name, Limit: req.Limit,
	})
	if err != nil {
		return api.TableList{}, err
	}

	list := api.TableList{DBName: database.Name}
	for _, unread := range page.Unread {
		list.UnreadNodes = append(list.UnreadNodes, api.UnreadNode{Node: unread.Node, Error: fault.PublicMessage(unread.Err)})
	}
	list.Tables, err = fanout.Map(ctx, comparisonsAtOnce, page.Tables, func(ctx context.Context, one inventory.Table) (api.ListedTable, error) {
		listed := listedTable(one)
		var err error
		listed.LastComparison, err = s.lastComparison(ctx, req.ClusterName, database.Name, listed.TableName)
		return listed, err
	})
	if err == nil && page.More {
		last := page.Tables[len(page.Tables)-1]
		list.Next = api.TableCursor(api.TableName{Schema: last.Schema, Name: last.Name})
	}
	return list, err
}

func listedTable(t inventory.Table) api.ListedTable {
	return api.ListedTable{
		TableName:     api.TableName{Schema: t.Schema, Name: t.Name}.String(),
		EstimatedRows: t.RowEstimate, Key: t.Key, NoKey: t.NoKey, MissingOn: t.MissingOn,
	}
}

// lastComparison returns the most recently finished comparison of a table among those
// whose documents are archived, or nil if there is none.
func (s *Service) lastComparison(ctx context.Context, cluster, database, name string) (*api.LastComparison, error) {
	entry, found, err := s.Diffs.Latest(ctx, cluster, database, name)
	if !found || err != nil {
		return nil, err
	}
	restrictions, found, err := s.restrictions(ctx, entry)
	if !found || err != nil {
		return nil, err
	}
	return &api.LastComparison{
		TaskID: entry.TaskID, TaskType: string(entry.Type), FinishedAt: api.At(entry.FinishedAt), Verdict: entry.Verdict,
		TotalRows: entry.TotalRows, MismatchedRows: entry.MismatchedRows,
		TableFilter: restrictions.TableFilter, Nodes: restrictions.Nodes, IgnoreColumns: restrictions.IgnoreColumns,
	}, nil
}

// unknownFilter is the table_filter in lists if the record of a task, or its parameters,
// cannot be read. An empty filter would mean that the verdict is about the whole table.
const unknownFilter = "unknown: the parameters of the task cannot be read"

// restrictions returns the parameters that restricted a comparison to some rows, nodes or
// columns. It returns false if the entry lacks them and the task, whose record has them,
// has been deleted meanwhile. If the record is unreadable, the filter is unknownFilter.
func (s *Service) restrictions(ctx context.Context, entry diffindex.Entry) (diffindex.Restrictions, bool, error) {
	if entry.Restrictions != nil {
		return *entry.Restrictions, true, nil
	}

	var found diffindex.Restrictions
	rec, err := s.task(ctx, entry.TaskID) // the entry lacks the restrictions, because an earlier version wrote it, or because the parameters are damaged
	if err == nil {
		found, err = diffindex.RestrictionsOf(rec)
	}
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		return diffindex.Restrictions{}, false, nil
	case task.IsUnreadable(err):
		return diffindex.Restrictions{TableFilter: unknownFilter}, true, nil
	}
	return found, err == nil, err
}
