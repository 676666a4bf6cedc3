package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/inventory"
	"ace/shared/setdiff"
	"ace/shared/table"
)

// tablesPerPage is how many tables one request to a node lists.
const tablesPerPage = 500

// skippedByRequest is the reason why a table that skip_tables names is not compared.
const skippedByRequest = "skip_tables names it"

// schemaTables implements setdiff.Source for the tables of schemas.
type schemaTables struct {
	nodes   Nodes
	targets []cluster.Target
	request api.SchemaDiffRequest
}

// Read implements setdiff.Source.
func (s schemaTables) Read(ctx context.Context) (setdiff.Set, error) {
	var set setdiff.Set
	var err error
	if slices.Contains(s.request.Compare, api.CompareStructure) {
		if set.Findings, err = s.structure(ctx); err != nil {
			return set, err
		}
	}
	if slices.Contains(s.request.Compare, api.CompareData) {
		set.Tables, err = s.tables(ctx)
	}
	return set, err
}

// tables returns the ordinary and partitioned tables of the schemas that the request
// selects. The list has each partitioned table, but not its partitions.
func (s schemaTables) tables(ctx context.Context) ([]setdiff.Table, error) {
	schemas := []string(s.request.Schemas)
	if s.request.Schemas.All() {
		schemas = []string{""}
	}

	var tables []setdiff.Table
	found := false
	for _, schema := range schemas {
		listed, err := listTables(ctx, s.nodes, s.targets, table.Selection{Schema: schema})
		if err != nil {
			return nil, err
		}
		if len(listed) == 0 && schema != "" {
			return nil, fault.New(fault.NotFound, "no node has a table in schema %s", schema)
		}
		for _, one := range listed {
			name := api.TableName{Schema: one.Schema, Name: one.Name}
			found = true
			if s.request.Tables == nil || s.request.Tables.Match(name) {
				tables = append(tables, plannedTable(name, one, s.request.SkipTables, nodeNames(s.targets)))
			}
		}
	}
	return tables, s.check(tables, found)
}

// check returns an error if no table is to be compared. found reports whether the schemas
// have any table, including those that the request does not select.
func (s schemaTables) check(tables []setdiff.Table, found bool) error {
	if !found {
		return fault.New(fault.NotFound, "no node has a table in a schema of users")
	}
	if len(tables) == 0 {
		return s.noTable()
	}
	for _, t := range tables {
		if t.Verdict != api.SetSkipped {
			return nil
		}
	}
	return fault.New(fault.NotFound, "skip_tables excludes every table of %s that would be compared", s.request.Name())
}

// noTable returns the error for a request whose parameter tables matches no table.
func (s schemaTables) noTable() error {
	return fault.New(fault.NotFound, "tables is %s, which matches no table of %s", strings.Join(s.request.Tables, ","), s.request.Name())
}

// listTables returns all tables of a selection, page by page. It fails if a node cannot
// be read.
func listTables(ctx context.Context, nodes Nodes, targets []cluster.Target, of table.Selection) ([]inventory.Table, error) {
	var tables []inventory.Table
	of.Limit = tablesPerPage
	for {
		page, err := nodes.Tables(ctx, targets, of)
		if err != nil {
			return nil, err
		}
		if len(page.Unread) > 0 {
			return nil, page.Unread[0].Err
		}
		tables = append(tables, page.Tables...)
		if !page.More {
			return tables, nil
		}
		last := page.Tables[len(page.Tables)-1]
		of.AfterSchema, of.AfterName = last.Schema, last.Name
	}
}

// plannedTable returns the entry of a table in the plan. The entry has a verdict if the
// table is not compared on all nodes. If some nodes lack the table, its rows are compared
// on the other nodes.
func plannedTable(name api.TableName, one inventory.Table, skip api.Patterns, nodes []string) setdiff.Table {
	t := setdiff.Table{Name: name, MissingOn: one.MissingOn}
	if one.RowEstimate != nil {
		t.Rows = *one.RowEstimate
	}
	switch {
	case skip.Match(name):
		t.Verdict, t.Reason = api.SetSkipped, skippedByRequest
	case len(one.MissingOn) > 0:
		t.Verdict, t.Reason = api.SetMissing, fmt.Sprintf("the table does not exist on %s", strings.Join(one.MissingOn, ", "))
		on := slices.DeleteFunc(slices.Clone(nodes), func(node string) bool { return slices.Contains(one.MissingOn, node) })
		if len(on) > 1 && len(one.Key) > 0 {
			t.CompareOn = on
		}
	case len(one.Key) == 0:
		t.Verdict, t.Reason = api.SetKeyless, one.NoKey
	}
	return t
}
