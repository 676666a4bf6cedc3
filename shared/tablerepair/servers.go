package tablerepair

import (
	"context"

	"ace/shared/diffarchive"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// describe reads the description of a node's table. The returned node is bound to the
// server that answered, unless there is an error.
func (p *planner) describe(ctx context.Context, name string) (Node, *table.Description, error) {
	node, err := p.open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	d, err := node.Describe(ctx, p.plan.Schema, p.plan.Table, rowdigest.Seeds{})
	if err != nil {
		return node, nil, err
	}
	return node.Expecting(d.Server), d, nil
}

// checkServers fails if two nodes are the same database of the same server. If a target
// is not the database from which the document was made, checkServers records this as the
// target's problem.
func (p *planner) checkServers(context.Context) error {
	p.plan.Server = p.source.Server
	described := []*table.Description{p.source}
	for i, t := range p.targets {
		if t.node == nil {
			continue
		}
		described = append(described, t.node)
		if err := diffarchive.CheckServer(p.summary, t.node); err != nil && p.failed[i] == nil {
			p.failed[i] = err
		}
	}
	if err := table.CheckServers(described); err != nil {
		return err
	}
	return diffarchive.CheckServer(p.summary, p.source)
}

// bind binds a node of the plan to the server with which the plan was made. Nodes for
// which the plan has no server are not bound: nodes that are neither source nor target,
// and all nodes if an earlier version made the plan.
func (p *Plan) bind(node Node) Node {
	if p.Redaction.Active() {
		node = node.Discreet()
	}
	if node.Name() == p.Source {
		return node.Expecting(p.Server)
	}
	if p.byRule() {
		if at := p.Resolve.voter(node.Name()); at >= 0 {
			return node.Expecting(p.Resolve.Voters[at].Server)
		}
	}
	for i := range p.Targets {
		if p.Targets[i].Node == node.Name() {
			return node.Expecting(p.Targets[i].Server)
		}
	}
	return node
}

// checkWritable fails if the node accepts no writes.
func (t *targetBuilder) checkWritable() error {
	switch {
	case t.node.Server.Recovery:
		return t.refuse("it is a standby, which accepts no writes: repair its primary instead; nothing was written here")
	case t.writing.ReadOnly != "":
		return t.refuse("%s, so it accepts no writes: reset it to repair this node; nothing was written here", t.writing.ReadOnly)
	}
	return nil
}

// checkRepaired checks that a node is the database to which a manifest belongs.
func (m *Manifest) checkRepaired(d *table.Description) error {
	repaired := m.Server
	if repaired.Database == "" { // a manifest of an earlier version
		repaired.System = m.System
	}
	if repaired.SameDatabase(d.Server) {
		return nil
	}
	return fault.New(fault.Conflict, "node %q (%s) is not the database that was repaired: expected system identifier %s and database OID %s, found %s and %s; nothing was undone there",
		d.Node, d.Address, repaired.System, repaired.Database, d.Server.System, d.Server.Database)
}
