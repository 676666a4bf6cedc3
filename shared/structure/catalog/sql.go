package catalog

import "strings"

// Every statement has one parameter, the JSON array of the schemas to read; an empty
// array means all schemas of users. Every statement except probesSQL returns the columns
// that readObject expects: kind, schema, relation, name and a JSON object of properties.
// The caller must pin search_path to pg_catalog, so that the names in the statements are
// those of pg_catalog, and so that the server writes every other name with its schema.
//
// Objects that belong to an extension are left out: the version of the extension
// determines them.

// scope is the beginning of each statement. It defines the common table expression scope,
// which has the schemas to read.
const scope = `
WITH scope AS MATERIALIZED (
    SELECT n.oid, n.nspname FROM pg_namespace n
    WHERE n.nspname <> 'information_schema' AND NOT starts_with(n.nspname::text, 'pg_')
      AND (json_array_length($1::json) = 0 OR n.nspname::text IN (SELECT json_array_elements_text($1::json))))
`

// statements returns the statements that read all objects.
func statements() []string {
	list := []string{
		databaseSQL, schemasSQL, extensionsSQL, collationVersionsSQL, collationsSQL, eventTriggersSQL,
		enumsSQL, compositesSQL, rangesSQL, domainsSQL, domainConstraintsSQL,
		functionsSQL, aggregatesSQL, sequencesSQL,
		relationsSQL, columnsSQL, constraintsSQL, indexesSQL, statisticsSQL,
		triggersSQL, rulesSQL, policiesSQL,
		publicationsSQL, publicationTablesSQL,
	}
	for i, sql := range list {
		list[i] = scope + expand(sql)
	}
	return list
}

// expand replaces the abbreviations of the statements:
//
//	$OWNED(class, oid)         is true for an object that belongs to an extension
//	$GRANTS(acl, kind, owner)  is a JSON object: privileges by role, without the owner
//	$COMMENT(oid, class)       is the comment of an object, or ''
func expand(sql string) string {
	for name, body := range map[string]string{
		"$OWNED": `EXISTS (SELECT FROM pg_depend x WHERE x.classid = '%1'::regclass AND x.objid = %2 AND x.deptype = 'e')`,
		"$GRANTS": `(SELECT coalesce(json_object_agg(g.who, g.what ORDER BY g.who COLLATE "C"), '{}') FROM (
            SELECT CASE WHEN a.grantee = 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END AS who,
                   json_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END ORDER BY a.privilege_type COLLATE "C") AS what
            FROM aclexplode(coalesce(%1, acldefault('%2', %3))) a WHERE a.grantee <> %3 GROUP BY a.grantee) g)`,
		"$COMMENT": `coalesce(obj_description(%1, '%2'), '')`,
	} {
		sql = expandOne(sql, name, body)
	}
	return sql
}

func expandOne(sql, name, body string) string {
	for {
		before, after, found := strings.Cut(sql, name+"(")
		if !found {
			return sql
		}
		list, rest, _ := strings.Cut(after, ")")
		expanded := body
		for i, arg := range strings.Split(list, ",") {
			expanded = strings.ReplaceAll(expanded, "%"+string(rune('1'+i)), strings.TrimSpace(arg))
		}
		sql = before + expanded + rest
	}
}

const databaseSQL = `
SELECT 'database', '', '', '', json_build_object(
    'encoding', pg_encoding_to_char(d.encoding),
    'collation', d.datcollate || ' / ' || d.datctype,
    'provider', coalesce(to_jsonb(d)->>'datlocprovider', 'c'),
    'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', ''))
FROM pg_database d WHERE d.datname = current_database()`

const schemasSQL = `
SELECT 'schema', n.nspname, '', '', json_build_object(
    'owner', pg_get_userbyid(n.nspowner), 'grants', $GRANTS(n.nspacl, n, n.nspowner), 'comment', $COMMENT(n.oid, pg_namespace))
FROM scope JOIN pg_namespace n ON n.oid = scope.oid
WHERE NOT $OWNED(pg_namespace, n.oid)`

// An extension is used if a column of a table in the schemas has a type of the extension,
// or an array of such a type.
const extensionsSQL = `
SELECT 'extension', '', '', x.extname, json_build_object(
    'version', x.extversion, 'schema', n.nspname, 'comment', '',
    'used', EXISTS (
        SELECT FROM pg_depend d JOIN pg_type t ON t.oid = d.objid
        JOIN pg_attribute a ON a.atttypid IN (t.oid, t.typarray) AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND c.relnamespace IN (SELECT oid FROM scope)
        WHERE d.classid = 'pg_type'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
          AND NOT $OWNED(pg_class, c.oid)))
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace`

// The statement returns a row for each collation that a column uses. The collation
// "default" is that of the database. Its version is recorded since PostgreSQL 15.
const collationVersionsSQL = `
SELECT 'collation version', '', '', CASE WHEN n.nspname = 'pg_catalog' THEN co.collname::text ELSE n.nspname || '.' || co.collname END, json_build_object(
    'provider', CASE WHEN co.collprovider = 'd' THEN coalesce(to_jsonb(db)->>'datlocprovider', 'c') ELSE co.collprovider::text END,
    'recorded version', CASE WHEN co.collprovider = 'd' THEN to_jsonb(db)->>'datcollversion' ELSE co.collversion END,
    'actual version', CASE WHEN co.collprovider = 'd' THEN $DATABASE_VERSION ELSE pg_collation_actual_version(co.oid) END)
FROM pg_collation co JOIN pg_namespace n ON n.oid = co.collnamespace
JOIN pg_database db ON db.datname = current_database()
WHERE co.oid IN (
    SELECT a.attcollation FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN scope ON scope.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND a.attnum > 0 AND NOT a.attisdropped)`

// Some versions of ICU write "-true" after a keyword such as kn, and others do not. So
// "-true" is removed from the end of the locale.
const collationsSQL = `
SELECT 'collation', n.nspname, '', co.collname, json_build_object(
    'provider', co.collprovider::text,
    'locale', regexp_replace(coalesce(to_jsonb(co)->>'colllocale', to_jsonb(co)->>'colliculocale', co.collcollate), '-true$', ''),
    'options', coalesce(to_jsonb(co)->>'collicurules', ''),
    'deterministic', co.collisdeterministic,
    'owner', pg_get_userbyid(co.collowner), 'comment', $COMMENT(co.oid, pg_collation))
FROM scope n JOIN pg_collation co ON co.collnamespace = n.oid
WHERE NOT $OWNED(pg_collation, co.oid)`

const eventTriggersSQL = `
SELECT 'event trigger', '', '', e.evtname, json_build_object(
    'definition', e.evtevent || ' ' || coalesce((SELECT json_agg(tag ORDER BY tag COLLATE "C")::text FROM unnest(e.evttags) tag), '') || ' ' || p.pronamespace::regnamespace || '.' || p.proname,
    'enabled', e.evtenabled::text, 'owner', pg_get_userbyid(e.evtowner), 'comment', $COMMENT(e.oid, pg_event_trigger))
FROM pg_event_trigger e JOIN pg_proc p ON p.oid = e.evtfoid
WHERE NOT $OWNED(pg_event_trigger, e.oid) AND $1::text IS NOT NULL`
