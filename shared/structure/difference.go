package structure

import (
	"encoding/json"
	"slices"

	"ace/shared/finding"
	"ace/shared/structure/catalog"
	"ace/shared/structure/ddl"
)

// group is a value of a property, with the nodes that have this value.
type group struct {
	value string
	nodes []string
}

// group returns the different values of a property, each with the nodes that have it, in
// the order of the nodes. A node is left out if no node of its major version has the
// property, because then that version does not know the property.
func (c *comparison) group(id catalog.ID, property catalog.Property, nodes []string) []group {
	known := map[int]bool{} // the major versions that have the property
	for _, node := range nodes {
		if _, has := c.objects[id][node].Properties[property]; has {
			known[c.catalogs[node].Version/10000] = true
		}
	}

	var groups []group
	for _, node := range nodes {
		value := c.objects[id][node].Get(property)
		if !known[c.catalogs[node].Version/10000] {
			continue
		}

		i := slices.IndexFunc(groups, func(g group) bool {
			return c.same(id.Kind, property, occurrence{g.nodes[0], g.value}, occurrence{node, value})
		})
		if i < 0 {
			groups = append(groups, group{value: value})
			i = len(groups) - 1
		}
		groups[i].nodes = append(groups[i].nodes, node)
	}
	return groups
}

// occurrence is the value of a property on a node.
type occurrence struct{ node, value string }

// same reports whether two values of a property mean the same. Servers of different
// versions may write the same value differently.
func (c *comparison) same(kind catalog.Kind, property catalog.Property, a, b occurrence) bool {
	if a.value == b.value {
		return true
	}
	va, vb := c.catalogs[a.node].Version, c.catalogs[b.node].Version
	if va > vb {
		a, b, va, vb = b, a, vb, va
	}
	switch {
	case property == catalog.Grants && va < versionMaintain && vb >= versionMaintain:
		return withoutMaintain(a.value) == withoutMaintain(b.value)
	case property == catalog.Definition && (kind == catalog.View || kind == catalog.MaterializedView) && va < versionShortViews && vb >= versionShortViews:
		return sameView(a.value, b.value)
	}
	return false
}

const (
	versionShortViews = 160000 // the first server_version_num that omits needless table names before columns in views
	versionMaintain   = 170000 // the first server_version_num with the privilege MAINTAIN
)

// withoutMaintain returns a value of catalog.Grants without the privilege MAINTAIN, which
// versions before 17 do not have.
func withoutMaintain(grants string) string {
	var byRole map[string][]string
	if json.Unmarshal([]byte(grants), &byRole) != nil {
		return grants
	}
	for role, privileges := range byRole {
		byRole[role] = slices.DeleteFunc(privileges, func(p string) bool { return p == "MAINTAIN" || p == "MAINTAIN*" })
		if len(byRole[role]) == 0 {
			delete(byRole, role)
		}
	}
	text, err := json.Marshal(byRole)
	if err != nil {
		return grants
	}
	return string(text)
}

// addMissing adds the finding that the nodes in absent lack an object which the nodes in
// present have.
func (c *comparison) addMissing(id catalog.ID, present, absent []string) {
	o := c.objects[id][present[0]]
	what := c.missingRule(o)
	if what.rank == "" { // only collation versions have no rank: a node lacks those that its columns do not use
		return
	}
	f := finding.Finding{
		Kind: string(id.Kind), Object: id.String(), Rank: what.rank, Nodes: map[string]string{}, Fix: map[string]string{},
		Detail: "missing on " + list(absent) + ": " + what.reason,
	}
	for _, node := range present {
		f.Nodes[node] = summary(c.objects[id][node])
	}
	for _, node := range absent {
		f.Nodes[node] = "missing"
		if other, has := c.namesake(id, node); has {
			f.Nodes[node] = "a " + string(other.Kind) + " of this name"
			continue
		}
		addFix(&f, node, c.create(o, present[0]))
	}
	c.add(f)
}

// create returns the statements that create the object o as it is on node. The last
// statements set the new sequences to continue after the values that exist already (see
// continueAfter).
func (c *comparison) create(o catalog.Object, node string) []string {
	d := c.definitionOf(o, node)
	statements := ddl.Create(d)
	if len(statements) == 0 {
		return nil
	}
	for _, part := range append([]catalog.Object{o}, d.Parts...) {
		if part.Kind == catalog.Sequence {
			statements = append(statements, c.continueAfter(part.ID, node)...)
		}
	}
	return statements
}

// alter returns the statements that change a property of have to the value that the
// object has on node.
func (c *comparison) alter(have catalog.Object, node string, property catalog.Property) []string {
	d := c.definitionOf(c.objects[have.ID][node], node)
	statements := ddl.Alter(have, d, property)
	if property == catalog.Identity && have.Get(property) == "" {
		for _, part := range d.Parts {
			statements = append(statements, c.continueAfter(part.ID, node)...)
		}
	}
	return statements
}

// namesake returns the table, view or sequence on a node that has the same name as id,
// but is of another kind. As all of them share one namespace, the object id cannot be
// created there. namesake returns false if the node has no such object.
func (c *comparison) namesake(id catalog.ID, node string) (catalog.ID, bool) {
	kinds := []catalog.Kind{catalog.Table, catalog.ForeignTable, catalog.View, catalog.MaterializedView, catalog.Sequence}
	if !slices.Contains(kinds, id.Kind) {
		return catalog.ID{}, false
	}
	for _, kind := range kinds {
		other := catalog.ID{Kind: kind, Schema: id.Schema, Name: id.Name}
		if c.has(other, node) {
			return other, true
		}
	}
	return catalog.ID{}, false
}

// missingRule returns the rule for an object that a node lacks. A rule with the rank ""
// means that there is no finding about the missing object.
func (c *comparison) missingRule(o catalog.Object) rule {
	switch {
	case o.Kind == catalog.Index && o.Get(catalog.Unique) == "true":
		return blocks(refusesRows)
	case o.Kind == catalog.Extension && o.Get(catalog.Used) == "true":
		return blocks("columns with its types cannot exist there")
	case o.Kind == catalog.Function && o.Get(catalog.Used) == "true":
		return drifts("objects of the schemas use it; " + writesOther)
	}
	return c.rules[o.Kind].missing
}

// addDifference adds the finding that a property differs.
func (c *comparison) addDifference(id catalog.ID, property catalog.Property, groups []group) {
	what := c.differenceRule(id, property, groups)
	f := finding.Finding{
		Kind: kindOf(id.Kind, property), Object: id.String(), Rank: what.rank, Nodes: map[string]string{}, Fix: map[string]string{},
		Detail: string(property) + " differs: " + what.reason,
	}
	if f.Kind != string(id.Kind) {
		f.Detail = string(property) + " of the " + string(id.Kind) + " differs: " + what.reason
	}

	wanted := preferred(id.Kind, property, groups)
	for i, g := range groups {
		for _, node := range g.nodes {
			f.Nodes[node] = display(property, g.value)
			if i != wanted && (property != catalog.Version || !c.majorsDiffer()) { // each major version of PostgreSQL has its own versions of extensions, so ALTER EXTENSION would fail
				addFix(&f, node, c.alter(c.objects[id][node], groups[wanted].nodes[0], property))
			}
		}
	}
	c.add(f)
}

// differenceRule returns the rule for a property that differs.
func (c *comparison) differenceRule(id catalog.ID, property catalog.Property, groups []group) rule {
	has := func(value string) bool {
		return slices.ContainsFunc(groups, func(g group) bool { return g.value == value })
	}
	switch {
	case id.Kind == catalog.Column && property == catalog.Generated && has(""):
		return blocks("a generated column cannot be written, so replication or a repair fails")
	case id.Kind == catalog.Column && property == catalog.NotNull && !has("false"):
		return drifts("rows that were written earlier may violate it")
	case id.Kind == catalog.Enum && property == catalog.Labels && samePermutation(groups):
		return drifts("the labels are ordered differently")
	case id.Kind == catalog.Extension && property == catalog.Version && c.majorsDiffer():
		return differs("the nodes run different versions of PostgreSQL, each with its own versions of extensions")
	case id.Kind == catalog.Function && property == catalog.Definition && c.isUsed(id):
		return drifts("objects of the schemas use it; " + writesOther)
	}
	return c.properties(id.Kind)[property]
}

func (c *comparison) majorsDiffer() bool {
	majors := map[int]bool{}
	for _, found := range c.catalogs {
		majors[found.Version/10000] = true
	}
	return len(majors) > 1
}

func (c *comparison) isUsed(id catalog.ID) bool {
	for _, o := range c.objects[id] {
		if o.Get(catalog.Used) == "true" {
			return true
		}
	}
	return false
}

// samePermutation reports whether all values are lists of the same texts, in any order.
func samePermutation(groups []group) bool {
	var lists [][]string
	for _, g := range groups {
		var labels []string
		if json.Unmarshal([]byte(g.value), &labels) != nil {
			return false
		}
		slices.Sort(labels)
		lists = append(lists, labels)
	}
	return !slices.ContainsFunc(lists, func(l []string) bool { return !slices.Equal(l, lists[0]) })
}

// preferred returns the index in groups of the value that all nodes should have. This is
// the value to which all others can be changed without a loss (see ddl.Widens), such as
// bigint if the others are integer. If there is no such value, preferred chooses the most
// frequent one, and in a tie the first.
func preferred(kind catalog.Kind, property catalog.Property, groups []group) int {
	for i, g := range groups {
		accepts := func(other group) bool {
			return other.value == g.value || ddl.Widens(kind, property, other.value, g.value)
		}
		if !slices.ContainsFunc(groups, func(other group) bool { return !accepts(other) }) {
			return i
		}
	}

	best := 0
	for i, g := range groups {
		if len(g.nodes) > len(groups[best].nodes) {
			best = i
		}
	}
	return best
}

// addFix adds the statements that remove the cause of a finding on a node, if there are
// any.
func addFix(f *finding.Finding, node string, statements []string) {
	if len(statements) == 0 {
		return
	}
	f.Fix[node] = ddl.Script(statements)
}

// definitionOf returns an object with the objects that belong to it on a node, such as
// the columns of a table.
func (c *comparison) definitionOf(o catalog.Object, node string) ddl.Definition {
	d := ddl.Definition{Object: o, WithOwner: !c.options.ignores(kindOwner), WithGrants: !c.options.ignores(kindGrants)}
	for _, id := range c.children[relation{o.Schema, o.Name}] {
		if part, has := c.objects[id][node]; has && o.Relation == "" && id.Relation != "" && id.Kind != catalog.PublicationTable {
			d.Parts = append(d.Parts, part)
		}
	}
	table := relation{o.Schema, o.Name}
	if o.Relation != "" {
		table = relation{o.Schema, o.Relation}
	}
	for _, id := range c.owned[table] {
		if c.has(id, node) && (o.Relation == "" || c.owners[id] == o.ID) {
			d.Parts = append(d.Parts, c.objects[id][node])
		}
	}
	return d
}
