package pg

import (
	"fmt"

	"ace/shared/rawtext"
	"ace/shared/table"
)

// tracksCommits is an expression for whether the node can return commit times. It is
// false on a standby. A standby has the commit times of its primary, but reading them
// fails if track_commit_timestamp differs between the two servers.
const tracksCommits = "pg_catalog.current_setting('track_commit_timestamp') OPERATOR(pg_catalog.=) 'on' AND NOT pg_catalog.pg_is_in_recovery()"

// mayReadCommits is an expression for whether the role may read commit times and the
// names of origins. Every role may, unless an administrator has revoked the privilege.
// The expression is NULL on a server that is too old to have the function.
const mayReadCommits = "pg_catalog.has_function_privilege(pg_catalog.to_regprocedure('pg_catalog.pg_xact_commit_timestamp_origin(pg_catalog.xid)')::pg_catalog.oid, 'EXECUTE')" +
	" AND pg_catalog.has_table_privilege('pg_catalog.pg_replication_origin', 'SELECT')"

// writeColumns returns the select list for the last write of a row: the time of the
// commit and the name of the origin. The time is NULL if it is not known, for example
// because the row was written while track_commit_timestamp was off. The origin is NULL
// for a transaction of the node itself. tracksCommits is in a subquery, so that the
// server evaluates it once per statement.
func writeColumns(s table.Source) string {
	write := "(pg_catalog.pg_xact_commit_timestamp_origin(" + s.Alias + ".xmin))"
	return fmt.Sprintf(`CASE WHEN (SELECT %[1]s) THEN %[2]s."timestamp" END,
 CASE WHEN (SELECT %[1]s) AND %[2]s.roident OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN coalesce(
  (SELECT %[3]s.roname FROM pg_catalog.pg_replication_origin %[3]s WHERE %[3]s.roident OPERATOR(pg_catalog.=) %[2]s.roident),
  %[2]s.roident::pg_catalog.text) END`, tracksCommits, write, uniqueName(s, "origin"))
}

// readLastWrite reads the columns of writeColumns. It returns nil if the time is not
// known. A time outside the years 1 to 9999 counts as not known. The process that replays
// a transaction may set any time, such as infinity, and a comparison must not fail
// because of such a time.
func readLastWrite(values [][]byte) *table.LastWrite {
	at, valid := formatTime(string(values[0]))
	if !valid {
		return nil
	}
	return &table.LastWrite{At: at, Origin: rawtext.Text(values[1])}
}

// formatTime converts a time as the server writes it in the time zone UTC, such as
// 2026-11-29 02:00:01.1234+00, to the form 2026-11-29T02:00:01.123400Z. It returns false
// if the text has another form. It is called for each row, and package time would take
// several times as long.
func formatTime(text string) (string, bool) {
	const seconds, fraction, zone = len("2026-11-29 02:00:01"), ".000000", "+00"
	digits := len(text) - seconds - len(zone) // of the fraction, with its point
	if digits < 0 || digits > len(fraction) || text[len("2026-11-29")] != ' ' || text[seconds+digits:] != zone {
		return "", false
	}
	date, clock := text[:len("2026-11-29")], text[len("2026-11-29 "):seconds+digits]
	return date + "T" + clock + fraction[digits:] + "Z", true
}
