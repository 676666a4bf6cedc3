package pg

// The readers in writing.go depend on the column order of each query. $1 is the table's
// OID. Triggers, functions, indexes and deferrable constraints of a partition count as
// those of the table.

// rightsSQL returns the role, its privileges, the columns that are GENERATED ALWAYS AS
// IDENTITY, and the extension to which the table belongs. INSERT and UPDATE can be
// granted for single columns. So for each of the two privileges, the query returns
// whether the role has it for any column, and the columns for which the role lacks it.
// Generated columns are left out, because no role can write them.
const rightsSQL = `
WITH written AS (
    SELECT attnum, attname FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')
SELECT current_user,
       has_any_column_privilege($1::oid, 'INSERT'),
       (SELECT json_agg(attname ORDER BY attnum) FROM written WHERE NOT has_column_privilege($1::oid, attnum, 'INSERT')),
       has_any_column_privilege($1::oid, 'UPDATE'),
       (SELECT json_agg(attname ORDER BY attnum) FROM written WHERE NOT has_column_privilege($1::oid, attnum, 'UPDATE')),
       has_table_privilege($1::oid, 'DELETE'),
       (SELECT json_agg(attname ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attidentity = 'a'),
       (SELECT e.extname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = $1::oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e')`

// closedSQL returns each schema that contains the type of a column and on which the role
// has no USAGE privilege. For a domain, the schema of its base type counts, because a
// value of a domain is cast to the base type.
const closedSQL = `
WITH RECURSIVE used(oid) AS (
    SELECT atttypid FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
  UNION
    SELECT t.typbasetype FROM used JOIN pg_type t ON t.oid = used.oid WHERE t.typtype = 'd')
SELECT DISTINCT n.nspname
FROM used JOIN pg_type t ON t.oid = used.oid AND t.typtype <> 'd' JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE NOT has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname`

// functionsSQL returns the functions that a repair calls and that the role may not
// execute. For every row that is written, the server calls the functions of CHECK
// constraints, generated columns and indexes. The repair calls pg_control_system, to name
// the server in the manifest.
const functionsSQL = `
WITH rels(oid) AS (
    SELECT $1::oid UNION SELECT relid::oid FROM pg_partition_tree($1::oid)),
users(classid, objid) AS (
    SELECT 'pg_constraint'::regclass::oid, co.oid FROM pg_constraint co JOIN rels ON rels.oid = co.conrelid WHERE co.contype = 'c'
  UNION
    SELECT 'pg_attrdef'::regclass, ad.oid FROM pg_attrdef ad JOIN rels ON rels.oid = ad.adrelid
    JOIN pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum WHERE a.attgenerated <> ''
  UNION
    SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN rels ON rels.oid = i.indrelid)
SELECT DISTINCT p.oid::regprocedure::text
FROM pg_proc p
WHERE NOT has_function_privilege(p.oid, 'EXECUTE')
  AND (p.oid = 'pg_control_system()'::regprocedure
       OR p.oid IN (SELECT d.refobjid FROM users u JOIN pg_depend d ON d.classid = u.classid AND d.objid = u.objid AND d.refclassid = 'pg_proc'::regclass))
ORDER BY 1`

// sequencesSQL returns each column whose default uses a sequence that the role has no
// privilege to use, with that sequence.
const sequencesSQL = `
SELECT a.attname, quote_ident(n.nspname) || '.' || quote_ident(s.relname)
FROM pg_attrdef ad
JOIN pg_attribute a ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid AND d.refclassid = 'pg_class'::regclass
JOIN pg_class s ON s.oid = d.refobjid
JOIN pg_namespace n ON n.oid = s.relnamespace
WHERE ad.adrelid = $1::oid AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') END
ORDER BY 1, 2`

// readOnlySQL returns the setting by which an administrator has made the node read-only
// for the role, or an empty string. The query is needed because BEGIN READ WRITE succeeds
// in spite of the setting.
const readOnlySQL = `
SELECT CASE
    WHEN current_setting('default_transaction_read_only') = 'on' THEN 'default_transaction_read_only is on for role ' || quote_ident(current_user)
    WHEN current_setting('spock.readonly', true) = 'all'
      OR current_setting('spock.readonly', true) = 'user' AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
      THEN 'spock.readonly is ' || current_setting('spock.readonly', true)
    ELSE '' END`

// triggersSQL returns the triggers that users created, except those that are disabled. A
// trigger that partitions inherit is returned once.
const triggersSQL = `
SELECT DISTINCT t.tgname, t.tgenabled = 'A', t.tgenabled = 'R'
FROM pg_trigger t
WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
  AND (t.tgrelid = $1::oid OR t.tgrelid IN (SELECT relid FROM pg_partition_tree($1::oid)))
ORDER BY t.tgname`

// requiredSQL returns the columns for which an INSERT must provide a value: they are NOT
// NULL, neither generated nor identity columns, and neither the column nor its domain has
// a default.
const requiredSQL = `
SELECT a.attname
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND t.typdefault IS NULL
ORDER BY a.attnum`

// rulesSQL returns the rules that would replace the statements of a repair, or add
// statements to them.
const rulesSQL = `
SELECT rulename FROM pg_rewrite WHERE ev_class = $1::oid AND ev_type <> '1' AND ev_enabled <> 'D' ORDER BY rulename`

// referencesSQL returns the foreign keys that refer to the table with an action that
// changes other rows. A foreign key of another table may also refer to a partition of the
// table, or to a table of which the table is a partition.
const referencesSQL = `
WITH rels(oid) AS (
    SELECT $1::oid UNION SELECT relid::oid FROM pg_partition_ancestors($1::oid) UNION SELECT relid::oid FROM pg_partition_tree($1::oid))
SELECT c.conname, c.conrelid::regclass::text,
       (SELECT json_agg(a.attname ORDER BY k.place) FROM unnest(c.confkey) WITH ORDINALITY k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum),
       c.confdeltype IN ('c', 'n', 'd'), c.confupdtype IN ('c', 'n', 'd')
FROM pg_constraint c
WHERE c.contype = 'f' AND c.confrelid IN (SELECT oid FROM rels) AND c.conparentid = 0
  AND (c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd'))
ORDER BY c.conname`

// deferrableSQL returns the unique and exclusion constraints that are DEFERRABLE, with
// the operators by which two rows are equal and the base types of domains. The second
// result column is true if a query over the table cannot check the constraint: it is an
// exclusion constraint, or it belongs to a single partition, so it does not apply to the
// rows of other partitions.
const deferrableSQL = `
SELECT co.conname, co.contype = 'x' OR co.conrelid <> $1::oid,
       (SELECT json_agg(quote_ident(a.attname) ORDER BY k)
        FROM generate_series(0, i.indnkeyatts - 1) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]),
       (SELECT json_agg('OPERATOR(' || quote_ident(n.nspname) || '.' || o.oprname || ')' ORDER BY k)
        FROM generate_series(0, i.indnkeyatts - 1) k
        JOIN pg_opclass oc ON oc.oid = i.indclass[k]
        JOIN pg_amop am ON am.amopfamily = oc.opcfamily AND am.amopstrategy = 3 AND am.amoplefttype = oc.opcintype AND am.amoprighttype = oc.opcintype
        JOIN pg_operator o ON o.oid = am.amopopr
        JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE co.contype <> 'x'),
       coalesce((to_jsonb(i)->>'indnullsnotdistinct')::boolean, false),
       (SELECT json_agg((
            WITH RECURSIVE base AS (
                SELECT t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid AND t.typtype = 'd'
              UNION ALL
                SELECT t.typbasetype FROM base JOIN pg_type t ON t.oid = base.typbasetype AND t.typtype = 'd')
            SELECT quote_ident(n.nspname) || '.' || quote_ident(t.typname)
            FROM base JOIN pg_type t ON t.oid = base.typbasetype AND t.typtype <> 'd'
            JOIN pg_namespace n ON n.oid = t.typnamespace) ORDER BY k)
        FROM generate_series(0, i.indnkeyatts - 1) k JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k])
FROM pg_constraint co JOIN pg_index i ON i.indexrelid = co.conindid
WHERE (co.conrelid = $1::oid OR co.conparentid = 0 AND co.conrelid IN (SELECT relid FROM pg_partition_tree($1::oid)))
  AND co.condeferrable AND co.contype IN ('p', 'u', 'x')
ORDER BY co.conname`

// uniqueSQL returns the columns that a unique index or the index of an exclusion
// constraint uses: as a column of the index, in an expression or in its predicate.
const uniqueSQL = `
SELECT DISTINCT a.attname
FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum > 0
WHERE (i.indrelid = $1::oid OR i.indrelid IN (SELECT relid FROM pg_partition_tree($1::oid))) AND (i.indisunique OR i.indisexclusion)
  AND (a.attnum = ANY (i.indkey) OR EXISTS (
      SELECT 1 FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))`
