package tablediff

import (
	"context"

	"ace/shared/fault"
	"ace/shared/table"
)

// openPlanned opens the nodes of a plan. Every transaction makes sure that it is on the server with
// which the plan was made.
func openPlanned(ctx context.Context, opener Opener, p *Plan) ([]Node, error) {
	nodes, err := opener.Open(ctx, p.ClusterName, p.DBName, p.Nodes)
	if err != nil {
		return nil, err
	}
	return expecting(nodes, p.Servers), nil
}

// expecting binds nodes to servers; a plan of an earlier version names none.
func expecting(nodes []Node, servers []table.Identity) []Node {
	if len(servers) != len(nodes) {
		return nodes
	}
	bound := make([]Node, len(nodes))
	for i, node := range nodes {
		bound[i] = node.Expecting(servers[i])
	}
	return bound
}

// bind checks that the nodes are different databases, and has the rest of the task expect these servers.
func (p *planner) bind() error {
	if err := table.CheckServers(p.descriptions); err != nil {
		return err
	}
	p.plan.Servers = nil
	for i, d := range p.descriptions {
		if i < len(p.plan.Facts) {
			if facts := p.plan.Facts[i].Server; facts.Database != "" && !facts.Accepts(d.Server) {
				return fault.New(fault.Conflict, "node %q (%s): its address leads to more than one server, found were the %s and the %s", d.Node, d.Address, facts, d.Server)
			}
		}
		p.plan.Servers = append(p.plan.Servers, d.Server)
	}
	p.nodes = expecting(p.nodes, p.plan.Servers)
	return nil
}
