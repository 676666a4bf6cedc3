package structure

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"ace/shared/finding"
	"ace/shared/structure/catalog"
	"ace/shared/structure/ddl"
)

// signature has all properties of an object except its name and comment. Objects with the
// same signature on different nodes count as one object under different names.
type signature struct {
	kind             catalog.Kind
	schema, relation string
	properties       string
}

// pairRenamed finds constraints, indexes and sequences of columns that all nodes have,
// but under different names. This is usual, because a name that the server chooses
// depends on the order of statements. pairRenamed adds one finding for each such object
// and marks the object as done, so that no node is reported to lack it.
func (c *comparison) pairRenamed() {
	bySignature := map[signature]map[string][]catalog.ID{} // the objects of each signature, by the name of the node
	for id, nodes := range c.objects {
		if len(nodes) == len(c.nodes) {
			continue
		}
		for node, o := range nodes {
			if !mayBeRenamed(o) {
				continue
			}
			s := signatureOf(o)
			if bySignature[s] == nil {
				bySignature[s] = map[string][]catalog.ID{}
			}
			bySignature[s][node] = append(bySignature[s][node], id)
		}
	}

	for _, names := range bySignature {
		if len(names) == len(c.nodes) {
			c.pair(names)
		}
	}
}

func mayBeRenamed(o catalog.Object) bool {
	switch o.Kind {
	case catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.ForeignKey, catalog.Index, catalog.DomainConstraint:
		return true
	case catalog.Sequence:
		return len(o.List(catalog.OwnedBy)) > 0
	}
	return false
}

func signatureOf(o catalog.Object) signature {
	var b strings.Builder
	for _, property := range slices.Sorted(maps.Keys(o.Properties)) {
		if property != catalog.ObjectName && property != catalog.Comment {
			b.WriteString(string(property) + "\x00" + o.Properties[property] + "\x00")
		}
	}
	return signature{o.Kind, o.Schema, o.Relation, b.String()}
}

// pair adds the findings about the objects of one signature. byNode has their identities,
// by the name of the node. If a node has several, pair matches the first by name with the
// first of every other node, the second with the second, and so on.
func (c *comparison) pair(byNode map[string][]catalog.ID) {
	count := 0
	for i, node := range c.nodes {
		slices.SortFunc(byNode[node], func(a, b catalog.ID) int { return cmp.Compare(a.Name, b.Name) })
		if n := len(byNode[node]); i == 0 || n < count {
			count = n
		}
	}

	for i := range count {
		wanted := byNode[c.nodes[0]][i]
		if column, owned := c.ownerOf(wanted); owned {
			c.renamedSequence[column] = true
		}
		f := finding.Finding{
			Kind: string(wanted.Kind), Object: wanted.String(), Rank: finding.Differs, Nodes: map[string]string{}, Fix: map[string]string{},
			Detail: "name differs: the nodes have the same definition under different names; rows are not affected",
		}
		for _, node := range c.nodes {
			id := byNode[node][i]
			c.done[id] = true
			f.Nodes[node] = id.Name
			if id != wanted {
				addFix(&f, node, ddl.Rename(c.objects[id][node], wanted.Name))
			}
		}
		c.add(f)
	}
}
