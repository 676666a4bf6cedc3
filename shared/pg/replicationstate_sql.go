package pg

import (
	"strconv"
	"strings"
)

// The queries of this file return one JSON value. Tables and functions are those of
// pg_catalog, because the search path of a catalog transaction has only this schema.

// replicationServerSQL returns the query for the version and settings of the server, what
// the role may read, and the installed replication extensions. An extension is readable
// if the role may read all of the named tables in its schema. The query looks up the
// functions and tables of an extension in pg_proc and pg_class, because naming them in a
// query would be an error for a role without USAGE on their schema.
func replicationServerSQL(tables []string) string {
	return `
SELECT json_build_object(
  'server', json_build_object(
    'version', current_setting('server_version'), 'version_num', current_setting('server_version_num')::int,
    'database', current_database(), 'in_recovery', pg_is_in_recovery(), 'wal_level', current_setting('wal_level')),
  'sees_statistics', pg_has_role('pg_read_all_stats', 'USAGE'),
  'sees_origins', has_function_privilege('pg_catalog.pg_show_replication_origin_status()', 'EXECUTE'),
  'extensions', (
    SELECT coalesce(json_agg(json_build_object('system', e.extname, 'version', e.extversion,
      'readable', has_schema_privilege(n.oid, 'USAGE') AND (
        SELECT count(*) = ` + strconv.Itoa(len(tables)) + ` AND bool_and(has_table_privilege(c.oid, 'SELECT')) FROM pg_class c
        WHERE c.relnamespace = n.oid AND c.relname IN ('` + strings.Join(tables, "', '") + `')),
      'status', (SELECT max(p.proname) FROM pg_proc p WHERE p.pronamespace = n.oid
                 AND p.proname IN ('show_subscription_status', 'sub_show_status') AND has_function_privilege(p.oid, 'EXECUTE'))
      ) ORDER BY e.extname), '[]')
    FROM pg_extension e JOIN pg_namespace n ON n.nspname = e.extname
    WHERE e.extname IN ('pglogical', 'spock')))`
}

// operations is an expression that lists the operations of a publication, such as
// "insert, update". operationsOf replaces $1 to $4 by the columns that enable them.
const operations = `concat_ws(', ', CASE WHEN $1 THEN 'insert' END, CASE WHEN $2 THEN 'update' END, CASE WHEN $3 THEN 'delete' END, CASE WHEN $4 THEN 'truncate' END)`

func operationsOf(prefix string) string {
	r := strings.NewReplacer("$1", prefix+"insert", "$2", prefix+"update", "$3", prefix+"delete", "$4", prefix+"truncate")
	return r.Replace(operations)
}

// publicationsSQL returns the query for the publications. Before PostgreSQL 15,
// publications have no schemas, row filters and column lists. The query does not use the
// view pg_publication_tables, which would wait for locks on tables, but finds the same
// tables: with publish_via_partition_root, a partition is published as its topmost
// published ancestor. Otherwise a partitioned table is published as its partitions that
// have no partitions of their own. The row filter of a table is without effect if the
// publication also has the schema of the table.
func publicationsSQL(version int) string {
	schemas, inSchema, columns, filter, whole := "NULL::json", "", "NULL::json", "''", ""
	if version >= 150000 {
		schemas = `(SELECT json_agg(quote_ident(n.nspname) ORDER BY n.nspname COLLATE "C")
			FROM pg_publication_namespace pn JOIN pg_namespace n ON n.oid = pn.pnnspid WHERE pn.pnpubid = p.oid)`
		inSchema = "OR EXISTS (SELECT FROM pg_publication_namespace pn WHERE pn.pnpubid = p.oid AND pn.pnnspid = c.relnamespace)"
		columns = "(SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))"
		whole = "AND NOT EXISTS (SELECT FROM pg_publication_namespace pn WHERE pn.pnpubid = t.publication AND pn.pnnspid = c.relnamespace)"
		filter = "coalesce(pg_get_expr(r.prqual, r.prrelid), '')"
	}
	return `
WITH RECURSIVE named AS (
    SELECT p.oid AS publication, p.pubviaroot AS via_root, c.oid AS relation, c.relkind
    FROM pg_publication p CROSS JOIN pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
      AND (p.puballtables OR EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid) ` + inSchema + `)),
tree AS (
    SELECT publication, via_root, relation, relkind, relation AS top FROM named
  UNION
    SELECT t.publication, t.via_root, c.oid, c.relkind, t.top
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation JOIN pg_class c ON c.oid = i.inhrelid
    WHERE t.relkind = 'p'),
published AS (
    SELECT publication, relation FROM tree WHERE NOT via_root AND relkind = 'r'
  UNION
    SELECT n.publication, n.relation FROM named n
    WHERE n.via_root AND NOT EXISTS (
      SELECT FROM tree t WHERE t.publication = n.publication AND t.relation = n.relation AND t.top <> n.relation)),
described AS (
    SELECT t.publication, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, ` + columns + ` AS columns, ` + filter + ` AS filter
    FROM published t JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_publication_rel r ON r.prpubid = t.publication AND r.prrelid = t.relation ` + whole + `)
SELECT coalesce(json_agg(json_build_object(
    'system', 'native', 'name', p.pubname, 'all_tables', p.puballtables, 'schemas', ` + schemas + `,
    'operations', ` + operationsOf("p.pub") + `,
    'via_partition_root', p.pubviaroot, 'generated_columns', to_jsonb(p)->>'pubgencols',
    'tables', (
      SELECT coalesce(json_agg(json_build_object('table', d.name, 'columns', d.columns, 'row_filter', d.filter) ORDER BY d.name COLLATE "C"), '[]')
      FROM described d WHERE d.publication = p.oid)
  ) ORDER BY p.pubname COLLATE "C"), '[]')
FROM pg_publication p`
}

// nativeSubscriptionsSQL returns the query for the subscriptions of the database. It
// names each column that it reads, because SELECT * would fail for a role that may not
// read the connection strings.
func nativeSubscriptionsSQL(version int) string {
	since := func(introduced int, expression, otherwise string) string {
		if version < introduced {
			return otherwise
		}
		return expression
	}
	return `
SELECT coalesce(json_agg(json_build_object(
    'system', 'native', 'name', s.subname, 'enabled', s.subenabled, 'slot', coalesce(s.subslotname, ''),
    'running', ` + subscriptionRuns + `,
    'publications', s.subpublications, 'binary', s.subbinary, 'streaming', left(s.substream::text, 1),
    'origin', ` + since(160000, "s.suborigin", "'any'") + `,
    'two_phase', ` + since(150000, "s.subtwophasestate", "''") + `,
    'disable_on_error', ` + since(150000, "s.subdisableonerr", "false") + `,
    'skip_lsn', ` + since(150000, "coalesce(nullif(s.subskiplsn::pg_lsn, '0/0')::text, '')", "''") + `,
    'apply_errors', ` + since(150000, "e.apply_error_count", "NULL::bigint") + `,
    'sync_errors', ` + since(150000, "e.sync_error_count", "NULL::bigint") + `,
    'counted_since', ` + since(150000, "coalesce(to_char(e.stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '')", "''") + `,
    'conflicts', ` + since(180000, `(SELECT json_object_agg(substr(key, 7), value::bigint) FROM jsonb_each_text(to_jsonb(e)) WHERE key LIKE 'confl\_%')`, "NULL::json") + `,
    'last_message_seconds', (SELECT extract(epoch FROM clock_timestamp() - max(w.last_msg_receipt_time)) FROM pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL),
    'tables', (
      SELECT coalesce(json_agg(json_build_object('table', quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'state', r.srsubstate)
               ORDER BY (quote_ident(n.nspname) || '.' || quote_ident(c.relname)) COLLATE "C"), '[]')
      FROM pg_subscription_rel r JOIN pg_class c ON c.oid = r.srrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE r.srsubid = s.oid)
  ) ORDER BY s.subname COLLATE "C"), '[]')
FROM pg_subscription s` + since(150000, "\nLEFT JOIN pg_stat_subscription_stats e ON e.subid = s.oid", "") + `
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`
}

// replicationSlotsSQL returns the logical slots of the database, and all physical slots.
// The lag of a slot in seconds is read from the statistics of the process that uses the
// slot. It is null if no process uses the slot, or if the role lacks pg_read_all_stats.
const replicationSlotsSQL = `
SELECT coalesce(json_agg(json_build_object(
    'name', s.slot_name, 'type', s.slot_type, 'plugin', coalesce(s.plugin, ''), 'active', s.active, 'temporary', s.temporary,
    'synced', coalesce((to_jsonb(s)->>'synced')::bool, false), 'wal_status', coalesce(s.wal_status, ''),
    'invalidation_reason', coalesce(to_jsonb(s)->>'invalidation_reason', CASE WHEN (to_jsonb(s)->>'conflicting')::bool THEN 'recovery conflict' END, ''),
    'retained_bytes', pg_wal_lsn_diff(` + logEnd + `, s.restart_lsn)::bigint,
    'lag_bytes', greatest(0, pg_wal_lsn_diff(` + logEnd + `, s.confirmed_flush_lsn))::bigint,
    'lag_seconds', extract(epoch FROM w.replay_lag),
    'inactive_seconds', round(extract(epoch FROM clock_timestamp() - (to_jsonb(s)->>'inactive_since')::timestamptz))
  ) ORDER BY s.slot_name COLLATE "C"), '[]')
FROM pg_replication_slots s LEFT JOIN pg_stat_replication w ON w.pid = s.active_pid
WHERE s.slot_type = 'physical' OR s.database = current_database()`

// replicationOriginsSQL returns the query for the replication origins of the server. sees
// means that the role may read the positions of origins. The server names the origin of a
// subscription pg_<OID of the subscription>. It adds _<OID of a table> to the name for
// the origin of a worker that copies the table. If no subscription has the OID, the
// origin is a leftover.
func replicationOriginsSQL(sees bool) string {
	position, status := "NULL::pg_lsn", ""
	if sees {
		position, status = "p.remote_lsn", "LEFT JOIN pg_show_replication_origin_status() p ON p.local_id = o.roident"
	}
	return `
SELECT coalesce(json_agg(json_build_object('name', o.roname, 'remote_lsn', coalesce(` + position + `::text, ''),
    'leftover', o.roname ~ '^pg_[0-9]+(_[0-9]+)?$'
                AND NOT EXISTS (SELECT FROM pg_subscription s WHERE s.oid::text = split_part(o.roname, '_', 2))
  ) ORDER BY o.roname COLLATE "C"), '[]')
FROM pg_replication_origin o ` + status
}

// extensionSets is a query for the replication sets of pglogical or Spock on this node,
// as one JSON value. forExtension completes it.
const extensionSets = `
    SELECT coalesce(json_agg(json_build_object('system', 'SCHEMA', 'name', rs.set_name,
        'operations', OPERATIONS,
        'tables', (
          SELECT coalesce(json_agg(json_build_object('table', quote_ident(n.nspname) || '.' || quote_ident(c.relname),
                   'columns', t.set_att_list, 'row_filter', coalesce(pg_get_expr(t.set_row_filter, t.set_reloid), ''))
                   ORDER BY (quote_ident(n.nspname) || '.' || quote_ident(c.relname)) COLLATE "C"), '[]')
          FROM SCHEMA.replication_set_table t JOIN pg_class c ON c.oid = t.set_reloid JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE t.set_id = rs.set_id)
      ) ORDER BY rs.set_name COLLATE "C"), '[]')
    FROM SCHEMA.replication_set rs JOIN SCHEMA.local_node l ON l.node_id = rs.set_nodeid`

// forExtension replaces the placeholders in a query of an extension's catalogs. system is
// the name of the extension and of its schema.
func forExtension(system, sql string) string {
	return strings.NewReplacer("SCHEMA", system, "OPERATIONS", operationsOf("rs.replicate_")).Replace(sql)
}

// extensionSQL returns the query for the nodes, replication sets and subscriptions of
// pglogical or Spock. It does not read the table node_interface, because the connection
// strings in it may contain passwords.
func extensionSQL(e replicationExtension) string {
	status := "(SELECT NULL::text AS subscription_name, NULL::text AS status)"
	if e.Status != "" {
		status = quote(e.System, e.Status) + "()"
	}
	return strings.Replace(forExtension(e.System, `
SELECT json_build_object('system', 'SCHEMA', 'version', (SELECT extversion FROM pg_extension WHERE extname = 'SCHEMA'),
  'node_name', (SELECT n.node_name FROM SCHEMA.local_node l JOIN SCHEMA.node n ON n.node_id = l.node_id),
  'publications', (
`+extensionSets+`),
  'subscriptions', (
    SELECT coalesce(json_agg(json_build_object('system', 'SCHEMA', 'name', s.sub_name, 'enabled', s.sub_enabled,
        'running', coalesce(st.status IN ('replicating', 'initializing'), false), 'status', coalesce(st.status, ''),
        'slot', s.sub_slot_name, 'publications', s.sub_replication_sets, 'provider_name', coalesce(pn.node_name, ''),
        'origin', CASE WHEN 'all' = ANY (s.sub_forward_origins) THEN 'any' ELSE 'none' END,
        'tables', (
          SELECT coalesce(json_agg(json_build_object(
                   'table', coalesce(quote_ident(y.sync_nspname) || '.' || quote_ident(y.sync_relname), 'all tables'),
                   'state', CASE y.sync_status WHEN 's' THEN 'structure' ELSE y.sync_status::text END)
                   ORDER BY y.sync_nspname, y.sync_relname), '[]')
          FROM SCHEMA.local_sync_status y WHERE y.sync_subid = s.sub_id)
      ) ORDER BY s.sub_name COLLATE "C"), '[]')
    FROM SCHEMA.subscription s
    JOIN SCHEMA.local_node l ON l.node_id = s.sub_target
    LEFT JOIN SCHEMA.node pn ON pn.node_id = s.sub_origin
    LEFT JOIN STATUS st ON st.subscription_name = s.sub_name))`), "STATUS", status, 1)
}
