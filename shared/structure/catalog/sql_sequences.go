package catalog

// owningColumn selects the column that owns the sequence c, or the identity column for
// which c was created. owningColumn and servedColumns are lateral subqueries, so that
// they use an index for each sequence. In a plain join, the planner would join whole
// catalogs by nested loops if it has no statistics about the catalogs.
const owningColumn = `
    SELECT d.refobjid AS rel, d.refobjsubid::smallint AS col, d.deptype::text AS deptype FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0 AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')`

// servedColumns selects the columns that the sequence c serves: the column of
// owningColumn and the columns whose defaults depend on c. It compares classid with
// tableoid, because a comparison with a constant would make the planner use the wrong
// index.
const servedColumns = `
    SELECT o.rel, o.col FROM (` + owningColumn + `) o
  UNION
    SELECT o.adrelid, o.adnum FROM pg_depend d JOIN pg_attrdef o ON o.oid = d.objid AND o.tableoid = d.classid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = 0`

const sequencesSQL = `
SELECT 'sequence', n.nspname, '', c.relname, json_build_object(
    'type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax,
    'cache', s.seqcache, 'cycle', s.seqcycle, 'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
    'owned by', CASE WHEN a.attname IS NULL THEN '[]' ELSE json_build_array(tn.nspname, t.relname, a.attname) END,
    'internal', coalesce(owning.deptype = 'i', false),
    'owner', pg_get_userbyid(c.relowner), 'grants', $GRANTS(c.relacl, s, c.relowner), 'comment', $COMMENT(c.oid, pg_class))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN LATERAL (` + owningColumn + `) owning ON true
LEFT JOIN pg_class t ON t.oid = owning.rel LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = owning.col
WHERE c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)`

// probesSQL returns a row for each pair of a sequence and a column that the sequence
// serves. If a sequence serves no column, it has one row, with NULL for the column. The
// statement reads no values of sequences and columns; it only decides which may be read.
// Three result columns are reasons, or empty texts:
//   - The seventh is why the role may not read the sequence.
//   - The eighth is why the column is read for no role. For example, its default is an
//     expression such as nextval('s') * 10, so its values prove nothing about the
//     sequence.
//   - The ninth is why the role may not read the column.
//
// The tenth result column becomes SequenceState.Derived, the eleventh ServedColumn.only.
const probesSQL = `
SELECT n.nspname, c.relname, tn.nspname, t.relname, a.attname, s.seqincrement > 0,
    CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'the role lacks USAGE on the schema'
         WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'the role lacks SELECT on the sequence' ELSE '' END,
    CASE WHEN t.oid IS NULL THEN ''
         WHEN t.relkind NOT IN ('r', 'p') OR NOT EXISTS (
             SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indkey[0] = a.attnum AND i.indisvalid AND i.indpred IS NULL
               AND (SELECT ic.relam FROM pg_class ic WHERE ic.oid = i.indexrelid) = (SELECT am.oid FROM pg_am am WHERE am.amname = 'btree')) THEN 'no index begins with the column'
         WHEN a.atttypid NOT IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype) THEN 'the column is no integer'
         WHEN def.text !~ '^nextval\(''([^'']|'''')*''::regclass\)$' THEN 'the default is an expression' ELSE '' END,
    CASE WHEN t.oid IS NULL THEN ''
         WHEN NOT has_schema_privilege(tn.oid, 'USAGE') THEN 'the role lacks USAGE on the schema'
         WHEN NOT has_column_privilege(t.oid, a.attnum, 'SELECT') THEN 'the role lacks SELECT on the column'
         WHEN row_security_active(t.oid) THEN 'row security hides rows from the role' ELSE '' END,
    coalesce(def.text !~ '(^|[^.\w"])nextval\(', false), coalesce(t.relkind <> 'p', false)
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'S' JOIN pg_sequence s ON s.seqrelid = c.oid
LEFT JOIN LATERAL (` + servedColumns + `) used ON true
LEFT JOIN pg_class t ON t.oid = used.rel LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = used.col
LEFT JOIN LATERAL (SELECT pg_get_expr(d.adbin, d.adrelid) AS text FROM pg_attrdef d WHERE d.adrelid = t.oid AND d.adnum = a.attnum) def ON true
WHERE c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C", tn.nspname::text COLLATE "C", t.relname::text COLLATE "C", a.attname::text COLLATE "C"`
