package replication

import (
	"maps"
	"slices"
	"strings"

	"ace/shared/fault"
)

// Set is one publication or replication set, as the nodes have it.
type Set struct {
	System string
	Name   string
	nodes  []Node                  // all nodes, in the order of the cluster
	on     map[string]*Publication // by the name of the node; a node that lacks the set is absent
}

// String returns the system and the name of the set, such as publication:orders.
func (s Set) String() string { return prefix(s.System) + ":" + s.Name }

// prefix returns the word that selects a system in a request.
func prefix(system string) string {
	if system == Native {
		return "publication"
	}
	return system
}

// HasMixedRoots reports whether some nodes publish partitions under the name of their
// partitioned table (publish_via_partition_root) and others do not.
func (s Set) HasMixedRoots() bool {
	viaRoot := map[bool]bool{}
	for _, p := range s.on {
		viaRoot[p.ViaPartitionRoot] = true
	}
	return len(viaRoot) > 1
}

// FindSet returns the publication or replication set with this name. system is empty if
// the set may be in any system. The error is NotFound if no node has the set, and
// Conflict if several systems have a set of the name or if a node's sets could not be
// read. FindSet also changes the names of tables in the states of the nodes to the same
// text on all nodes.
func FindSet(nodes []Node, system, name string) (Set, error) {
	unifyNames(nodes)
	var found []string // systems
	for _, n := range nodes {
		if err := n.unreadable(system); err != nil {
			return Set{}, err
		}
		for _, p := range n.Publications {
			if p.Name == name && (system == "" || p.System == system) && !slices.Contains(found, p.System) {
				found = append(found, p.System)
			}
		}
	}

	slices.Sort(found)
	switch len(found) {
	case 0:
		return Set{}, noSet(nodes, system, name)
	case 1:
	default:
		var choices []string
		for _, system := range found {
			choices = append(choices, prefix(system)+":"+name)
		}
		return Set{}, fault.New(fault.Conflict, "%q is the name of more than one set; set repset_name to %s", name, strings.Join(choices, " or "))
	}

	s := Set{System: found[0], Name: name, nodes: nodes, on: map[string]*Publication{}}
	for _, n := range nodes {
		if p := n.publication(s.System, name); p != nil {
			s.on[n.Name] = p
		}
	}
	return s, nil
}

// unreadable returns an error if the role may not read the sets of a system on the node.
// An unread set could be the one that is meant, or make the name ambiguous.
func (n Node) unreadable(system string) error {
	for _, u := range n.Unknown {
		if u.Incomplete && (system == "" || system == u.System) {
			err := fault.New(fault.Conflict, "node %q: the role may not read %s; %s", n.Name, u.What, u.Remedy)
			if system == "" {
				err = fault.New(fault.Conflict, "%s, or write publication: before the name if it is a publication", fault.PublicMessage(err))
			}
			return err
		}
	}
	return nil
}

// noSet returns the error for a name that no set has. It lists the sets that exist.
func noSet(nodes []Node, system, name string) error {
	existing := map[string]bool{}
	for _, n := range nodes {
		for _, p := range n.Publications {
			if system == "" || p.System == system {
				existing[prefix(p.System)+":"+p.Name] = true
			}
		}
	}
	what := "publication or replication set"
	if system != "" {
		what = noun(system)
	}
	if len(existing) == 0 {
		return fault.New(fault.NotFound, "no node has a %s %q, or any other", what, name)
	}
	return fault.New(fault.NotFound, "no node has a %s %q; there are %s", what, name, list(slices.Sorted(maps.Keys(existing))))
}

// Member is a table of a set, with what the nodes together replicate of it: a row or
// column is replicated if at least one node publishes its changes.
type Member struct {
	Table      string   // qualified, and quoted as in SQL
	RowFilters []string // a row is replicated if at least one of them is true; empty means all rows
	Columns    []string // the columns that are replicated, sorted; empty means all
}

// Members returns the tables of the set, in the order of their names.
func (s Set) Members() []Member {
	members := map[string]Member{}
	for _, n := range s.nodes {
		p := s.on[n.Name]
		if p == nil {
			continue
		}
		for _, t := range p.Tables {
			on := memberOf(t)
			if m, known := members[t.Table]; known {
				on = m.Join(on)
			}
			members[t.Table] = on
		}
	}

	all := make([]Member, 0, len(members))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		all = append(all, members[name])
	}
	return all
}

func memberOf(t PublishedTable) Member {
	m := Member{Table: t.Table, Columns: slices.Sorted(slices.Values(t.Columns))}
	if t.RowFilter != "" {
		m.RowFilters = []string{t.RowFilter}
	}
	return m
}

// Join returns what two members together replicate, under the name of the first.
func (m Member) Join(other Member) Member {
	return Member{Table: m.Table, RowFilters: union(m.RowFilters, other.RowFilters), Columns: union(m.Columns, other.Columns)}
}

// IsWhole reports whether all rows and columns of the table are replicated.
func (m Member) IsWhole() bool { return len(m.RowFilters) == 0 && len(m.Columns) == 0 }

// RowFilter returns the condition that is true for the rows that are replicated, or "" if
// all rows are.
func (m Member) RowFilter() string {
	if len(m.RowFilters) == 1 {
		return m.RowFilters[0]
	}
	var terms []string
	for _, filter := range m.RowFilters {
		terms = append(terms, "("+filter+")")
	}
	return strings.Join(terms, " OR ")
}

// union returns the texts that at least one of two lists has, sorted. An empty list
// stands for everything, so then the result is empty, too.
func union(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}
