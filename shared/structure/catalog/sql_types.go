package catalog

const enumsSQL = `
SELECT 'enum', n.nspname, '', t.typname, json_build_object(
    'labels', (SELECT coalesce(json_agg(e.enumlabel ORDER BY e.enumsortorder), '[]') FROM pg_enum e WHERE e.enumtypid = t.oid),
    'owner', pg_get_userbyid(t.typowner), 'grants', $GRANTS(t.typacl, T, t.typowner), 'comment', $COMMENT(t.oid, pg_type))
FROM scope n JOIN pg_type t ON t.typnamespace = n.oid
WHERE t.typtype = 'e' AND NOT $OWNED(pg_type, t.oid)`

const compositesSQL = `
SELECT 'composite type', n.nspname, '', t.typname, json_build_object(
    'attributes', (
        SELECT coalesce(json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attcollation <> at.typcollation THEN (
            SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
            WHERE co.oid = a.attcollation) ELSE '' END) ORDER BY a.attnum), '[]')
        FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
    'owner', pg_get_userbyid(t.typowner), 'grants', $GRANTS(t.typacl, T, t.typowner), 'comment', $COMMENT(t.oid, pg_type))
FROM scope n JOIN pg_type t ON t.typnamespace = n.oid JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
WHERE t.typtype = 'c' AND NOT $OWNED(pg_type, t.oid)`

const rangesSQL = `
SELECT 'range type', n.nspname, '', t.typname, json_build_object(
    'type', format_type(r.rngsubtype, NULL),
    'collation', CASE WHEN r.rngcollation <> 0 AND r.rngcollation <> s.typcollation THEN (
        SELECT json_build_array(cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = r.rngcollation)
        ELSE '[]' END,
    'definition', json_build_array(
        (SELECT ocn.nspname || '.' || oc.opcname FROM pg_opclass oc JOIN pg_namespace ocn ON ocn.oid = oc.opcnamespace WHERE oc.oid = r.rngsubopc),
        r.rngcanonical::regproc, r.rngsubdiff::regproc, format_type(r.rngmultitypid, NULL)),
    'owner', pg_get_userbyid(t.typowner), 'grants', $GRANTS(t.typacl, T, t.typowner), 'comment', $COMMENT(t.oid, pg_type))
FROM scope n JOIN pg_type t ON t.typnamespace = n.oid JOIN pg_range r ON r.rngtypid = t.oid JOIN pg_type s ON s.oid = r.rngsubtype
WHERE NOT $OWNED(pg_type, t.oid)`

const domainsSQL = `
SELECT 'domain', n.nspname, '', t.typname, json_build_object(
    'type', format_type(t.typbasetype, t.typtypmod),
    'not null', t.typnotnull,
    'default', coalesce(pg_get_expr(t.typdefaultbin, 0), ''),
    'collation', CASE WHEN t.typcollation <> b.typcollation THEN (
        SELECT json_build_array(cn.nspname, co.collname) FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = t.typcollation)
        ELSE '[]' END,
    'owner', pg_get_userbyid(t.typowner), 'grants', $GRANTS(t.typacl, T, t.typowner), 'comment', $COMMENT(t.oid, pg_type))
FROM scope n JOIN pg_type t ON t.typnamespace = n.oid JOIN pg_type b ON b.oid = t.typbasetype
WHERE t.typtype = 'd' AND NOT $OWNED(pg_type, t.oid)`

const domainConstraintsSQL = `
SELECT 'domain constraint', n.nspname, t.typname, co.conname, json_build_object(
    'definition', regexp_replace(pg_get_constraintdef(co.oid), '( NOT VALID)+$', ''), 'validated', co.convalidated, 'comment', $COMMENT(co.oid, pg_constraint))
FROM scope n JOIN pg_type t ON t.typnamespace = n.oid JOIN pg_constraint co ON co.contypid = t.oid
WHERE co.contype = 'c' AND NOT $OWNED(pg_type, t.oid)`

// usedFunctions selects the functions on which defaults, constraints, indexes,
// policies, triggers and rules of the schemas depend. Functions that only the
// query of a view calls are not among them.
const usedFunctions = `
, used AS MATERIALIZED (
    SELECT d.refobjid AS oid FROM pg_depend d JOIN pg_attrdef o ON o.oid = d.objid JOIN pg_class c ON c.oid = o.adrelid JOIN scope ON scope.oid = c.relnamespace
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_proc'::regclass
  UNION
    SELECT d.refobjid FROM pg_depend d JOIN pg_constraint o ON o.oid = d.objid JOIN scope ON scope.oid = o.connamespace
    WHERE d.classid = 'pg_constraint'::regclass AND d.refclassid = 'pg_proc'::regclass
  UNION
    SELECT d.refobjid FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN scope ON scope.oid = c.relnamespace
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_proc'::regclass
  UNION
    SELECT d.refobjid FROM pg_depend d JOIN pg_policy o ON o.oid = d.objid JOIN pg_class c ON c.oid = o.polrelid JOIN scope ON scope.oid = c.relnamespace
    WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass
  UNION
    SELECT o.tgfoid FROM pg_trigger o JOIN pg_class c ON c.oid = o.tgrelid JOIN scope ON scope.oid = c.relnamespace WHERE NOT o.tgisinternal
  UNION
    SELECT d.refobjid FROM pg_depend d JOIN pg_rewrite o ON o.oid = d.objid JOIN pg_class c ON c.oid = o.ev_class JOIN scope ON scope.oid = c.relnamespace
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_proc'::regclass AND o.rulename <> '_RETURN')`

// functionArguments is the SQL expression for the types of a function's arguments. The
// name of a function in an ID contains them, because functions may differ only in them.
const functionArguments = `(SELECT coalesce(string_agg(format_type(a.type, NULL), ', ' ORDER BY a.n), '') FROM unnest(p.proargtypes) WITH ORDINALITY a(type, n))`

// The constructor functions of a range type are left out, because PostgreSQL creates them
// with the type.
const functionsSQL = usedFunctions + `
SELECT 'function', n.nspname, '', p.proname || '(' || ` + functionArguments + ` || ')', json_build_object(
    'definition', pg_get_functiondef(p.oid), 'procedure', p.prokind = 'p', 'used', used.oid IS NOT NULL,
    'owner', pg_get_userbyid(p.proowner), 'grants', $GRANTS(p.proacl, f, p.proowner), 'comment', $COMMENT(p.oid, pg_proc))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
LEFT JOIN scope ON scope.oid = n.oid LEFT JOIN used ON used.oid = p.oid
WHERE p.prokind IN ('f', 'p', 'w') AND (scope.oid IS NOT NULL OR used.oid IS NOT NULL)
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT $OWNED(pg_proc, p.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.refclassid = 'pg_type'::regclass AND d.deptype = 'i')`

const aggregatesSQL = `
SELECT 'aggregate', n.nspname, '', p.proname || '(' || ` + functionArguments + ` || ')', json_build_object(
    'definition', json_build_object('transition', g.aggtransfn::regproc, 'state', format_type(g.aggtranstype, NULL), 'initial', g.agginitval,
        'final', g.aggfinalfn::regproc, 'combine', g.aggcombinefn::regproc, 'kind', g.aggkind, 'sort', g.aggsortop::regoper,
        'moving', g.aggmtransfn::regproc, 'parallel', p.proparallel, 'returns', pg_get_function_result(p.oid))::text,
    'owner', pg_get_userbyid(p.proowner), 'grants', $GRANTS(p.proacl, f, p.proowner), 'comment', $COMMENT(p.oid, pg_proc))
FROM scope n JOIN pg_proc p ON p.pronamespace = n.oid JOIN pg_aggregate g ON g.aggfnoid = p.oid
WHERE NOT $OWNED(pg_proc, p.oid)`

const publicationsSQL = `
SELECT 'publication', '', '', pub.pubname, json_build_object(
    'all tables', pub.puballtables,
    'owner', pg_get_userbyid(pub.pubowner), 'comment', $COMMENT(pub.oid, pg_publication))
FROM pg_publication pub
WHERE pub.puballtables OR EXISTS (SELECT FROM pg_publication_tables t JOIN scope ON scope.nspname::text = t.schemaname::text WHERE t.pubname = pub.pubname)`

const publicationTablesSQL = `
SELECT 'publication table', t.schemaname, t.tablename, t.pubname, json_build_object(
    'row filter', coalesce(to_jsonb(t)->>'rowfilter', ''),
    'columns', CASE WHEN to_jsonb(r)->>'prattrs' IS NULL THEN '[]' ELSE to_jsonb(t)->'attnames' END)
FROM pg_publication_tables t JOIN scope ON scope.nspname::text = t.schemaname::text
JOIN pg_publication pub ON pub.pubname = t.pubname AND NOT pub.puballtables
JOIN pg_class c ON c.relname = t.tablename AND c.relnamespace = scope.oid
LEFT JOIN pg_publication_rel r ON r.prpubid = pub.oid AND r.prrelid = c.oid`
