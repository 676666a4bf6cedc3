package app

import (
	"context"

	"ace/shared/invoke"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablerepair"
)

// repairNodes reaches the nodes of a cluster for repairs.
func (a *App) repairNodes() tablerepair.Opener {
	return repairOpener{opener{clusters: a.options.Clusters, pools: a.pools}}
}

type repairOpener struct{ opener }

// Open gives the nodes in the order of their names in the list.
func (o repairOpener) Open(ctx context.Context, name, database string, nodes []string) ([]tablerepair.Node, error) {
	found, err := o.nodes(ctx, name, database, nodes)
	if err != nil {
		return nil, err
	}
	opened := make([]tablerepair.Node, len(found))
	for i, node := range found {
		opened[i] = repairNode{node}
	}
	return opened, nil
}

// repairNode is a node whose transactions are tablerepair's.
type repairNode struct{ *pg.Node }

// Expecting binds the node to a server.
func (n repairNode) Expecting(server table.Identity) tablerepair.Node {
	return repairNode{n.Node.Expecting(server)}
}

// Begin opens a transaction that reads.
func (n repairNode) Begin(ctx context.Context, access table.Access) (tablerepair.Source, error) {
	tx, err := n.Node.Begin(ctx, access)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// BeginRepair opens a transaction that writes.
func (n repairNode) BeginRepair(ctx context.Context, access table.Access) (tablerepair.Tx, error) {
	tx, err := n.Node.BeginRepair(ctx, access)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

// repairInvoker has the units of repairs done by a handler.
type repairInvoker struct{ worker invoke.Handler }

// Invoke has one unit done.
func (i repairInvoker) Invoke(ctx context.Context, u tablerepair.Unit) (tablerepair.Totals, error) {
	return invoke.Call[tablerepair.Unit, tablerepair.Totals](ctx, i.worker, u)
}
