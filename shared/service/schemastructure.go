package service

import (
	"context"
	"slices"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/finding"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

// structure returns the findings about the structure of the schemas. It leaves out the
// tables that the request does not select, with the objects that belong to them.
func (s schemaTables) structure(ctx context.Context) ([]finding.Finding, error) {
	var schemas []string // nil means all schemas of users
	if !s.request.Schemas.All() {
		schemas = s.request.Schemas
	}
	catalogs, err := s.nodes.Structure(ctx, s.targets, schemas)
	if err != nil {
		return nil, err
	}
	for _, schema := range schemas {
		if !isOnAnyNode(catalogs, schema) {
			return nil, fault.New(fault.NotFound, "no node has a schema %s", schema)
		}
	}

	options := structure.Options{Ignore: s.request.Ignore, Nodes: nodeNames(s.targets)}
	parts := partitionsOf(catalogs)
	left := 0
	for node, read := range catalogs {
		catalogs[node] = s.selected(read, parts)
		left += len(catalogs[node].Objects)
	}
	if left == 0 && s.request.Tables != nil {
		return nil, s.noTable()
	}
	return structure.Compare(catalogs, options), nil
}

// isOnAnyNode reports whether any node has the schema, or an object in it.
func isOnAnyNode(catalogs map[string]catalog.Catalog, schema string) bool {
	for _, read := range catalogs {
		if slices.ContainsFunc(read.Objects, func(o catalog.Object) bool {
			return o.Schema == schema || o.Kind == catalog.Schema && o.Name == schema
		}) {
			return true
		}
	}
	return false
}

// partitions has, for each table that is a partition on any node, the table of which it
// is a partition.
type partitions map[api.TableName]api.TableName

func partitionsOf(catalogs map[string]catalog.Catalog) partitions {
	of := partitions{}
	for _, read := range catalogs {
		for _, o := range read.Objects {
			if parents := o.Names(catalog.Parents); o.Get(catalog.Bounds) != "" && len(parents) == 1 && len(parents[0]) == 2 {
				of[api.TableName{Schema: o.Schema, Name: o.Name}] = api.TableName{Schema: parents[0][0], Name: parents[0][1]}
			}
		}
	}
	return of
}

// root follows the partitions from a table upwards, and returns the partitioned table
// that is not a partition itself. For a table that is no partition, it returns the table.
func (p partitions) root(name api.TableName) api.TableName {
	for range len(p) { // bounded, because a cycle is possible: p combines the partitions of all nodes
		parent, isPartition := p[name]
		if !isPartition {
			break
		}
		name = parent
	}
	return name
}

// selected returns a catalog without the tables that the request does not select, and
// without the objects that belong to them. A partition is selected if its partitioned
// table is, because the rows of both are compared together. If the request names tables,
// selected also leaves out all objects that belong to no table.
func (s schemaTables) selected(read catalog.Catalog, parts partitions) catalog.Catalog {
	if s.request.Tables == nil && s.request.SkipTables == nil {
		return read
	}
	read.Objects = slices.DeleteFunc(read.Objects, func(o catalog.Object) bool {
		switch {
		case o.Kind == catalog.Table:
			return !s.selects(parts.root(api.TableName{Schema: o.Schema, Name: o.Name}))
		case o.Relation != "":
			return !s.selects(parts.root(api.TableName{Schema: o.Schema, Name: o.Relation}))
		}
		return s.request.Tables != nil // o belongs to no table
	})
	read.Sequences = slices.DeleteFunc(read.Sequences, func(of catalog.SequenceState) bool {
		served := slices.ContainsFunc(of.Columns, func(c catalog.ServedColumn) bool {
			return s.selects(parts.root(api.TableName{Schema: c.Schema, Name: c.Table}))
		})
		return !served && (len(of.Columns) > 0 || s.request.Tables != nil)
	})
	return read
}

// selects reports whether the request selects a table.
func (s schemaTables) selects(name api.TableName) bool {
	return (s.request.Tables == nil || s.request.Tables.Match(name)) && !s.request.SkipTables.Match(name)
}
