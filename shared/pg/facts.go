package pg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"ace/shared/fault"
	"ace/shared/table"
)

// Facts reads the catalog facts of a table. As long as these facts stay the same, the
// ages of the table's rows (by xmin) show which rows have changed. If the role may not
// read the facts, Facts returns no error. It returns the reason in the field Unproven.
func (n *Node) Facts(ctx context.Context, schema, name string) (table.Facts, error) {
	tx, err := n.beginDescribing(ctx)
	if err != nil {
		return table.Facts{}, err
	}
	defer tx.Close()
	facts := table.Facts{Unproven: "the table is gone"}
	err = tx.call(ctx, "reading the catalog facts of a baseline", table.EndTransaction, query{fixed: true, sql: factsSQL, args: textArgs(schema, name), row: func(v [][]byte) error {
		facts.Unproven = string(v[1])
		if v[2] != nil {
			writes, err := strconv.ParseInt(string(v[2]), 10, 64)
			if err != nil {
				return fmt.Errorf("rows written: %w", err)
			}
			facts.Writes = &writes
		}

		var values map[string]json.RawMessage
		if err := json.Unmarshal(v[0], &values); err != nil {
			return fmt.Errorf("facts: %w", err)
		}

		facts.Values = make(map[string]string, len(values))
		for fact, value := range values {
			sum := sha256.Sum256(value)
			facts.Values[fact] = hex.EncodeToString(sum[:16])
			if string(value) == "null" && facts.Unproven == "" {
				facts.Unproven = "the " + fact + " cannot be read"
			}
		}

		return nil
	}})
	if fault.CodeOf(err) == fault.Invalid {
		return table.Facts{Unproven: fault.PublicMessage(err)}, nil
	}

	facts.Server = tx.found
	return facts, err
}

// factsSQL returns the facts as a JSON object, the reason why the ages of rows do not
// show what has changed (Unproven; empty if they do), and the number of rows written.
//
// A fact that is null is unknown, and then the ages of rows do not show what has changed.
// The facts include the xmin of catalog rows, because it also shows changes that were
// reverted later. They include the time of the last statistics reset, because it shows
// whether the server has recovered from a crash of one of its processes. Such a recovery
// may lose transactions that were committed asynchronously. The start time of the server
// does not show such a recovery, because the postmaster keeps running.
const factsSQL = `
WITH RECURSIVE root AS (
    SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2),
rels AS (
    SELECT oid FROM root UNION SELECT t.relid::oid FROM root CROSS JOIN LATERAL pg_partition_tree(root.oid) t),
cols AS (
    SELECT a.xmin::text AS written, a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attisdropped,
           a.attgenerated, a.attcollation, a.attmissingval::text AS missing,
           CASE WHEN a.attgenerated <> '' THEN (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END AS expression
    FROM pg_attribute a WHERE a.attrelid IN (SELECT oid FROM rels) AND a.attnum > 0),
used(oid) AS (
    SELECT atttypid FROM cols WHERE NOT attisdropped
  UNION
    SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
    FROM used JOIN pg_type t ON t.oid = used.oid
    WHERE t.typtype = 'd' OR t.typinput = 'pg_catalog.array_in'::regproc)
SELECT jsonb_build_object(
    'server version', current_setting('server_version_num')::int / 10000,
    'start of the server', pg_postmaster_start_time()::text,
    'recovery from a crash', pg_stat_get_bgwriter_stat_reset_time()::text,
    'system identifier', (SELECT system_identifier::text FROM pg_control_system()),
    'timeline', (SELECT timeline_id FROM pg_control_checkpoint()),
    'database', (SELECT jsonb_build_array(d.oid, d.encoding, d.datcollate, d.datctype, d.dattablespace) FROM pg_database d WHERE d.datname = current_database()),
    'relations', (SELECT jsonb_agg(jsonb_build_array(c.oid, c.relkind, c.relam, c.reltablespace, c.relpersistence, c.relispartition,
                         pg_get_expr(c.relpartbound, c.oid), coalesce(pg_relation_filenode(c.oid), 0)) ORDER BY c.oid) FROM pg_class c WHERE c.oid IN (SELECT oid FROM rels)),
    'columns', (SELECT jsonb_agg(to_jsonb(cols) ORDER BY attrelid, attnum) FROM cols),
    'types', (SELECT jsonb_agg(jsonb_build_array(t.oid, t.xmin::text, t.typtype, t.typbasetype, t.typtypmod, t.typcollation) ORDER BY t.oid) FROM pg_type t WHERE t.oid IN (SELECT oid FROM used)),
    'enum labels', (SELECT coalesce(jsonb_agg(jsonb_build_array(e.oid, e.xmin::text, e.enumtypid, e.enumlabel, e.enumsortorder) ORDER BY e.oid), '[]') FROM pg_enum e WHERE e.enumtypid IN (SELECT oid FROM used)),
    'collations', (SELECT coalesce(jsonb_agg(jsonb_build_array(co.oid, to_jsonb(co), pg_collation_actual_version(co.oid)) ORDER BY co.oid), '[]') FROM pg_collation co WHERE co.oid IN (SELECT attcollation FROM cols))
  )::text,
  CASE
    WHEN pg_is_in_recovery() THEN 'it is a standby'
    WHEN EXISTS (SELECT FROM pg_class c WHERE c.oid IN (SELECT oid FROM rels) AND (c.relkind NOT IN ('r', 'p') OR c.relkind = 'r' AND c.relam <> 2))
      THEN 'not all of its rows are in heap tables'
    WHEN EXISTS (SELECT FROM cols WHERE attgenerated NOT IN ('', 's')) THEN 'a column is generated when it is read'
    WHEN EXISTS (SELECT FROM used JOIN pg_type t ON t.oid = used.oid
                 WHERE NOT (t.typtype IN ('d', 'e') OR t.typinput = 'pg_catalog.array_in'::regproc
                            OR t.oid < 10000 AND t.typtype IN ('b', 'r', 'm') AND t.typname NOT LIKE 'reg%' AND t.typname <> 'aclitem'))
      THEN 'a column has a type whose text may change while the row does not'
    ELSE ''
  END,
  CASE WHEN current_setting('track_counts')::bool THEN
    (SELECT sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid)) FROM rels)::bigint
  END
FROM root`
