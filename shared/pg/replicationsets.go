package pg

import (
	"context"

	"ace/shared/replication"
	"ace/shared/table"
)

const doingSets = "reading publications and replication sets"

// setTables returns the tables of pglogical or Spock that extensionSets reads.
func setTables() []string {
	return []string{"local_node", "replication_set", "replication_set_table"}
}

// ReplicationSets returns the publications and replication sets of the database, and the
// identity of its server. Of the state, only Server, Extensions, Publications and Unknown
// are set. Unknown has each extension whose replication sets the role may not read.
func (n *Node) ReplicationSets(ctx context.Context) (replication.State, table.Identity, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return replication.State{}, table.Identity{}, err
	}
	defer tx.Close()

	var can replicationAbilities
	if err := tx.run(ctx, doingSets, versionQuery(n.name, new(int)), jsonQuery(replicationServerSQL(setTables()), &can)); err != nil {
		return replication.State{}, table.Identity{}, err
	}

	state := replication.State{Server: can.Server}
	queries := []query{jsonQuery(publicationsSQL(can.Server.VersionNum), &state.Publications)}
	extensions := make([][]replication.Publication, len(can.Extensions))
	for i, e := range can.Extensions {
		state.Extensions = append(state.Extensions, replication.Extension{System: e.System, Version: e.Version})
		if !e.Readable {
			state.Unknown = append(state.Unknown, unreadableExtension("replication sets", e.System, setTables()))
			continue
		}
		queries = append(queries, jsonQuery(forExtension(e.System, extensionSets), &extensions[i]))
	}
	if err := tx.call(ctx, doingSets, table.EndTransaction, queries...); err != nil {
		return replication.State{}, table.Identity{}, err
	}

	for _, sets := range extensions {
		state.Publications = append(state.Publications, sets...)
	}
	return state, tx.found, nil
}
