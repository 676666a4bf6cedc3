//go:build !unit

package structure_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/shared/structure"
)

// dumped has the types of entries that pg_dump writes for objects, with the kind of
// finding that covers each. An empty kind means that the object is not compared. Then
// docs/STRUCTURE.md must contain the words that leftOut has for it.
func dumped() map[string]string {
	return map[string]string{
		"ACL": "grants", "AGGREGATE": "aggregate", "CHECK CONSTRAINT": "check", "COLLATION": "collation", "COMMENT": "comment", "CONSTRAINT": "primary key",
		"DATABASE": "database", "DEFAULT": "column", "DOMAIN": "domain", "EVENT TRIGGER": "event trigger", "EXTENSION": "extension", "FK CONSTRAINT": "foreign key",
		"FOREIGN TABLE": "foreign table", "FUNCTION": "function", "INDEX": "index", "INDEX ATTACH": "index", "MATERIALIZED VIEW": "materialized view",
		"MATERIALIZED VIEW DATA": "materialized view", "POLICY": "policy", "PROCEDURE": "function", "PUBLICATION": "publication", "PUBLICATION TABLE": "publication table",
		"PUBLICATION TABLES IN SCHEMA": "publication table", "ROW SECURITY": "table", "RULE": "rule", "SCHEMA": "schema", "SEQUENCE": "sequence",
		"SEQUENCE OWNED BY": "sequence", "SEQUENCE SET": "sequence", "STATISTICS": "statistics", "TABLE": "table", "TABLE ATTACH": "table", "TRIGGER": "trigger",
		"TYPE": "enum", "VIEW": "view",

		"ACCESS METHOD": "", "BLOB": "", "CAST": "", "CONVERSION": "", "DATABASE PROPERTIES": "", "DEFAULT ACL": "", "FOREIGN DATA WRAPPER": "", "OPERATOR": "",
		"OPERATOR CLASS": "", "OPERATOR FAMILY": "", "PROCEDURAL LANGUAGE": "", "SECURITY LABEL": "", "SERVER": "", "SHELL TYPE": "", "SUBSCRIPTION": "",
		"TEXT SEARCH CONFIGURATION": "", "TEXT SEARCH DICTIONARY": "", "TEXT SEARCH PARSER": "", "TEXT SEARCH TEMPLATE": "", "TRANSFORM": "", "USER MAPPING": "",
	}
}

func leftOut() map[string]string {
	return map[string]string{
		"ACCESS METHOD": "access methods", "BLOB": "large objects", "CAST": "casts", "CONVERSION": "conversions", "DATABASE PROPERTIES": "settings of databases",
		"DEFAULT ACL": "default privileges", "FOREIGN DATA WRAPPER": "foreign data wrappers", "OPERATOR": "operators", "OPERATOR CLASS": "operator classes",
		"OPERATOR FAMILY": "families", "PROCEDURAL LANGUAGE": "procedural languages", "SECURITY LABEL": "security labels", "SERVER": "foreign servers",
		"SHELL TYPE": "shell types", "SUBSCRIPTION": "subscriptions", "TEXT SEARCH CONFIGURATION": "text search configurations", "TEXT SEARCH DICTIONARY": "dictionaries",
		"TEXT SEARCH PARSER": "parsers", "TEXT SEARCH TEMPLATE": "templates", "TRANSFORM": "transforms", "USER MAPPING": "user mappings",
	}
}

// notObjects are entries of pg_dump for rows and for settings of the session.
func notObjects() []string {
	return []string{"TABLE DATA", "ENCODING", "STDSTRINGS", "SEARCHPATH", "BLOBS", "BLOB COMMENTS", "SUBSCRIPTION TABLE", "STATISTICS DATA"}
}

// others are objects that every-kind.sql does not have, because they are not compared.
const others = `
	CREATE ACCESS METHOD heap_three TYPE TABLE HANDLER heap_tableam_handler; CREATE CAST (app.state AS integer) WITH INOUT; CREATE CONVERSION app.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
	ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC; CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER srv FOREIGN DATA WRAPPER fdw; CREATE USER MAPPING FOR CURRENT_USER SERVER srv;
	CREATE FOREIGN TABLE app.foreign_t (k int) SERVER srv; CREATE OPERATOR app.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq); CREATE OPERATOR FAMILY app.fam USING btree;
	CREATE OPERATOR CLASS app.cls FOR TYPE int USING btree FAMILY app.fam AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
	CREATE TEXT SEARCH CONFIGURATION app.cfg (PARSER = pg_catalog."default"); CREATE TEXT SEARCH DICTIONARY app.dict (TEMPLATE = simple);
	CREATE TEXT SEARCH PARSER app.par (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype); CREATE TEXT SEARCH TEMPLATE app.tpl (LEXIZE = dsimple_lexize);
	CREATE TRANSFORM FOR app.state LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal)); CREATE LANGUAGE lang HANDLER plpgsql_call_handler; SELECT lo_create(0);
	CREATE SUBSCRIPTION sub CONNECTION 'host=none.invalid' PUBLICATION p WITH (connect = false); CREATE PUBLICATION schemas FOR TABLES IN SCHEMA app;
	CREATE FUNCTION app.on_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER on_drop ON sql_drop EXECUTE FUNCTION app.on_drop(); GRANT SELECT ON app.customers TO PUBLIC`

// entryType is the type of an entry in the output of pg_dump.
var entryType = regexp.MustCompile(`(?m)^-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: `)

// pg_dump has a type of entry for every kind of object. Each is a kind of finding, or
// docs/STRUCTURE.md names it as left out.
func TestKinds_NoneThatPgDumpWritesIsForgotten(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.ExecAll(t, everyKind(t), others)
	c.Exec(t, 0, "ALTER DATABASE "+c.DB+" SET work_mem = '1MB'")
	t.Cleanup(func() {
		c.Exec(t, 0, "ALTER SUBSCRIPTION sub DISABLE", "ALTER SUBSCRIPTION sub SET (slot_name = NONE)", "DROP SUBSCRIPTION sub")
	})
	out, err := exec.CommandContext(t.Context(), pgDump(t), "--create", "--dbname", c.DSN(0)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	docs, err := os.ReadFile("../../docs/STRUCTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	document := strings.Join(strings.Fields(strings.ToLower(string(docs))), " ")

	found := map[string]bool{}
	for _, match := range entryType.FindAllStringSubmatch(string(out), -1) {
		found[match[1]] = true
	}
	known := dumped()
	for entry := range found {
		if _, is := known[entry]; !is && !slices.Contains(notObjects(), entry) {
			t.Errorf("pg_dump writes entries of the type %s", entry)
		}
	}
	for entry, kind := range known {
		// A security label needs a provider, and a shell type is only part of a base type in C.
		if !found[entry] && entry != "SECURITY LABEL" && entry != "SHELL TYPE" {
			t.Errorf("pg_dump wrote no entry of the type %s: the schema of this test does not have every kind", entry)
		}
		if kind != "" && !slices.Contains(structure.Kinds(), kind) {
			t.Errorf("%s: there is no kind %q", entry, kind)
		}
		if kind == "" && !strings.Contains(document, leftOut()[entry]) {
			t.Errorf("docs/STRUCTURE.md does not name %q as left out", leftOut()[entry])
		}
	}
	for _, kind := range structure.Kinds() {
		if !strings.Contains(document, "`"+kind+"`") {
			t.Errorf("docs/STRUCTURE.md does not name the kind %q", kind)
		}
	}
}

// pgDump returns the path of the oldest pg_dump. Some installations have only the server.
func pgDump(t *testing.T) string {
	t.Helper()
	for _, in := range pgserver.Installations() {
		path := filepath.Join(in.BinDir, "pg_dump")
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("pg_dump is not installed: run `make deps`")
	return ""
}
