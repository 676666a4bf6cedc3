package pg

import (
	"context"
	"strings"

	"ace/shared/replication"
	"ace/shared/table"
)

const doingSets = "reading publications and replication sets"

// setsServerSQL returns the version of the server, and the installed replication
// extensions. An extension is readable if the role may read its replication sets.
const setsServerSQL = `
SELECT json_build_object(
  'server', json_build_object(
    'version', current_setting('server_version'), 'version_num', current_setting('server_version_num')::int,
    'database', current_database(), 'in_recovery', pg_is_in_recovery(), 'wal_level', current_setting('wal_level')),
  'extensions', (
    SELECT coalesce(json_agg(json_build_object('system', e.extname, 'version', e.extversion,
      'readable', has_schema_privilege(n.oid, 'USAGE') AND (
        SELECT count(*) = 3 AND bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class c
        WHERE c.relnamespace = n.oid AND c.relname IN ('local_node', 'replication_set', 'replication_set_table'))
      ) ORDER BY e.extname), '[]')
    FROM pg_extension e JOIN pg_namespace n ON n.nspname = e.extname
    WHERE e.extname IN ('pglogical', 'spock')))`

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
	if err := tx.run(ctx, doingSets, versionQuery(n.name, new(int)), jsonQuery(setsServerSQL, &can)); err != nil {
		return replication.State{}, table.Identity{}, err
	}

	state := replication.State{Server: can.Server}
	queries := []query{jsonQuery(publicationsSQL(can.Server.VersionNum), &state.Publications)}
	extensions := make([][]replication.Publication, len(can.Extensions))
	for i, e := range can.Extensions {
		state.Extensions = append(state.Extensions, replication.Extension{System: e.System, Version: e.Version})
		if !e.Readable {
			state.Unknown = append(state.Unknown, unreadableSets(e.System))
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

func unreadableSets(system string) replication.Unknown {
	var tables []string
	for _, name := range []string{"local_node", "replication_set", "replication_set_table"} {
		tables = append(tables, system+"."+name)
	}
	return replication.Unknown{
		What: "the replication sets of " + system, System: system, Incomplete: true,
		Remedy: "GRANT USAGE ON SCHEMA " + system + " and SELECT ON " + strings.Join(tables, ", ") + " TO the role",
	}
}
