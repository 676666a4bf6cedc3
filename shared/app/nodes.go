package app

import (
	"context"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/pg"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// nodes returns the Opener through which comparisons access the nodes of a cluster. The
// connections come from the pools of the application.
func (a *App) nodes() plan.Opener {
	return opener{clusters: a.options.Clusters, pools: a.pools}
}

// unitNodes is like nodes, for the units of comparisons.
func (a *App) unitNodes() plan.Opener {
	clusters := a.options.Clusters
	if age := a.options.DefinitionAge; age > 0 {
		clusters = clusters.Recent(age)
	}
	return opener{clusters: clusters, pools: a.pools}
}

type opener struct {
	clusters cluster.Source
	pools    *pg.Pools
}

// Open returns the nodes of the cluster called name whose names are in nodes, in the
// order of nodes.
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

// comparedNode adapts a pg.Node to the interface plan.Node.
type comparedNode struct{ *pg.Node }

// Expecting returns a copy of the node. A transaction of the copy fails unless it runs on
// the server with the given identity.
func (c comparedNode) Expecting(server table.Identity) plan.Node {
	return comparedNode{c.Node.Expecting(server)}
}

// Discreet returns a copy of the node whose errors quote no values.
func (c comparedNode) Discreet() plan.Node { return comparedNode{c.Node.Discreet()} }

// Begin begins a transaction.
func (c comparedNode) Begin(ctx context.Context, access table.Access) (plan.Tx, error) {
	return c.Node.Begin(ctx, access)
}
