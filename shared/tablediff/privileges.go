package tablediff

import (
	"context"
	"errors"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
)

// readDescriptions reads the description of the table on every node. If the role of some
// node may not read the table, the error names the missing privileges of all nodes.
func (p *planner) readDescriptions(ctx context.Context) error {
	p.descriptions = make([]*table.Description, len(p.nodes))
	denied := make([]*table.DeniedError, len(p.nodes))
	err := fanout.Each(ctx, len(p.nodes), slices.Values(fanout.Indexes(len(p.nodes))), func(ctx context.Context, i int) (err error) {
		p.descriptions[i], err = p.nodes[i].Describe(ctx, p.plan.Schema, p.plan.Table, p.plan.Seeds)
		if errors.As(err, &denied[i]) {
			return nil
		}
		return err
	})
	if err != nil || !slices.ContainsFunc(denied, func(e *table.DeniedError) bool { return e != nil }) {
		return err
	}

	var all []table.Denied
	for i, e := range denied {
		missing := table.Grants{}
		if d := p.descriptions[i]; d != nil {
			missing = table.Grants{Role: d.Role, Table: table.Name(p.plan.Schema, p.plan.Table), Schemas: d.Closed}
			missing.Need("SELECT", d.Unreadable, true)
		} else {
			missing = e.Missing
		}
		all = appendDenied(all, p.nodes[i].Name(), missing.Without(p.plan.Ignored))
	}
	if err := deniedFault(all); err != nil {
		return err
	}

	// A node without a description cannot be compared, even if the role lacks only
	// privileges on ignored columns.
	for i, d := range p.descriptions {
		if d == nil {
			return denied[i]
		}
	}
	return nil
}

func appendDenied(all []table.Denied, node string, missing table.Grants) []table.Denied {
	if missing.IsZero() {
		return all
	}
	return append(all, table.Denied{Node: node, Role: missing.Role, Grants: missing.SQL()})
}

// checkPrivileges returns an error that names every privilege that the roles lack for
// reading the compared columns.
func (p *planner) checkPrivileges() error {
	var all []table.Denied
	for i, d := range p.descriptions {
		all = appendDenied(all, d.Node, p.common.Missing(d, i, p.plan.Schema, p.plan.Table))
	}
	return deniedFault(all)
}

// deniedFault returns the fault for nodes on which privileges are missing, or nil if
// nodes is empty.
func deniedFault(nodes []table.Denied) error {
	if len(nodes) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%s", table.DeniedText("reading the table", nodes))
}
