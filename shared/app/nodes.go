package app

import (
	"context"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// nodes returns the opener of a cluster's nodes for comparisons. It uses the shared
// pools.
func (a *App) nodes() plan.Opener {
	return opener{clusters: a.options.Clusters, pools: a.pools}
}

type opener struct {
	clusters cluster.Source
	pools    *pg.Pools
}

// Open returns the nodes with these names, in the order of the list.
func (o opener) Open(ctx context.Context, name, database string, nodes []string) ([]plan.Node, error) {
	found, err := o.nodes(ctx, name, database, nodes)
	if err != nil {
		return nil, err
	}
	opened := make([]plan.Node, len(found))
	for i, node := range found {
		opened[i] = comparedNode{node}
	}
	return opened, nil
}

func (o opener) nodes(ctx context.Context, name, database string, nodes []string) ([]*pg.Node, error) {
	definition, err := o.clusters.Load(ctx, name)
	if err != nil {
		return nil, err
	}

	targets, err := definition.Targets(database, nodes)
	if err != nil {
		return nil, err
	}

	byName := map[string]cluster.Target{}
	for _, target := range targets {
		byName[target.Node] = target
	}

	opened := make([]*pg.Node, len(nodes))
	for i, node := range nodes {
		target, ok := byName[node]
		if !ok {
			return nil, fault.New(fault.Invalid, "node %q is no longer part of cluster %s", node, name)
		}
		if opened[i], err = o.pools.Node(target); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// comparedNode adapts a node to package tablediff.
type comparedNode struct{ *pg.Node }

// Expecting returns the same node, whose transactions fail unless they are on this
// server.
func (c comparedNode) Expecting(server table.Identity) plan.Node {
	return comparedNode{c.Node.Expecting(server)}
}

// Begin begins a transaction.
func (c comparedNode) Begin(ctx context.Context, access table.Access) (plan.Tx, error) {
	return c.Node.Begin(ctx, access)
}
