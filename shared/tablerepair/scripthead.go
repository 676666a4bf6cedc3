package tablerepair

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"ace/shared/table"
)

// head returns the beginning of the script: what it does, the settings of its
// transaction, and the checks of the server and the table.
func (s *script) head() string {
	var b strings.Builder
	about := "the repair"
	if s.plan.Undoes != "" {
		about = "the undo of " + s.plan.Undoes
	}
	for _, line := range []string{
		fmt.Sprintf("%s that the dry run %s has decided (%s)", about, s.plan.TaskID, s.plan.PlannedAt.UTC().Format(time.RFC3339)),
		fmt.Sprintf("cluster %s, node %s, database %s", s.plan.ClusterName, s.target.Node, s.plan.DBName),
		fmt.Sprintf("table %s: %s", table.Name(s.plan.Schema, s.plan.Table), s.counts()),
		"",
		"Run it with psql -X -f, as a role that may repair the table, in that database of that node. Do",
		"not paste it. It makes all changes in one transaction. If a row is no longer as it was in the",
		"dry run, it stops and changes nothing. End the session then.",
	} {
		b.WriteString(strings.TrimRight("-- "+printable(line), " ") + "\n")
	}

	b.WriteString("\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off\n\\set AUTOCOMMIT on\n\\set QUIET on\nBEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n")
	for _, setting := range table.TextSettings() { // standard_conforming_strings precedes the first other literal
		fmt.Fprintf(&b, "SET LOCAL %s = %s;\n", setting.Name, literal(setting.Value))
	}
	b.WriteString(block(s.settings()))
	fmt.Fprintf(&b, setOrigin, table.RepairOrigins, table.RepairOrigin)
	// Reading the table locks it in ACCESS SHARE mode, so that it cannot be altered.
	b.WriteString(block("PERFORM 1 FROM " + s.target.Write.Relation + " LIMIT 0;\n"))
	b.WriteString(block(s.serverChecks() + s.searchPath(s.target.Write.SearchPath) + "\n"))
	return b.String()
}

// settings returns statements that set what a repair sets in its transaction.
func (s *script) settings() string {
	lines := []string{
		"PERFORM pg_catalog.set_config('client_encoding', CASE WHEN pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true);",
		set("search_path", "pg_catalog, pg_temp"),
	}
	for _, setting := range []table.Setting{
		{Name: "row_security", Value: "off"}, {Name: "lock_timeout", Value: "10s"}, {Name: "statement_timeout", Value: "0"}, {Name: "gin_fuzzy_search_limit", Value: "0"},
		{Name: "constraint_exclusion", Value: "off"}, {Name: "exit_on_error", Value: "off"}, {Name: "jit", Value: "off"},
		{Name: "enable_seqscan", Value: "off"}, {Name: "enable_indexscan", Value: "on"},
	} {
		lines = append(lines, set(setting.Name, setting.Value))
	}
	// Not every role may change these settings, so they are changed only if necessary.
	for _, change := range []struct{ name, wrong, right string }{
		{"synchronous_commit", "= 'off'", "local"}, {"zero_damaged_pages", "= 'on'", "off"}, {"ignore_checksum_failure", "= 'on'", "off"}, s.triggers(),
	} {
		lines = append(lines, fmt.Sprintf("IF pg_catalog.current_setting(%s) %s THEN %s END IF;", literal(change.name), change.wrong, set(change.name, change.right)))
	}
	lines = append(lines, "IF pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL THEN "+set("transaction_timeout", "0")+" END IF;") // PostgreSQL 17
	return strings.Join(lines, "\n") + "\n"
}

// triggers returns the name of the setting that determines whether triggers and foreign
// keys fire, a condition on its value that is true if the value is wrong (such as "=
// 'replica'"), and the right value.
func (s *script) triggers() struct{ name, wrong, right string } {
	if s.plan.FireTriggers {
		return struct{ name, wrong, right string }{"session_replication_role", "= 'replica'", "origin"}
	}
	return struct{ name, wrong, right string }{"session_replication_role", "<> 'replica'", "replica"}
}

func (s *script) counts() string {
	return fmt.Sprintf("%d rows inserted, %d updated, %d deleted", s.totals.Inserted, s.totals.Updated, s.totals.Deleted)
}

const (
	// setOrigin is the format of the part of the script that marks the changes with a
	// replication origin, as Tx.KeepLocal does. Its arguments are table.RepairOrigins and
	// table.RepairOrigin. Only some roles may set a replication origin. With another role
	// the script fails, and its user decides whether to delete this statement.
	setOrigin = `
-- Subscriptions with origin = none do not replicate the changes of this transaction, because they
-- have a replication origin. Delete this statement if all subscribers should get the changes.
DO $ace$
BEGIN
IF ` + table.HasSpock + ` THEN
  EXECUTE 'SELECT spock.repair_mode(true)';
ELSIF pg_catalog.current_setting('wal_level') OPERATOR(pg_catalog.=) 'logical' THEN
  FOR n IN 1..%[1]d LOOP
    BEGIN
      IF pg_catalog.pg_replication_origin_oid('%[2]s' || n) IS NULL THEN
        PERFORM pg_catalog.pg_replication_origin_create('%[2]s' || n);
      END IF;
      PERFORM pg_catalog.pg_replication_origin_session_setup('%[2]s' || n);
      PERFORM pg_catalog.set_config('ace.origin', 'set', false);
      EXIT;
    EXCEPTION WHEN object_in_use OR unique_violation THEN -- another session uses or creates it
      IF n OPERATOR(pg_catalog.=) %[1]d THEN RAISE; END IF;
    END;
  END LOOP;
END IF;
END
$ace$;

`
	// commit is the end of the script. It also resets the session's replication origin, so
	// that later transactions of the session are not marked. psql sends both statements in
	// one message, so that a pooler runs them in one session.
	commit = `COMMIT\; DO $ace$
BEGIN
IF pg_catalog.current_setting('ace.origin', true) OPERATOR(pg_catalog.=) 'set' THEN
  PERFORM pg_catalog.set_config('ace.origin', '', false);
  IF NOT pg_catalog.has_function_privilege('pg_catalog.pg_replication_origin_session_is_setup()', 'EXECUTE')
     OR NOT pg_catalog.has_function_privilege('pg_catalog.pg_replication_origin_session_reset()', 'EXECUTE') THEN
    RAISE WARNING 'end this session: its further changes would have the replication origin of the repair';
  ELSIF pg_catalog.pg_replication_origin_session_is_setup() THEN
    PERFORM pg_catalog.pg_replication_origin_session_reset();
  END IF;
END IF;
END
$ace$;
`
)

// serverChecks returns statements that check that the script runs on the server, the
// database and the table for which the changes were decided, and that no repair of the
// table is running. They need the search_path pg_catalog.
func (s *script) serverChecks() string {
	var b strings.Builder
	server, files, into := s.target.Server, s.target.Write.Files, s.literal(s.target.Write.Into)
	check := func(condition, failed string) {
		fmt.Fprintf(&b, "IF %s THEN RAISE EXCEPTION USING MESSAGE = %s; END IF;\n", condition, s.literal("node "+s.target.Node+": "+failed+"; nothing was changed"))
	}

	other := "this is not the table " + table.Name(s.plan.Schema, s.plan.Table) + " for which the changes were decided"
	if server.Database != "" {
		check("(SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) OPERATOR(pg_catalog.<>) "+literal(server.Database)+"::pg_catalog.oid", other)
	}
	if files.OID != "" {
		check("coalesce(pg_catalog.to_regclass("+into+")::pg_catalog.oid, 0) OPERATOR(pg_catalog.<>) "+literal(files.OID)+"::pg_catalog.oid", other)
	}
	if server.System != "" {
		b.WriteString("IF pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN\n")
		check("(SELECT system_identifier FROM pg_catalog.pg_control_system()) OPERATOR(pg_catalog.<>) "+literal(server.System)+"::pg_catalog.int8", other)
		b.WriteString("END IF;\n")
	}
	check("NOT "+table.TryRepairLock(into), "a repair of the table is running")
	check(s.columnsDiffer(), "the table was altered after the dry run")
	check("EXISTS (SELECT FROM pg_catalog.pg_rewrite WHERE ev_class OPERATOR(pg_catalog.=) "+into+"::pg_catalog.regclass::pg_catalog.oid AND ev_type <> '1' AND ev_enabled <> 'D')",
		"the table has a rule")
	if !s.plan.FireTriggers {
		check("EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE condeferrable AND contype IN ('p', 'u', 'x') AND (conrelid OPERATOR(pg_catalog.=) "+into+"::pg_catalog.regclass::pg_catalog.oid"+
			" OR conrelid OPERATOR(pg_catalog.=) ANY (SELECT relid::pg_catalog.oid FROM pg_catalog.pg_partition_tree("+into+"::pg_catalog.regclass))))",
			"the table has a deferrable constraint, which only a repair can check")
	}
	return b.String()
}

// columnsDiffer returns the condition that the table's columns are not as they were in
// the dry run. It compares their names, declared types and whether they are generated.
func (s *script) columnsDiffer() string {
	var columns []string
	for _, c := range s.target.Columns {
		columns = append(columns, fmt.Sprintf("(%s, %s, %t)", s.literal(c.Name), s.literal(c.Type), !c.Written))
	}
	const now = "FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) %[1]s::pg_catalog.regclass::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
	return fmt.Sprintf("(SELECT pg_catalog.count(*) "+now+") OPERATOR(pg_catalog.<>) %[2]d OR (SELECT pg_catalog.count(*) "+now+
		" AND EXISTS (SELECT FROM (VALUES %[3]s) c(name, type, generated) WHERE a.attname::pg_catalog.text OPERATOR(pg_catalog.=) c.name"+
		" AND pg_catalog.format_type(a.atttypid, a.atttypmod) OPERATOR(pg_catalog.=) c.type AND (a.attgenerated OPERATOR(pg_catalog.<>) ''::pg_catalog.\"char\") OPERATOR(pg_catalog.=) c.generated)) OPERATOR(pg_catalog.<>) %[2]d",
		s.literal(s.target.Write.Into), len(columns), strings.Join(columns, ", "))
}

// printable returns text as it can be in a comment: in one line, without characters that
// control the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
