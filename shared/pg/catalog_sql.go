package pg

import "strings"

// The readers in catalog.go and key.go depend on the column order of each query.
//
// The time of a query must not grow with the number of tables in the database. A prepared
// query is planned without the values of its parameters. The planner may then expect few
// rows from a catalog and scan all of it. OFFSET 0 in a LATERAL subquery prevents that:
// the server executes the subquery by an index, for each row of the relations before it.

const relationSQL = `
SELECT c.oid, c.relkind,
       c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid),
       has_schema_privilege(n.oid, 'USAGE'),
       has_table_privilege(c.oid, 'SELECT'),
       (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT')),
       pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())),
       coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false),
       current_user,
       EXISTS (SELECT 1 FROM pg_largeobject_metadata),
       has_any_column_privilege(c.oid, 'SELECT') OR NOT EXISTS (
           SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
       (SELECT json_agg(used.nspname ORDER BY used.nspname) FROM pg_namespace used
        WHERE NOT has_schema_privilege(used.oid, 'USAGE') AND EXISTS (
            SELECT 1 FROM pg_index i
            JOIN pg_attribute a ON a.attrelid = i.indexrelid
            JOIN pg_opclass oc ON oc.oid = ANY (i.indclass)
            JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_type base ON base.oid IN (t.typbasetype, t.typelem) AND base.oid <> 0
            LEFT JOIN pg_collation co ON co.oid = a.attcollation
            WHERE i.indrelid = c.oid AND i.indisunique
              AND used.oid IN (oc.opcnamespace, t.typnamespace, base.typnamespace, co.collnamespace))),
       row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`

// sharedBuffers is an expression for the size of the server's shared buffers in pages.
const sharedBuffers = "pg_size_bytes(current_setting('shared_buffers')) / current_setting('block_size')::bigint"

// typesSQL returns every type that a column of the tables with the OIDs $1 uses: the type
// of the column itself, the type of the elements of an array, and the base type of a
// domain.
const typesSQL = `
WITH RECURSIVE used(oid) AS (
    SELECT atttypid FROM pg_attribute WHERE attrelid = ANY ($1::oid[]) AND attnum > 0 AND NOT attisdropped
  UNION
    SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
    FROM used JOIN pg_type t ON t.oid = used.oid
    WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0)
SELECT t.oid, n.nspname, t.typname, quote_ident(n.nspname) || '.' || quote_ident(t.typname), t.typtype,
       CASE WHEN t.typtype <> 'd' AND t.typcategory = 'A' THEN t.typelem ELSE 0 END,
       CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE 0 END,
       (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
       (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
        WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')
FROM used JOIN pg_type t ON t.oid = used.oid JOIN pg_namespace n ON n.oid = t.typnamespace`

// columnsSQL returns the query for the columns of a table, with the provider, locale and
// actual version of the collation of each. For a column with the default collation, these
// are the database's provider, locale and version. Older server versions lack some
// columns of the system catalogs. The query reads such a column through to_jsonb, which
// yields NULL if the column is missing.
func columnsSQL(version int) string {
	return strings.Replace(`
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, a.attnotnull, a.attgenerated <> '',
       CASE WHEN co.collprovider = 'd' THEN coalesce(to_jsonb(db)->>'datlocprovider', 'c') ELSE co.collprovider::text END,
       CASE WHEN co.collprovider = 'd'
            THEN coalesce(to_jsonb(db)->>'datlocale', to_jsonb(db)->>'daticulocale', db.datcollate)
                 || coalesce(to_jsonb(db)->>'daticurules', '')
            ELSE coalesce(to_jsonb(co)->>'colllocale', to_jsonb(co)->>'colliculocale', co.collcollate)
                 || coalesce(to_jsonb(co)->>'collicurules', '') END,
       co.collisdeterministic,
       CASE WHEN co.collprovider = 'd' THEN $DATABASE_VERSION ELSE pg_collation_actual_version(co.oid) END,
       CASE WHEN co.collprovider <> 'd' THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END,
       CASE WHEN a.attgenerated <> '' THEN
           (SELECT pg_get_expr(ad.adbin, ad.adrelid) FROM pg_attrdef ad WHERE ad.adrelid = a.attrelid AND ad.adnum = a.attnum) END,
       (WITH RECURSIVE base AS (
            SELECT t.typbasetype, t.typtypmod FROM pg_type t WHERE t.oid = a.atttypid AND t.typtype = 'd'
          UNION ALL
            SELECT t.typbasetype, t.typtypmod FROM base JOIN pg_type t ON t.oid = base.typbasetype AND t.typtype = 'd')
        SELECT format_type(base.typbasetype, base.typtypmod)
        FROM base JOIN pg_type t ON t.oid = base.typbasetype AND t.typtype <> 'd')
FROM pg_attribute a
JOIN pg_database db ON db.datname = current_database()
LEFT JOIN pg_collation co ON co.oid = a.attcollation
LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum`, "$DATABASE_VERSION", databaseCollationVersion(version), 1)
}

// databaseCollationVersion returns an expression for the actual version of the default
// collation of the database db. The expression is NULL before PostgreSQL 15, because
// older servers cannot report that version.
func databaseCollationVersion(version int) string {
	if version < 150000 {
		return "NULL"
	}
	return "pg_catalog.pg_database_collation_actual_version(db.oid)"
}

// indexesSQL returns the unique indexes and exclusion constraints of the tables with the
// OIDs $1, and the table of each. A key must not have a column that contains NULL, but
// attnotnull does not prove that a column contains none. It is true even if the NOT NULL
// constraint is not validated, which is possible since PostgreSQL 18. The constraint of a
// partition may not be validated although that of the parent is. So for a column whose
// constraint is not validated, the query also returns the statement that validates the
// constraint (unproven).
//
// The query finds partitions in pg_inherits, because pg_partition_tree would lock them.
const indexesSQL = `
WITH RECURSIVE rels(root, oid) AS (
    SELECT t.oid, t.oid FROM unnest($1::oid[]) t(oid)
  UNION
    SELECT r.root, h.inhrelid FROM rels r
    CROSS JOIN LATERAL (SELECT FROM pg_class p WHERE p.oid = r.oid AND p.relkind = 'p' OFFSET 0) partitioned
    JOIN pg_inherits h ON h.inhparent = r.oid AND NOT h.inhdetachpending),
unproven AS (
    SELECT rels.root, a.attname, min(format('ALTER TABLE %s VALIDATE CONSTRAINT %I', co.conrelid::regclass, co.conname)) AS remedy
    FROM rels
    JOIN pg_constraint co ON co.conrelid = rels.oid
    JOIN pg_attribute a ON a.attrelid = co.conrelid AND a.attnum = co.conkey[1]
    WHERE co.contype = 'n' AND NOT co.convalidated
    GROUP BY rels.root, a.attname)
SELECT ic.relname, i.indisprimary, i.indisreplident, am.amname,
       i.indisvalid AND i.indisready AND i.indislive AND NOT EXISTS (
           WITH RECURSIVE part(oid) AS (
               SELECT h.inhrelid FROM pg_inherits h WHERE h.inhparent = i.indexrelid AND NOT h.inhdetachpending
             UNION
               SELECT h.inhrelid FROM part JOIN pg_inherits h ON h.inhparent = part.oid AND NOT h.inhdetachpending)
           SELECT 1 FROM part JOIN pg_index pi ON pi.indexrelid = part.oid
           WHERE NOT (pi.indisvalid AND pi.indisready AND pi.indislive)),
       ic.relkind = 'I',
       i.indisexclusion,
       EXISTS (SELECT 1 FROM pg_constraint co WHERE co.conindid = i.indexrelid AND co.conrelid = i.indrelid
               AND (to_jsonb(co)->>'conperiod')::boolean),
       i.indpred IS NOT NULL, i.indexprs IS NOT NULL, i.indimmediate,
       (SELECT json_agg(json_build_object(
                   'name', a.attname, 'not_null', a.attnotnull, 'unproven', u.remedy,
                   'plain', oc.opcdefault AND i.indcollation[k] = a.attcollation,
                   'op_schema', ns.nspname, 'less', lt.oprname, 'at_least', ge.oprname, 'equal', eq.oprname) ORDER BY k)
        FROM generate_series(0, i.indnkeyatts - 1) k
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
        JOIN pg_opclass oc ON oc.oid = i.indclass[k]
        LEFT JOIN unproven u ON u.root = i.indrelid AND u.attname = a.attname
        LEFT JOIN pg_amop o1 ON o1.amopfamily = oc.opcfamily AND o1.amopstrategy = 1 AND o1.amoplefttype = oc.opcintype AND o1.amoprighttype = oc.opcintype
        LEFT JOIN pg_amop o3 ON o3.amopfamily = oc.opcfamily AND o3.amopstrategy = 3 AND o3.amoplefttype = oc.opcintype AND o3.amoprighttype = oc.opcintype
        LEFT JOIN pg_amop o4 ON o4.amopfamily = oc.opcfamily AND o4.amopstrategy = 4 AND o4.amoplefttype = oc.opcintype AND o4.amoprighttype = oc.opcintype
        LEFT JOIN pg_operator lt ON lt.oid = o1.amopopr
        LEFT JOIN pg_operator eq ON eq.oid = o3.amopopr
        LEFT JOIN pg_operator ge ON ge.oid = o4.amopopr
        LEFT JOIN pg_namespace ns ON ns.oid = eq.oprnamespace),
       i.indrelid
FROM pg_index i
JOIN pg_class ic ON ic.oid = i.indexrelid
JOIN pg_am am ON am.oid = ic.relam
WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion)
ORDER BY i.indrelid, i.indisprimary DESC, i.indisreplident DESC, i.indnkeyatts, ic.relname`

// indexOrdersSQL returns the query for the collations on which the table's indexes
// depend: the collations of the index columns, and those within the type of a column,
// such as a range or a composite type. An index on jsonb, or on a collatable type of an
// extension, also depends on the database's default collation. The query leaves out an
// index of a partition if it is attached to an index of the partitioned table.
func indexOrdersSQL(version int) string {
	return strings.Replace(`
WITH RECURSIVE part(index, place, type, coll) AS (
    SELECT i.indexrelid, a.attnum, a.atttypid, i.indcollation[a.attnum - 1]
    FROM (SELECT $1::oid AS oid UNION SELECT t.relid FROM pg_partition_tree($1::oid) t) rels
    JOIN pg_index i ON i.indrelid = rels.oid
    JOIN pg_class ic ON ic.oid = i.indexrelid AND NOT ic.relispartition
    JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum <= i.indnkeyatts
  UNION
    SELECT p.index, p.place, inner_type.type, inner_type.coll
    FROM part p JOIN pg_type t ON t.oid = p.type
    CROSS JOIN LATERAL (
        SELECT t.typbasetype, p.coll WHERE t.typtype = 'd'
        UNION ALL
        SELECT t.typelem, p.coll WHERE t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0
        UNION ALL
        SELECT r.rngsubtype, r.rngcollation FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
        UNION ALL
        SELECT a.atttypid, a.attcollation FROM pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) inner_type(type, coll)),
used(index, place, coll) AS (
    SELECT index, place, coll FROM part WHERE coll <> 0
  UNION
    SELECT p.index, p.place, 'pg_catalog."default"'::regcollation::oid
    FROM part p CROSS JOIN LATERAL (
        SELECT FROM pg_type t WHERE t.oid = p.type AND (t.oid = 'jsonb'::regtype
            OR t.typtype = 'b' AND t.typcategory <> 'A' AND t.typcollation <> 0 AND t.typnamespace <> 'pg_catalog'::regnamespace)
        OFFSET 0) ordered)
SELECT ic.relname, quote_ident(n.nspname) || '.' || quote_ident(ic.relname), i.indisunique OR i.indisexclusion, a.attname,
       CASE WHEN co.collprovider = 'd' THEN coalesce(to_jsonb(db)->>'datlocprovider', 'c') ELSE co.collprovider::text END,
       CASE WHEN co.collprovider = 'd'
            THEN coalesce(to_jsonb(db)->>'datlocale', to_jsonb(db)->>'daticulocale', db.datcollate)
            ELSE coalesce(to_jsonb(co)->>'colllocale', to_jsonb(co)->>'colliculocale', co.collcollate) END,
       co.collisdeterministic,
       CASE WHEN co.collprovider = 'd' THEN $DATABASE_VERSION ELSE pg_collation_actual_version(co.oid) END,
       CASE WHEN co.collprovider = 'd' THEN to_jsonb(db)->>'datcollversion' ELSE co.collversion END,
       CASE WHEN co.collprovider <> 'd' THEN quote_ident(cn.nspname) || '.' || quote_ident(co.collname) END,
       quote_ident(db.datname)
FROM used u
JOIN pg_collation co ON co.oid = u.coll
JOIN pg_namespace cn ON cn.oid = co.collnamespace
JOIN pg_database db ON db.datname = current_database()
JOIN pg_index i ON i.indexrelid = u.index
JOIN pg_class ic ON ic.oid = u.index
JOIN pg_namespace n ON n.oid = ic.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[u.place - 1] AND a.attnum > 0
ORDER BY i.indisprimary DESC, ic.relname, u.place, co.oid`, "$DATABASE_VERSION", databaseCollationVersion(version), 1)
}

// partitionsSQL returns the relations that hold the rows: the table itself, or its
// partitions. For each relation, the query also returns its file number, its number of
// pages, and whether it can be read by page ranges: the role may read the relation
// directly, and it is a heap.
const partitionsSQL = `
SELECT n.nspname, c.relname, coalesce(pg_relation_filenode(c.oid), 0),
       coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::bigint,
       c.relkind = 'r' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           AND NOT row_security_active(c.oid)
           AND coalesce((SELECT am.amname = 'heap' FROM pg_am am WHERE am.oid = c.relam), false)
FROM pg_class p
CROSS JOIN LATERAL (
    SELECT p.oid AS relid WHERE p.relkind = 'r'
    UNION ALL
    SELECT t.relid FROM pg_partition_tree(p.oid) t WHERE p.relkind = 'p' AND t.isleaf) l
JOIN pg_class c ON c.oid = l.relid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.oid = $1::oid
ORDER BY c.oid`
