package pg

import (
	"context"
	"encoding/json"
	"strings"

	"ace/shared/rawtext"
	"ace/shared/replication"
	"ace/shared/table"
)

const doingReplication = "reading how the node replicates"

// ReplicationState returns how the database replicates, and the identity of its server.
// It reads only catalogs and statistics, and no connection string. State.Unknown lists
// what the role may not read. ReplicationState returns an error if a query does not end
// within the statement timeout.
func (n *Node) ReplicationState(ctx context.Context) (replication.State, table.Identity, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return replication.State{}, table.Identity{}, err
	}
	defer tx.Close()

	// The first query reads the version, the extensions and the privileges of the role. The
	// other queries depend on them.
	var can replicationAbilities
	if err := tx.run(ctx, doingReplication, versionQuery(n.name, new(int)), jsonQuery(replicationServerSQL(extensionTables()), &can)); err != nil {
		return replication.State{}, table.Identity{}, err
	}

	state := replication.State{Server: can.Server, Unknown: can.unknown()}
	queries := []query{
		jsonQuery(publicationsSQL(can.Server.VersionNum), &state.Publications),
		jsonQuery(nativeSubscriptionsSQL(can.Server.VersionNum), &state.Subscriptions),
		jsonQuery(replicationSlotsSQL, &state.Slots),
		jsonQuery(replicationOriginsSQL(can.SeesOrigins), &state.Origins),
	}
	extensions := make([]extensionState, 0, len(can.Extensions))
	for _, e := range can.Extensions {
		if !e.Readable {
			state.Extensions = append(state.Extensions, replication.Extension{System: e.System, Version: e.Version})
			continue
		}
		extensions = append(extensions, extensionState{})
		queries = append(queries, jsonQuery(extensionSQL(e), &extensions[len(extensions)-1]))
	}
	if err := tx.call(ctx, doingReplication, table.EndTransaction, queries...); err != nil {
		return replication.State{}, table.Identity{}, err
	}

	for _, e := range extensions {
		state.Extensions = append(state.Extensions, e.Extension)
		state.Publications = append(state.Publications, e.Publications...)
		state.Subscriptions = append(state.Subscriptions, e.Subscriptions...)
	}
	return state, tx.found, nil
}

// jsonQuery returns a query whose only column is a JSON value, which is decoded into the
// variable that into points to.
func jsonQuery(sql string, into any) query {
	return query{sql: sql, row: func(v [][]byte) error { return json.Unmarshal([]byte(rawtext.Text(v[0])), into) }}
}

// replicationAbilities is the result of the query of replicationServerSQL.
type replicationAbilities struct {
	Server         replication.Server     `json:"server"`
	SeesStatistics bool                   `json:"sees_statistics"`
	SeesOrigins    bool                   `json:"sees_origins"`
	Extensions     []replicationExtension `json:"extensions"`
}

type replicationExtension struct {
	System   string `json:"system"`
	Version  string `json:"version"`
	Readable bool   `json:"readable"`
	// Status is the name of the function that reports the status of subscriptions. It is ""
	// if the role may not call the function.
	Status string `json:"status"`
}

// unknown returns what the role may not read, with the privileges that it would need.
func (a replicationAbilities) unknown() []replication.Unknown {
	var found []replication.Unknown
	if !a.SeesStatistics {
		found = append(found, replication.Unknown{
			What: "the lag of subscribers in seconds (pg_stat_replication)", Remedy: "GRANT pg_read_all_stats TO the role, or pg_monitor",
		})
	}
	if !a.SeesOrigins {
		found = append(found, replication.Unknown{
			What:   "the positions of replication origins (pg_replication_origin_status)",
			Remedy: "GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO the role",
		})
	}
	for _, e := range a.Extensions {
		if !e.Readable {
			found = append(found, unreadableExtension("subscriptions and replication sets", e.System, extensionTables()))
			continue
		}
		if e.Status == "" {
			found = append(found, replication.Unknown{
				What: "the status of the subscriptions of " + e.System, System: e.System, Incomplete: true, Remedy: "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA " + e.System + " TO the role",
			})
		}
	}
	return found
}

// extensionTables returns the tables of pglogical or Spock that extensionSQL reads.
func extensionTables() []string {
	return []string{"local_node", "local_sync_status", "node", "replication_set", "replication_set_table", "subscription"}
}

// unreadableExtension describes objects of an extension that the role may not read,
// because it lacks a privilege on one of the tables. system is the name of the extension
// and of its schema.
func unreadableExtension(objects, system string, tables []string) replication.Unknown {
	qualified := make([]string, len(tables))
	for i, name := range tables {
		qualified[i] = system + "." + name
	}
	return replication.Unknown{
		What: "the " + objects + " of " + system, System: system, Incomplete: true,
		Remedy: "GRANT USAGE ON SCHEMA " + system + " and SELECT ON " + strings.Join(qualified, ", ") + " TO the role",
	}
}

// extensionState is the result of extensionSQL.
type extensionState struct {
	replication.Extension
	Publications  []replication.Publication  `json:"publications"`
	Subscriptions []replication.Subscription `json:"subscriptions"`
}
