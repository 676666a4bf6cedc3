package catalog

// A sequence serves the column that owns it, the identity column that it belongs to, and
// each column whose default depends on it.
const servedColumns = `
, served AS MATERIALIZED (
    SELECT d.objid AS seq, d.refobjid AS rel, d.refobjsubid::smallint AS col, d.deptype
    FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  UNION
    SELECT d.refobjid, o.adrelid, o.adnum, 'n'
    FROM pg_attrdef o JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = o.oid AND d.refclassid = 'pg_class'::regclass)`

const sequencesSQL = servedColumns + `
SELECT 'sequence', n.nspname, '', c.relname, json_build_object(
    'type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax,
    'cache', s.seqcache, 'cycle', s.seqcycle, 'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
    'owned by', coalesce((
        SELECT json_build_array(tn.nspname, t.relname, a.attname)
        FROM served JOIN pg_class t ON t.oid = served.rel JOIN pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = served.col WHERE served.seq = c.oid AND served.deptype <> 'n' LIMIT 1), '[]'),
    'internal', EXISTS (SELECT FROM served WHERE served.seq = c.oid AND served.deptype = 'i'),
    'owner', pg_get_userbyid(c.relowner), 'grants', $GRANTS(c.relacl, s, c.relowner), 'comment', $COMMENT(c.oid, pg_class))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)`

// probesSQL returns for each sequence and each column that it serves what the role may
// read, without reading it. The rows of a sequence without a column have no column. A
// relation is locked if another session has, or waits for, a lock that excludes reading.
const probesSQL = servedColumns + `
, locked AS MATERIALIZED (
    SELECT DISTINCT l.relation FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
SELECT n.nspname, c.relname, tn.nspname, t.relname, a.attname, s.seqincrement > 0,
    CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'the role lacks USAGE on the schema'
         WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'the role lacks SELECT on the sequence'
         WHEN c.oid IN (SELECT relation FROM locked) THEN 'another session has locked the sequence' ELSE '' END,
    CASE WHEN t.oid IS NULL THEN ''
         WHEN NOT has_schema_privilege(tn.oid, 'USAGE') THEN 'the role lacks USAGE on the schema'
         WHEN NOT has_column_privilege(t.oid, a.attnum, 'SELECT') THEN 'the role lacks SELECT on the column'
         WHEN row_security_active(t.oid) THEN 'row security hides rows from the role'
         WHEN t.relkind NOT IN ('r', 'p') OR NOT EXISTS (
             SELECT FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam
             WHERE i.indrelid = t.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL AND am.amname = 'btree') THEN 'no index begins with the column'
         WHEN a.atttypid NOT IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN 'the column is no integer'
         WHEN t.oid IN (SELECT relation FROM locked) OR EXISTS (
             SELECT FROM pg_inherits h WHERE h.inhparent = t.oid AND h.inhrelid IN (SELECT relation FROM locked)) THEN 'another session has locked the table' ELSE '' END
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN (SELECT DISTINCT seq, rel, col FROM served) used ON used.seq = c.oid
LEFT JOIN pg_class t ON t.oid = used.rel LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = used.col
WHERE c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C", tn.nspname::text COLLATE "C", t.relname::text COLLATE "C", a.attname::text COLLATE "C"`
