package app

import (
	"context"

	"ace/shared/invoke"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablerepair"
)

// repairNodes returns the Opener through which repairs access the nodes of a cluster. The
// connections come from the pools of the application.
func (a *App) repairNodes() tablerepair.Opener {
	return repairOpener{opener: opener{clusters: a.options.Clusters, pools: a.pools}}
}

// lockedNodes is like repairNodes, but for the unit that holds the locks of a repair. Its
// nodes stop waiting for a server that has sent nothing for RepairAnswerTimeout, so that
// locks are not held for long.
func (a *App) lockedNodes() tablerepair.Opener {
	return repairOpener{opener: opener{clusters: a.options.Clusters, pools: a.pools}, whileLocked: true}
}

type repairOpener struct {
	opener
	whileLocked bool
}

// Open returns the nodes of the cluster called name whose names are in nodes, in the
// order of nodes.
func (o repairOpener) Open(ctx context.Context, name, database string, nodes []string) ([]tablerepair.Node, error) {
	found, err := o.nodes(ctx, name, database, nodes)
	if err != nil {
		return nil, err
	}
	opened := make([]tablerepair.Node, len(found))
	for i, node := range found {
		if o.whileLocked {
			node = node.WhileLocked()
		}
		opened[i] = repairNode{node}
	}
	return opened, nil
}

// repairNode adapts a pg.Node to the interface tablerepair.Node.
type repairNode struct{ *pg.Node }

// Expecting returns a copy of the node. A transaction of the copy fails unless it runs on
// the server with the given identity.
func (n repairNode) Expecting(server table.Identity) tablerepair.Node {
	return repairNode{n.Node.Expecting(server)}
}

// Discreet returns a copy of the node whose errors quote no values.
func (n repairNode) Discreet() tablerepair.Node { return repairNode{n.Node.Discreet()} }

// Begin begins a transaction that reads.
func (n repairNode) Begin(ctx context.Context, access table.Access) (tablerepair.Source, error) {
	tx, err := n.Node.Begin(ctx, access)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// BeginRepair begins a transaction that writes.
func (n repairNode) BeginRepair(ctx context.Context, access table.Access) (tablerepair.Tx, error) {
	tx, err := n.Node.BeginRepair(ctx, access)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// repairInvoker passes the units of work of repairs to a handler in this process.
type repairInvoker struct{ worker invoke.Handler }

// Invoke runs one unit and returns its totals.
func (i repairInvoker) Invoke(ctx context.Context, u tablerepair.Unit) (tablerepair.Totals, error) {
	return invoke.Call[tablerepair.Unit, tablerepair.Totals](ctx, i.worker, u)
}
