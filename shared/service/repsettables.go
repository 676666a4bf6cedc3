package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/cluster"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/inventory"
	"ace/shared/replication"
	"ace/shared/setdiff"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// repsetTables implements setdiff.Source for the tables of a publication or of a
// replication set. A table is compared if it is in the set on at least one node. Of this
// table, the rows and columns are compared that at least one node replicates.
type repsetTables struct {
	replication ReplicationReader
	nodes       Nodes
	targets     []cluster.Target
	request     api.RepsetDiffRequest
}

// Read implements setdiff.Source.
func (s repsetTables) Read(ctx context.Context) (setdiff.Set, error) {
	set, err := s.find(ctx)
	if err != nil {
		return setdiff.Set{}, err
	}
	members, err := membersOf(set)
	if err != nil {
		return setdiff.Set{}, err
	}
	if len(members) == 0 {
		return setdiff.Set{}, fault.New(fault.NotFound, "%s has no table on any node", set)
	}

	catalogs, err := s.catalogs(ctx, members)
	if err != nil {
		return setdiff.Set{}, err
	}
	selected, err := s.selected(members.merge(catalogs), set)
	if err != nil {
		return setdiff.Set{}, err
	}

	read := setdiff.Set{Name: set.String(), Findings: s.findings(set, members, selected, catalogs)}
	if slices.Contains(s.request.Compare, api.CompareData) {
		if read.Tables, err = s.tables(ctx, selected, catalogs); err != nil {
			return setdiff.Set{}, err
		}
	}
	if slices.Contains(s.request.Compare, api.CompareStructure) {
		read.Findings = append(read.Findings, s.structure(catalogs, selected)...)
	}
	return read, nil
}

// find reads the sets of all nodes and returns the one that the request names.
func (s repsetTables) find(ctx context.Context) (replication.Set, error) {
	servers := make([]*table.Description, len(s.targets))
	read, err := fanout.Map(ctx, replicationNodesAtOnce, fanout.Indexes(len(s.targets)), func(ctx context.Context, i int) (replication.Node, error) {
		target := s.targets[i]
		state, server, err := s.replication.ReplicationSets(ctx, target)
		servers[i] = &table.Description{Node: target.Node, Address: target.Host, Server: server}
		return replication.Node{Name: target.Node, State: &state}, err
	})
	if err == nil {
		err = table.CheckServers(servers)
	}
	if err != nil {
		return replication.Set{}, err
	}

	system, name := s.request.Repset.Split()
	if system == api.SystemPublication {
		system = replication.Native
	}
	return replication.FindSet(read, system, name)
}

// catalogs returns the structure of the schemas of the members, by node. If a member is a
// partition or a partitioned table, it returns the structure of all schemas, because the
// other partitions may be in any schema.
func (s repsetTables) catalogs(ctx context.Context, members members) (map[string]catalog.Catalog, error) {
	catalogs, err := s.nodes.Structure(ctx, s.targets, members.schemas())
	if err != nil {
		return nil, err
	}
	if !members.havePartitions(catalogs) {
		return catalogs, nil
	}
	return s.nodes.Structure(ctx, s.targets, nil)
}

// selected returns the members that the parameter tables selects. It keeps those that
// skip_tables matches, because the document lists them as skipped. If no member remains
// to be compared, the error is NotFound.
func (s repsetTables) selected(all members, set replication.Set) (members, error) {
	selected := slices.DeleteFunc(slices.Clone(all), func(m member) bool {
		return s.request.Tables != nil && !s.request.Tables.Match(m.name)
	})
	switch {
	case len(selected) == 0:
		return nil, fault.New(fault.NotFound, "tables is %s, which matches no table of %s", strings.Join(s.request.Tables, ","), set)
	case !slices.ContainsFunc(selected, func(m member) bool { return !s.request.SkipTables.Match(m.name) }):
		return nil, fault.New(fault.NotFound, "skip_tables excludes every table of %s that would be compared", set)
	}
	return selected, nil
}

// findings returns the findings about the set. It leaves out the kinds that the request
// ignores, and the findings about tables that are not compared.
func (s repsetTables) findings(set replication.Set, all, selected members, catalogs map[string]catalog.Catalog) []finding.Finding {
	memberAt := s.comparedAt(selected, partitionsOf(catalogs))
	left := map[string]bool{}
	for _, m := range all {
		if _, compared := memberAt(m.name); !compared {
			left[m.Table] = true
		}
	}
	return slices.DeleteFunc(set.Compare(all.comparable(set, catalogs)), func(f finding.Finding) bool {
		return structure.Ignores(s.request.Ignore, f.Kind) || f.Kind == replication.KindSetTable && left[f.Object]
	})
}

// comparedAt returns a function that finds the selected member with which a table is
// compared: the table, or a partitioned table of which it is a partition. A member that
// skip_tables matches is not compared.
func (s repsetTables) comparedAt(selected members, parts partitions) func(api.TableName) (m member, found bool) {
	compared := map[api.TableName]member{}
	for _, m := range selected {
		if !s.request.SkipTables.Match(m.name) {
			compared[m.name] = m
		}
	}
	return func(at api.TableName) (m member, found bool) {
		isPartition := true
		for range len(parts) + 1 {
			if m, found = compared[at]; found || !isPartition {
				break
			}
			at, isPartition = parts[at]
		}
		return m, found
	}
}

// structure returns the findings about the structure of the selected members. It first
// deletes from catalogs the columns that are not replicated, and the objects that belong
// to no selected member.
func (s repsetTables) structure(catalogs map[string]catalog.Catalog, selected members) []finding.Finding {
	memberAt := s.comparedAt(selected, partitionsOf(catalogs))
	options := structure.Options{Nodes: nodeNames(s.targets), Ignore: s.request.Ignore}
	for node, read := range catalogs {
		read.Objects = slices.DeleteFunc(read.Objects, func(o catalog.Object) bool {
			name := o.Relation
			if o.Kind == catalog.Table {
				name = o.Name
			}
			m, found := memberAt(api.TableName{Schema: o.Schema, Name: name})
			return name == "" || !found || o.Kind == catalog.PublicationTable || o.Kind == catalog.Column && !m.replicates(o.Name)
		})
		read.Sequences = slices.DeleteFunc(read.Sequences, func(of catalog.SequenceState) bool {
			return !slices.ContainsFunc(of.Columns, func(c catalog.ServedColumn) bool {
				m, found := memberAt(api.TableName{Schema: c.Schema, Name: c.Table})
				return found && m.replicates(c.Name)
			})
		})
		catalogs[node] = read
	}
	return structure.Compare(catalogs, options)
}

// tables returns the plan's entries for the selected members.
func (s repsetTables) tables(ctx context.Context, selected members, catalogs map[string]catalog.Catalog) ([]setdiff.Table, error) {
	listed := map[api.TableName]inventory.Table{}
	for _, schema := range selected.schemas() {
		tables, err := listTables(ctx, s.nodes, s.targets, table.Selection{Schema: schema, Partitions: true})
		if err != nil {
			return nil, err
		}
		for _, one := range tables {
			listed[api.TableName{Schema: one.Schema, Name: one.Name}] = one
		}
	}

	columns := columnsOf(catalogs)
	planned := make([]setdiff.Table, len(selected))
	for i, m := range selected {
		one, exists := listed[m.name]
		if !exists { // dropped since the sets were read
			one.MissingOn = nodeNames(s.targets)
		}
		planned[i] = plannedTable(m.name, one, s.request.SkipTables, nodeNames(s.targets))
		if (planned[i].Verdict == "" || len(planned[i].CompareOn) > 0) && !m.IsWhole() {
			s.restrict(&planned[i], m, one.Key, columns[m.name])
		}
	}
	return planned, nil
}

// restrict limits the comparison of a table to the rows and columns that are replicated.
// key has the columns of the table's key, and columns has all columns that it has on any
// node. If the comparison cannot be limited in this way, restrict replaces t by an entry
// with the reason, which is not compared.
func (s repsetTables) restrict(t *setdiff.Table, m member, key, columns []string) {
	if filter := m.RowFilter(); filter != "" {
		t.TableFilter = filter
		if own := s.request.TableFilter; own != "" {
			if strings.Contains(own, "--") {
				own += "\n" // so that a comment at the end of the filter ends there
			}
			t.TableFilter = fmt.Sprintf("(%s) AND (%s)", own, filter)
		}
	}
	for _, column := range columns {
		if !m.replicates(column) {
			t.IgnoreColumns = append(t.IgnoreColumns, column)
		}
	}
	if len(t.IgnoreColumns) > 0 {
		t.IgnoreColumns = slices.Compact(slices.Sorted(slices.Values(slices.Concat(t.IgnoreColumns, s.request.IgnoreColumns))))
	}

	problem := ""
	for _, column := range key {
		if !m.replicates(column) {
			problem = fmt.Sprintf("column %q of the key is not in the column list, so the rows cannot be matched", column)
		}
	}
	if len(m.Columns) > 0 && len(columns) == 0 {
		problem = "the set has a column list, but the columns of the table cannot be read"
	}
	request := s.request.TableDiff(t.Name)
	request.TableFilter, request.IgnoreColumns = t.TableFilter, t.IgnoreColumns
	if err := request.Validate(); err != nil && problem == "" {
		problem = "what is replicated cannot be compared: " + fault.PublicMessage(err)
	}
	switch {
	case problem == "":
	case t.Verdict == api.SetMissing: // the nodes that have the table are not compared either
		*t = setdiff.Table{Name: t.Name, Verdict: t.Verdict, MissingOn: t.MissingOn, Reason: t.Reason + "; " + problem}
	default:
		*t = setdiff.Table{Name: t.Name, Verdict: api.SetFailed, Reason: problem}
	}
}

// columnsOf returns the columns that each table has on any node, sorted.
func columnsOf(catalogs map[string]catalog.Catalog) map[api.TableName][]string {
	columns := map[api.TableName][]string{}
	for _, read := range catalogs {
		for _, o := range read.Objects {
			if o.Kind == catalog.Column {
				name := api.TableName{Schema: o.Schema, Name: o.Relation}
				columns[name] = append(columns[name], o.Name)
			}
		}
	}
	for name, of := range columns {
		columns[name] = slices.Compact(slices.Sorted(slices.Values(of)))
	}
	return columns
}
