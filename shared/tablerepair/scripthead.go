package tablerepair

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"ace/shared/table"
)

// head returns the beginning of the script: what it does, and the settings of its
// transaction.
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
		"Run it with psql -X -f, as a role that may repair the table, in that database of that node.",
		"It makes all changes in one transaction. If a row is no longer as it was in the dry run, it",
		"stops and changes nothing.",
	} {
		b.WriteString(strings.TrimRight("-- "+printable(line), " ") + "\n")
	}

	b.WriteString("\\set ON_ERROR_STOP on\n\\set AUTOCOMMIT on\n\\set QUIET on\nBEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n")
	b.WriteString("SELECT pg_catalog.set_config('client_encoding', CASE WHEN pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true) \\g /dev/null\n")
	for _, setting := range table.TextSettings() {
		fmt.Fprintf(&b, "SET LOCAL %s = %s;\n", setting.Name, literal(setting.Value))
	}
	b.WriteString("SET LOCAL row_security = off;\nSET LOCAL lock_timeout = '10s';\nSET LOCAL enable_seqscan = off;\n")
	fmt.Fprintf(&b, "SET LOCAL session_replication_role = '%s';\n", s.role())
	fmt.Fprintf(&b, "SELECT pg_catalog.set_config('search_path', %s, true) \\g /dev/null\n", literal(s.target.Write.SearchPath))
	b.WriteString(keepLocal)
	return b.String()
}

// role returns the session_replication_role of the transaction: whether triggers and
// foreign keys fire.
func (s *script) role() string {
	if s.plan.FireTriggers {
		return "origin"
	}
	return "replica"
}

func (s *script) counts() string {
	return fmt.Sprintf("%d rows inserted, %d updated, %d deleted", s.totals.Inserted, s.totals.Updated, s.totals.Deleted)
}

// keepLocal is the part of the script that marks the changes with a replication origin,
// as Tx.KeepLocal does. A session cannot have an origin that another session has, and
// only some roles may set one. Then the script fails, and its user decides.
const keepLocal = `
-- Subscriptions with origin = none do not replicate the changes of this transaction, because they
-- have a replication origin. Delete this statement if all subscribers should get the changes.
DO $ace$
BEGIN
IF EXISTS (SELECT FROM pg_catalog.pg_depend d
           JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
           WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
             AND d.objid OPERATOR(pg_catalog.=) pg_catalog.to_regprocedure('spock.repair_mode(boolean)')::pg_catalog.oid
             AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
             AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'spock') THEN
  EXECUTE 'SELECT spock.repair_mode(true)';
ELSIF pg_catalog.current_setting('wal_level') OPERATOR(pg_catalog.=) 'logical' THEN
  IF pg_catalog.pg_replication_origin_oid('ace_repair_1') IS NULL THEN
    PERFORM pg_catalog.pg_replication_origin_create('ace_repair_1');
  END IF;
  PERFORM pg_catalog.pg_replication_origin_session_setup('ace_repair_1');
END IF;
END
$ace$;

`

// serverChecks returns the statements that check that the script runs on the server, the
// database and the table for which the changes were decided.
func (s *script) serverChecks() string {
	var b strings.Builder
	server, files := s.target.Server, s.target.Write.Files
	fail := literal(fmt.Sprintf("this is not the table %s on node %s for which the changes were decided; nothing was changed", table.Name(s.plan.Schema, s.plan.Table), s.target.Node))
	check := func(condition string) {
		fmt.Fprintf(&b, "IF %s THEN RAISE EXCEPTION USING MESSAGE = %s; END IF;\n", condition, fail)
	}
	if server.Database != "" {
		check(fmt.Sprintf("(SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) OPERATOR(pg_catalog.<>) %s::pg_catalog.oid", literal(server.Database)))
	}
	if files.OID != "" {
		check(fmt.Sprintf("coalesce(pg_catalog.to_regclass(%s)::pg_catalog.oid, 0) OPERATOR(pg_catalog.<>) %s::pg_catalog.oid", literal(s.target.Write.Into), literal(files.OID)))
	}
	if server.System != "" {
		b.WriteString("IF pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') THEN\n")
		check(fmt.Sprintf("(SELECT system_identifier FROM pg_catalog.pg_control_system()) OPERATOR(pg_catalog.<>) %s::pg_catalog.int8", literal(server.System)))
		b.WriteString("END IF;")
	}
	return strings.TrimRight(b.String(), "\n")
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
