package tablediff

import (
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// bindServers verifies that the nodes are different databases, and records each node's
// server in the plan. From then on, every transaction of the task verifies that it is on
// the recorded server.
func (p *planner) bindServers() error {
	if err := table.CheckServers(p.descriptions); err != nil {
		return err
	}

	p.plan.Servers = nil
	for i, d := range p.descriptions {
		if i < len(p.plan.Facts) {
			if facts := p.plan.Facts[i].Server; facts.Database != "" && !facts.Accepts(d.Server) {
				return fault.New(fault.Conflict, "node %q (%s): its address leads to more than one server: the %s and the %s", d.Node, d.Address, facts, d.Server)
			}
		}
		p.plan.Servers = append(p.plan.Servers, d.Server)
	}

	p.nodes = plan.BindServers(p.nodes, p.plan.Servers)
	return nil
}
