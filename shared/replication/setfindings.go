package replication

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ace/shared/finding"
	"ace/shared/table"
)

// The kinds of findings about a set. They are also kinds of findings about structure, so
// one name in the parameter ignore leaves out both.
const (
	KindSet      = "publication"       // a publication or replication set
	KindSetTable = "publication table" // a table of it
)

// Compare returns the findings about the set: what the nodes do not replicate alike.
// Their ranks are those of findings about structure, because one document lists both.
// exists reports whether a node has a table. There is no finding about a table on a node
// that does not have it.
func (s Set) Compare(exists func(node, table string) bool) []finding.Finding {
	c := &setComparison{Set: s}
	c.presence()
	if len(s.on) > 1 {
		c.settings()
		c.tables(exists)
	}
	c.operations()
	return c.found
}

type setComparison struct {
	Set
	found []finding.Finding
}

// all are the operations of a publication that replicates every change of rows.
var all = []string{"insert", "update", "delete"} //nolint:gochecknoglobals // a constant list

// presence adds a finding about the nodes that lack the set. One node with the set is
// usual: the publisher of a replication in one direction. But if several nodes have the
// set, those that lack it are probably meant to have it.
func (c *setComparison) presence() {
	nodes := map[string]string{}
	var without []string
	for _, n := range c.nodes {
		nodes[n.Name] = "exists"
		if c.on[n.Name] == nil {
			nodes[n.Name] = "missing"
			without = append(without, n.Name)
		}
	}
	if len(without) == 0 {
		return
	}

	f := finding.Finding{Kind: KindSet, Object: c.Name, Rank: finding.Differs, Nodes: nodes}
	f.Detail = fmt.Sprintf("changes made on %s are not replicated by the %s; usual for replication in one direction", strings.Join(without, ", "), noun(c.System))
	if len(c.on) > 1 {
		f.Rank = finding.Drifts
		f.Detail = fmt.Sprintf("changes made on %s are not replicated by the %s, although several nodes have it", strings.Join(without, ", "), noun(c.System))
	}
	c.found = append(c.found, f)
}

// settings adds findings about settings of the set that differ between the nodes.
func (c *setComparison) settings() {
	operations, root, generated := map[string]string{}, map[string]string{}, map[string]string{}
	for node, p := range c.on {
		operations[node], root[node], generated[node] = p.Operations, fmt.Sprint(p.ViaPartitionRoot), "none"
		if p.GeneratedColumns == "s" {
			generated[node] = "stored"
		}
	}
	c.unlike(KindSet, c.Name, "operations differ: some changes are replicated in one direction only", operations)
	c.unlike(KindSet, c.Name, "publish_via_partition_root differs: changes of partitions are sent under another name in one direction", root)
	c.unlike(KindSet, c.Name, "publish_generated_columns differs: generated columns are sent in one direction only", generated)
}

// operations adds a finding if the set does not replicate every change of rows.
func (c *setComparison) operations() {
	nodes, lacking := map[string]string{}, map[string]bool{}
	for node, p := range c.on {
		published := strings.Split(p.Operations, ", ")
		for _, operation := range all {
			if !slices.Contains(published, operation) {
				nodes[node] = cmp.Or(p.Operations, "none")
				lacking[operation] = true
			}
		}
	}
	if len(lacking) == 0 {
		return
	}
	c.found = append(c.found, finding.Finding{
		Kind: KindSet, Object: c.Name, Rank: finding.Differs, Nodes: nodes,
		Detail: fmt.Sprintf("%s is not replicated: rows that differ for this reason are reported as different", strings.Join(slices.Sorted(maps.Keys(lacking)), " and ")),
	})
}

// tables adds findings about the tables of the set. It compares only the nodes that have
// the set and the table.
func (c *setComparison) tables(exists func(node, table string) bool) {
	for _, m := range c.Members() {
		has, filters, columns := map[string]string{}, map[string]string{}, map[string]string{}
		for node, p := range c.on {
			t := p.table(m.Table)
			switch {
			case t != nil:
				has[node] = "in " + c.Name
				filters[node] = cmp.Or(t.RowFilter, "none")
				columns[node] = cmp.Or(strings.Join(t.Columns, ", "), "all")
			case exists(node, m.Table):
				has[node] = "not in " + c.Name
			}
		}

		c.partly(m, has)
		c.unlike(KindSetTable, m.Table, "row filter differs: changes of some rows are replicated in one direction only", filters)
		c.unlike(KindSetTable, m.Table, "column list differs: changes of some columns are replicated in one direction only", columns)
	}
}

// partly adds a finding if only some of the nodes have a table in the set. has contains
// the state of each node. A publication of all tables cannot be extended by a table.
func (c *setComparison) partly(m Member, has map[string]string) {
	var without []string
	fix := map[string]string{}
	for _, node := range slices.Sorted(maps.Keys(has)) {
		if !strings.HasPrefix(has[node], "not") {
			continue
		}
		without = append(without, node)
		if statement := c.add(m); statement != "" && !c.on[node].AllTables {
			fix[node] = statement
		}
	}
	if len(without) == 0 {
		return
	}
	c.found = append(c.found, finding.Finding{
		Kind: KindSetTable, Object: m.Table, Rank: finding.Drifts, Nodes: has, Fix: fix,
		Detail: fmt.Sprintf("not in the %s on %s: changes made there are not replicated; a subscription to a publication must be refreshed after the table is added",
			noun(c.System), strings.Join(without, ", ")),
	})
}

// add returns the statement that adds a table to the set. It returns "" if the other
// nodes replicate only some rows or columns, because the statement would have to repeat
// their row filters and column lists.
func (c *setComparison) add(m Member) string {
	if !m.IsWhole() {
		return ""
	}
	switch c.System {
	case PGLogical:
		return fmt.Sprintf("SELECT pglogical.replication_set_add_table(%s, %s, synchronize_data := false);", table.Literal(c.Name), table.Literal(m.Table))
	case Spock:
		return fmt.Sprintf("SELECT spock.repset_add_table(%s, %s, synchronize_data := false);", table.Literal(c.Name), table.Literal(m.Table))
	}
	return fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s;", table.Quote(c.Name), m.Table)
}

// unlike adds a finding that drifts if the values of the nodes are not all equal.
func (c *setComparison) unlike(kind, object, detail string, values map[string]string) {
	if len(slices.Compact(slices.Sorted(maps.Values(values)))) < 2 {
		return
	}
	c.found = append(c.found, finding.Finding{Kind: kind, Object: object, Rank: finding.Drifts, Nodes: values, Detail: detail})
}
