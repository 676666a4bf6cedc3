package app

import (
	"context"

	"ace/shared/invoke"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablerepair"
)

// repairNodes returns the opener of a cluster's nodes for repairs. It uses the shared
// pools.
func (a *App) repairNodes() tablerepair.Opener {
	return repairOpener{opener{clusters: a.options.Clusters, pools: a.pools}}
}

type repairOpener struct{ opener }

// Open returns the nodes with these names, in the order of the list.
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

// repairNode adapts a node to package tablerepair.
type repairNode struct{ *pg.Node }

// Expecting returns the same node, whose transactions fail unless they are on this
// server.
func (n repairNode) Expecting(server table.Identity) tablerepair.Node {
	return repairNode{n.Node.Expecting(server)}
}

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

// repairInvoker runs the units of repairs in a handler.
type repairInvoker struct{ worker invoke.Handler }

// Invoke runs one unit and returns its totals.
func (i repairInvoker) Invoke(ctx context.Context, u tablerepair.Unit) (tablerepair.Totals, error) {
	return invoke.Call[tablerepair.Unit, tablerepair.Totals](ctx, i.worker, u)
}
