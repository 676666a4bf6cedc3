package app

import (
	"context"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// nodes reaches the nodes of a cluster through the shared pools.
func (a *App) nodes() plan.Opener {
	return opener{clusters: a.options.Clusters, pools: a.pools}
}

type opener struct {
	clusters cluster.Source
	pools    *pg.Pools
}

// Open gives the nodes in the order of their names in the list.
func (o opener) Open(ctx context.Context, name, database string, nodes []string) ([]plan.Node, error) {
	found, err := o.nodes(ctx, name, database, nodes)
	if err != nil {
		return nil, err
	}
	opened := make([]plan.Node, len(found))
	for i, node := range found {
		opened[i] = connected{node}
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
			return nil, fault.New(fault.Invalid, "node %q is not part of cluster %s any more", node, name)
		}
		if opened[i], err = o.pools.Node(target); err != nil {
			return nil, err
		}
	}
	return opened, nil
}

// connected is a node whose transactions are tablediff's.
type connected struct{ *pg.Node }

// Expecting binds the node to a server.
func (c connected) Expecting(server table.Identity) plan.Node {
	return connected{c.Node.Expecting(server)}
}

// Begin opens a transaction.
func (c connected) Begin(ctx context.Context, access table.Access) (plan.Tx, error) {
	return c.Node.Begin(ctx, access)
}
