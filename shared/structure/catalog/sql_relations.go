package catalog

// relationKind is the SQL expression for the Kind of c, a row of pg_class.
const relationKind = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END`

const relationsSQL = `
SELECT ` + relationKind + `, n.nspname, '', c.relname, json_build_object(
    'persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' ELSE 'permanent' END,
    'partition key', coalesce(pg_get_partkeydef(c.oid), ''),
    'parents', (
        SELECT coalesce(json_agg(json_build_array(pn.nspname, p.relname) ORDER BY h.inhseqno), '[]')
        FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = c.oid),
    'detach pending', EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid AND h.inhdetachpending),
    'partition bounds', coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
    'row security', CASE WHEN c.relrowsecurity AND c.relforcerowsecurity THEN 'forced' WHEN c.relrowsecurity THEN 'enabled'
                         WHEN c.relforcerowsecurity THEN 'disabled, but forced' ELSE 'disabled' END,
    'replica identity', CASE c.relreplident WHEN 'd' THEN 'default' WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing' ELSE
        'index (' || coalesce((
            SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY k(attnum, n)
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisreplident), '') || ')' END,
    'replica index', CASE WHEN c.relreplident = 'i' THEN (
        SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident) END,
    'access method', coalesce(am.amname::text, ''),
    'tablespace', coalesce(ts.spcname::text, ''),
    'options', (
        SELECT coalesce(json_agg(o ORDER BY o COLLATE "C"), '[]') FROM (
            SELECT unnest(c.reloptions) UNION ALL SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid
            UNION ALL SELECT unnest(ft.ftoptions)) list(o)),
    'type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) ELSE '' END,
    'server', coalesce(fs.srvname::text, ''),
    'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END,
    'populated', c.relispopulated,
    'owner', pg_get_userbyid(c.relowner), 'grants', $GRANTS(c.relacl, r, c.relowner), 'comment', $COMMENT(c.oid, pg_class))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid
LEFT JOIN pg_am am ON am.oid = c.relam LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_foreign_table ft ON ft.ftrelid = c.oid LEFT JOIN pg_foreign_server fs ON fs.oid = ft.ftserver
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)`

// A column of a partition is always inherited, whatever attislocal is: PostgreSQL sets
// attislocal for the columns of a partition that was an independent table before it was
// attached.
//
// Some minor releases of PostgreSQL 14 to 17 store a position of the WAL as the option
// pg_attver of each column. It differs between nodes, so it is left out.
//
// Since PostgreSQL 18, a NOT NULL constraint can be NOT VALID: the column may have NULLs
// that were written earlier.
const columnsSQL = `
SELECT 'column', n.nspname, c.relname, a.attname, json_build_object(
    'position', a.attnum,
    'inherited', a.attinhcount > 0 AND (c.relispartition OR NOT a.attislocal),
    'type', format_type(a.atttypid, a.atttypmod),
    'not null', CASE WHEN NOT a.attnotnull THEN 'false' WHEN EXISTS (
        SELECT FROM pg_constraint co WHERE co.conrelid = c.oid AND co.contype = 'n' AND co.conkey = ARRAY[a.attnum] AND NOT co.convalidated)
        THEN 'not validated' ELSE 'true' END,
    'default', CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END,
    'generated', CASE a.attgenerated WHEN '' THEN '' ELSE '(' || pg_get_expr(d.adbin, d.adrelid) || ') ' || CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END END,
    'identity', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' ELSE '' END,
    'collation', CASE WHEN a.attcollation <> t.typcollation THEN (
        SELECT json_build_array(cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation)
        ELSE '[]' END,
    'storage', CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END,
    'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' ELSE '' END,
    'statistics target', coalesce(a.attstattarget, -1),
    'options', (SELECT coalesce(json_agg(o ORDER BY o COLLATE "C"), '[]') FROM (SELECT unnest(a.attoptions) UNION ALL SELECT unnest(a.attfdwoptions)) list(o)
                WHERE NOT starts_with(o, 'pg_attver=')),
    'grants', $GRANTS(a.attacl, c, c.relowner), 'comment', coalesce(col_description(c.oid, a.attnum), ''))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)`

// Constraints that a table inherits from a parent are left out. NOT NULL constraints are
// left out, because columnsSQL reads them as a property of the column, which they are in
// every version. The property valid is false for a key of a partitioned table as long as
// a partition lacks the key. The property enabled has the states of the triggers that
// check a foreign key, because ALTER TABLE ... DISABLE TRIGGER ALL disables them, too.
const constraintsSQL = `
SELECT CASE co.contype WHEN 'p' THEN 'primary key' WHEN 'u' THEN 'unique key' WHEN 'f' THEN 'foreign key' WHEN 'x' THEN 'exclusion' ELSE 'check' END,
       n.nspname, c.relname, CASE co.contype WHEN 'p' THEN '' ELSE co.conname::text END, json_build_object(
    'name', co.conname,
    'definition', regexp_replace(pg_get_constraintdef(co.oid), '( DEFERRABLE| INITIALLY DEFERRED| NOT ENFORCED| NOT VALID)+$', ''),
    'deferrable', CASE WHEN co.condeferred THEN 'initially deferred' WHEN co.condeferrable THEN 'true' ELSE 'false' END,
    'enforced', coalesce(to_jsonb(co)->>'conenforced', 'true'),
    'validated', co.convalidated OR coalesce(to_jsonb(co)->>'conenforced', 'true') = 'false',
    'valid', i.indisvalid,
    'clustered', i.indisclustered,
    'enabled', CASE co.contype WHEN 'f' THEN (
        SELECT coalesce(string_agg(DISTINCT t.tgenabled::text COLLATE "C", '' ORDER BY t.tgenabled::text COLLATE "C"), 'O') FROM pg_trigger t WHERE t.tgconstraint = co.oid) END,
    'comment', $COMMENT(co.oid, pg_constraint))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_constraint co ON co.conrelid = c.oid
LEFT JOIN pg_index i ON i.indexrelid = co.conindid AND co.contype IN ('p', 'u', 'x')
WHERE co.contype IN ('p', 'u', 'f', 'c', 'x') AND co.conparentid = 0 AND co.coninhcount = 0
  AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND NOT $OWNED(pg_class, c.oid)`

// An index of a partition is left out if it is attached to an index of the partitioned
// table, because it follows that index. The index of a constraint is left out, because
// constraintsSQL reads the constraint. The definition does not contain the names of the
// index and of the table, so that renamed indexes have equal definitions.
const indexesSQL = `
SELECT 'index', n.nspname, c.relname, ic.relname, json_build_object(
    'unique', i.indisunique,
    'definition', regexp_replace(substr(d.def, strpos(d.def, d.head) + length(d.head)), '^ ', ''),
    'valid', i.indisvalid AND i.indisready AND i.indislive,
    'clustered', i.indisclustered,
    'tablespace', coalesce(ts.spcname::text, ''),
    'comment', $COMMENT(ic.oid, pg_class))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_tablespace ts ON ts.oid = ic.reltablespace
CROSS JOIN LATERAL (SELECT pg_get_indexdef(i.indexrelid) AS def,
    quote_ident(ic.relname) || ' ON ' || CASE c.relkind WHEN 'p' THEN 'ONLY ' ELSE '' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS head) d
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND NOT ic.relispartition AND NOT $OWNED(pg_class, c.oid)
  AND NOT EXISTS (SELECT FROM pg_constraint co WHERE co.conindid = ic.oid AND co.conrelid = c.oid AND co.contype IN ('p', 'u', 'x'))`

const statisticsSQL = `
SELECT 'statistics', n.nspname, '', s.stxname, json_build_object(
    'definition', pg_get_statisticsobjdef(s.oid), 'owner', pg_get_userbyid(s.stxowner), 'comment', $COMMENT(s.oid, pg_statistic_ext))
FROM scope n JOIN pg_statistic_ext s ON s.stxnamespace = n.oid
WHERE NOT $OWNED(pg_statistic_ext, s.oid)`

// A trigger of a partition that PostgreSQL created for a trigger of the partitioned table
// is left out, unless the two triggers have different values of tgenabled.
const triggersSQL = `
SELECT 'trigger', n.nspname, c.relname, t.tgname, json_build_object(
    'definition', pg_get_triggerdef(t.oid), 'enabled', t.tgenabled::text, 'comment', $COMMENT(t.oid, pg_trigger))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_trigger t ON t.tgrelid = c.oid
LEFT JOIN pg_trigger parent ON parent.oid = t.tgparentid
WHERE NOT t.tgisinternal AND (parent.oid IS NULL OR parent.tgenabled <> t.tgenabled) AND NOT $OWNED(pg_class, c.oid)`

const rulesSQL = `
SELECT 'rule', n.nspname, c.relname, r.rulename, json_build_object(
    'definition', pg_get_ruledef(r.oid), 'enabled', r.ev_enabled::text, 'comment', $COMMENT(r.oid, pg_rewrite))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_rewrite r ON r.ev_class = c.oid
WHERE r.rulename <> '_RETURN' AND NOT $OWNED(pg_class, c.oid)`

const policiesSQL = `
SELECT 'policy', n.nspname, c.relname, p.polname, json_build_object(
    'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    'permissive', p.polpermissive,
    'roles', (SELECT json_agg(CASE WHEN r.oid = 0 THEN '' ELSE pg_get_userbyid(r.oid)::text END ORDER BY pg_get_userbyid(r.oid)) FROM unnest(p.polroles) r(oid)),
    'using', coalesce(pg_get_expr(p.polqual, p.polrelid), ''), 'with check', coalesce(pg_get_expr(p.polwithcheck, p.polrelid), ''),
    'comment', $COMMENT(p.oid, pg_policy))
FROM scope n JOIN pg_class c ON c.relnamespace = n.oid JOIN pg_policy p ON p.polrelid = c.oid
WHERE NOT $OWNED(pg_class, c.oid)`
