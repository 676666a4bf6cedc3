package app

import (
	"context"
	"time"

	"ace/shared/cluster"
	"ace/shared/pg"
	"ace/shared/replication"
	"ace/shared/table"
)

// replicationStatement bounds each statement that reads how a node replicates, unless the
// configured time limit of statements is shorter. Reading a catalog with 10,000 published
// tables takes about a second.
const replicationStatement = 30 * time.Second

// replicationReader implements service.ReplicationReader.
type replicationReader struct{ pools *pg.Pools }

// ReplicationState returns how a node replicates, and the identity of its server.
func (r replicationReader) ReplicationState(ctx context.Context, target cluster.Target) (replication.State, table.Identity, error) {
	node, err := r.pools.Node(target)
	if err != nil {
		return replication.State{}, table.Identity{}, err
	}
	return node.ReplicationState(ctx)
}

// ReplicationSets returns what a node publishes, and the identity of its server.
func (r replicationReader) ReplicationSets(ctx context.Context, target cluster.Target) (replication.State, table.Identity, error) {
	node, err := r.pools.Node(target)
	if err != nil {
		return replication.State{}, table.Identity{}, err
	}
	return node.ReplicationSets(ctx)
}
