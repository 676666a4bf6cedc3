package app

import (
	"context"
	"time"

	"ace/shared/cluster"
	"ace/shared/cluster/awslogin"
	"ace/shared/fanout"
	"ace/shared/inventory"
	"ace/shared/pg"
	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// catalogStatement is the time limit of each statement that package inventory runs on a
// node.
const catalogStatement = 5 * time.Second

// NodeCheck is the result of a connection to one database of a node.
type NodeCheck = inventory.NodeCheck

// CheckNodes connects to every node, for every database of the clusters. See
// inventory.Check.
func CheckNodes(ctx context.Context, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return inventory.Check(ctx, connect, clusters...)
}

// ExamineNodes is like CheckNodes, and also reads the condition of each node.
func ExamineNodes(ctx context.Context, clusters ...cluster.Cluster) ([]NodeCheck, error) {
	return inventory.Examine(ctx, connect, clusters...)
}

// connections implements inventory.Connections. It has at most one connection to each
// database of a node. These connections are separate from those of the tasks, so tasks
// and checks never wait for each other.
type connections struct{ *pg.Pools }

func connect() inventory.Connections {
	return connections{pg.NewPools(pg.Options{MaxConns: 1, StatementTimeout: catalogStatement, Passwords: awslogin.New()})}
}

// Node returns access to a node.
func (c connections) Node(target cluster.Target) (inventory.Node, error) { return c.Pools.Node(target) }

// askedNodes implements service.Nodes.
type askedNodes struct{ app *App }

// Probe implements service.Nodes. Concurrent calls for one cluster share the result of
// one call, so requests cannot open many connections to a node. The end of a request does
// not end the call, because other requests may wait for it; the call takes some seconds
// at most.
func (n askedNodes) Probe(ctx context.Context, definition cluster.Cluster) ([]NodeCheck, error) {
	checks, err, _ := n.app.probes.Do(definition.Name, func() (any, error) {
		return inventory.Probe(context.WithoutCancel(ctx), connect, definition)
	})
	found, _ := checks.([]NodeCheck)
	return found, err
}

// Tables implements service.Nodes.
func (n askedNodes) Tables(ctx context.Context, targets []cluster.Target, of table.Selection) (inventory.Page, error) {
	return inventory.Tables(ctx, n.app.catalogs, targets, of)
}

// Structure implements service.Nodes. It uses the connections of tasks and not those of
// the other checks, whose time limits are too short for reading a large schema.
func (n askedNodes) Structure(ctx context.Context, targets []cluster.Target, schemas []string) (map[string]catalog.Catalog, error) {
	read, err := fanout.Map(ctx, len(targets), targets, func(ctx context.Context, target cluster.Target) (catalog.Catalog, error) {
		node, err := n.app.pools.Node(target)
		if err != nil {
			return catalog.Catalog{}, err
		}
		return node.ReadStructure(ctx, schemas)
	})
	if err != nil {
		return nil, err
	}
	catalogs := map[string]catalog.Catalog{}
	for i, target := range targets {
		catalogs[target.Node] = read[i]
	}
	return catalogs, nil
}
