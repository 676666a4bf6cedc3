package structure

import (
	"maps"
	"slices"
	"strings"

	"ace/shared/finding"
	"ace/shared/structure/catalog"
)

// Compare returns the findings about the catalogs, the worst first. The keys of catalogs
// are the names of the nodes. A single catalog has no differences, but there may be
// findings about its sequences and the versions of its collations.
func Compare(catalogs map[string]catalog.Catalog, options Options) []finding.Finding {
	c := newComparison(catalogs, options)
	c.collectSequences()
	c.pairRenamed()
	for _, id := range c.ids() {
		if !c.done[id] {
			c.compareObject(id)
		}
	}
	c.compareSequenceValues()
	c.checkCollationVersions()

	finding.Sort(c.findings)
	return c.findings
}

// comparison is the state of one call of Compare.
type comparison struct {
	nodes    []string // the names of the nodes, in the order of Options.Nodes
	catalogs map[string]catalog.Catalog
	objects  map[catalog.ID]map[string]catalog.Object // each object as each node has it, by the name of the node
	children map[relation][]catalog.ID                // the objects that belong to each relation
	owners   map[catalog.ID]catalog.ID                // the column that owns each sequence, on the first node that has an owner
	owned    map[relation][]catalog.ID                // the sequences that columns of each table own
	rules    map[catalog.Kind]kindRule
	compared map[catalog.Kind][]catalog.Property // the properties that are compared, sorted
	done     map[catalog.ID]bool                 // the objects that pairRenamed has compared already
	options  Options
	findings []finding.Finding

	sequences       map[catalog.ID]*sequence
	renamedSequence map[catalog.ID]bool // the columns whose sequences have different names
}

// relation identifies the table, view or domain to which objects belong (see
// catalog.ID.Relation). With an empty name, it identifies the schema: an object that
// belongs to no relation, such as a table, belongs to its schema.
type relation struct{ schema, name string }

func newComparison(catalogs map[string]catalog.Catalog, options Options) *comparison {
	c := &comparison{
		nodes: order(slices.Sorted(maps.Keys(catalogs)), options.Nodes), catalogs: catalogs, rules: kindRules(), options: options,
		objects: map[catalog.ID]map[string]catalog.Object{}, children: map[relation][]catalog.ID{}, done: map[catalog.ID]bool{},
		owners: map[catalog.ID]catalog.ID{}, owned: map[relation][]catalog.ID{},
		compared: map[catalog.Kind][]catalog.Property{}, sequences: map[catalog.ID]*sequence{}, renamedSequence: map[catalog.ID]bool{},
	}
	for kind := range c.rules {
		c.compared[kind] = slices.Sorted(maps.Keys(c.properties(kind)))
	}
	for _, node := range c.nodes {
		for _, o := range catalogs[node].Objects {
			if c.objects[o.ID] == nil {
				c.objects[o.ID] = map[string]catalog.Object{}
				at := relation{o.Schema, o.Relation}
				c.children[at] = append(c.children[at], o.ID)
			}
			c.objects[o.ID][node] = o
			c.indexOwner(o)
		}
	}
	return c
}

// indexOwner records which column owns a sequence, unless an earlier node has an owner.
func (c *comparison) indexOwner(o catalog.Object) {
	owner := o.List(catalog.OwnedBy)
	if _, has := c.owners[o.ID]; has || o.Kind != catalog.Sequence || len(owner) != 3 {
		return
	}
	at := relation{owner[0], owner[1]}
	c.owners[o.ID] = catalog.ID{Kind: catalog.Column, Schema: at.schema, Relation: at.name, Name: owner[2]}
	c.owned[at] = append(c.owned[at], o.ID)
}

// order sorts names in place and returns them: first those that are in first, in the
// order of first, and then the others in their previous order.
func order(names, first []string) []string {
	rank := func(name string) int {
		if i := slices.Index(first, name); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	return names
}

// ids returns the identities of all objects, sorted.
func (c *comparison) ids() []catalog.ID {
	return slices.SortedFunc(maps.Keys(c.objects), catalog.ID.Compare)
}

// compareObject adds the findings about one object.
func (c *comparison) compareObject(id catalog.ID) {
	var present, absent []string
	for _, node := range c.nodes {
		switch _, has := c.objects[id][node]; {
		case has:
			present = append(present, node)
		case c.hasParent(id, node):
			absent = append(absent, node)
		}
	}

	if len(absent) > 0 && !c.followsParent(id, "") {
		c.addMissing(id, present, absent)
	}
	if len(absent) == 0 && c.allEqual(id, present) {
		return
	}
	for _, property := range c.compared[id.Kind] {
		if groups := c.group(id, property, present); len(groups) > 1 && !c.followsParent(id, property) && !c.followsType(id, property, present) && !c.followsName(id, property, groups) {
			c.addDifference(id, property, groups)
		}
	}
}

// allEqual reports whether all nodes have the same text for every property of an object.
// This is the usual case, so compareObject checks it before it compares each property.
func (c *comparison) allEqual(id catalog.ID, nodes []string) bool {
	first := c.objects[id][nodes[0]].Properties
	return !slices.ContainsFunc(nodes[1:], func(node string) bool { return !maps.Equal(first, c.objects[id][node].Properties) })
}

// properties returns the rules of the properties that are compared for a kind of object,
// including the owner, the privileges and the comment.
func (c *comparison) properties(kind catalog.Kind) properties {
	all := commonRules()
	maps.Copy(all, c.rules[kind].properties)
	return all
}

// hasParent reports whether a node has the object to which id belongs, such as the
// table of a column. If the node lacks the parent, there is a finding about the parent,
// and none about each object that belongs to it. hasParent returns true if the object
// belongs to no other object.
func (c *comparison) hasParent(id catalog.ID, node string) bool {
	if id.Kind == catalog.PublicationTable && !c.has(catalog.ID{Kind: catalog.Publication, Name: id.Name}, node) {
		return false
	}
	if owner, owned := c.ownerOf(id); owned {
		return c.has(owner, node)
	}
	if id.Relation == "" {
		return true
	}
	return slices.ContainsFunc(parentKinds(id.Kind), func(kind catalog.Kind) bool {
		return c.has(catalog.ID{Kind: kind, Schema: id.Schema, Name: id.Relation}, node)
	})
}

// parentKinds returns the kinds of objects to which an object of a kind may belong.
func parentKinds(kind catalog.Kind) []catalog.Kind {
	switch kind {
	case catalog.DomainConstraint:
		return []catalog.Kind{catalog.Domain}
	case catalog.Trigger, catalog.Rule:
		return []catalog.Kind{catalog.Table, catalog.ForeignTable, catalog.View, catalog.MaterializedView}
	case catalog.Index:
		return []catalog.Kind{catalog.Table, catalog.MaterializedView}
	}
	return []catalog.Kind{catalog.Table, catalog.ForeignTable}
}

// ownerOf returns the column that owns the sequence id. It returns false if id does not
// identify a sequence, or if no column owns the sequence.
func (c *comparison) ownerOf(id catalog.ID) (catalog.ID, bool) {
	owner, owned := c.owners[id]
	return owner, owned
}

func (c *comparison) has(id catalog.ID, node string) bool {
	_, has := c.objects[id][node]
	return has
}

// followsName reports whether property is the default of a column, and differs only
// because the nodes have different names for the sequence of the column. pairRenamed has
// added a finding about the names already, so the default needs no finding.
func (c *comparison) followsName(id catalog.ID, property catalog.Property, groups []group) bool {
	return property == catalog.Default && c.renamedSequence[id] &&
		!slices.ContainsFunc(groups, func(g group) bool { return !strings.HasPrefix(g.value, "nextval('") })
}

// followsType reports whether property is the storage of a column whose type differs,
// too. Each type has its own default storage, so the finding about the type is
// sufficient.
func (c *comparison) followsType(id catalog.ID, property catalog.Property, present []string) bool {
	return id.Kind == catalog.Column && property == catalog.Storage && len(c.group(id, catalog.Type, present)) > 1
}

// mayComeFromParent reports whether PostgreSQL copies objects of a kind from a
// partitioned table to its partitions. As long as the partition is attached, the catalog
// of a node omits the copy, because the partitioned table has the object. Once the
// partition is detached, the catalog has the copy.
func mayComeFromParent(kind catalog.Kind) bool {
	switch kind {
	case catalog.PrimaryKey, catalog.UniqueKey, catalog.ForeignKey, catalog.Check, catalog.Exclusion, catalog.Index, catalog.Trigger:
		return true
	}
	return false
}

// isDetachedSomewhere reports whether a table is a partition on some nodes, and no
// partition on others.
func (c *comparison) isDetachedSomewhere(table catalog.ID) bool {
	attached, detached := false, false
	for _, o := range c.objects[table] {
		attached = attached || o.Get(catalog.Bounds) != ""
		detached = detached || o.Get(catalog.Bounds) == ""
	}
	return attached && detached
}

// followsParent reports whether a finding about an object would only repeat another
// finding. property is the property that differs, or empty if a node lacks the object.
// There are three such cases:
//   - The object is a sequence that a column owns, and its persistence differs like that
//     of the table.
//   - A node lacks the object. The object may come from a partitioned table (see
//     mayComeFromParent), and its table is a partition that is detached on some nodes.
//   - The object is a column, and the column of the same name in a parent table has the
//     same difference.
func (c *comparison) followsParent(id catalog.ID, property catalog.Property) bool {
	if owner, owned := c.ownerOf(id); owned && property == catalog.Persistence {
		return c.differs(catalog.ID{Kind: catalog.Table, Schema: owner.Schema, Name: owner.Relation}, property)
	}
	if property == "" && mayComeFromParent(id.Kind) {
		return c.isDetachedSomewhere(catalog.ID{Kind: catalog.Table, Schema: id.Schema, Name: id.Relation})
	}
	if id.Kind != catalog.Column {
		return false
	}
	for _, node := range c.nodes {
		for _, parent := range c.objects[catalog.ID{Kind: catalog.Table, Schema: id.Schema, Name: id.Relation}][node].Names(catalog.Parents) {
			of := catalog.ID{Kind: catalog.Column, Schema: parent[0], Relation: parent[1], Name: id.Name}
			if c.differs(of, property) {
				return true
			}
		}
	}
	return false
}

// differs reports whether a property of an object differs between the nodes that have the
// object. If property is empty, differs reports whether a node lacks the object although
// it has the object's parent (see hasParent).
func (c *comparison) differs(id catalog.ID, property catalog.Property) bool {
	var present []string
	for _, node := range c.nodes {
		switch {
		case c.has(id, node):
			present = append(present, node)
		case property == "" && len(c.objects[id]) > 0 && c.hasParent(id, node):
			return true
		}
	}
	return property != "" && len(c.group(id, property, present)) > 1
}

// add adds a finding, unless its kind is ignored.
func (c *comparison) add(f finding.Finding) {
	if !c.options.ignores(f.Kind) {
		c.findings = append(c.findings, f)
	}
}

// list joins the names of nodes for a message.
func list(names []string) string { return strings.Join(names, ", ") }
