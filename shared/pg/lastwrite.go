package pg

import (
	"fmt"
	"time"

	"ace/shared/rawtext"
	"ace/shared/table"
)

// tracksCommits is an expression for whether the node can return commit times. A standby
// has those of its primary, whose setting may differ from its own, and reading them then
// fails.
const tracksCommits = "pg_catalog.current_setting('track_commit_timestamp') OPERATOR(pg_catalog.=) 'on' AND NOT pg_catalog.pg_is_in_recovery()"

// writeColumns returns the select list for the last write of a row: the time of the
// commit and the name of the origin. alias is the name of the table. The time is NULL if
// it is not known, such as that of a row from before the setting was on. The origin is
// NULL for a transaction of the node itself.
func writeColumns(alias string) string {
	write := "(pg_catalog.pg_xact_commit_timestamp_origin(" + alias + ".xmin))"
	return fmt.Sprintf(`CASE WHEN %[1]s THEN %[2]s."timestamp" END,
 CASE WHEN %[1]s AND %[2]s.roident OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN coalesce(
  (SELECT ace_origin.roname FROM pg_catalog.pg_replication_origin ace_origin WHERE ace_origin.roident OPERATOR(pg_catalog.=) %[2]s.roident),
  %[2]s.roident::pg_catalog.text) END`, tracksCommits, write)
}

// readLastWrite reads the columns of writeColumns. It returns nil if the time is not
// known.
func readLastWrite(values [][]byte) (*table.LastWrite, error) {
	if values[0] == nil {
		return nil, nil //nolint:nilnil // nil means that the time is not known
	}
	at, err := time.Parse("2006-01-02 15:04:05.999999Z07", string(values[0])) // the session's time zone is UTC
	if err != nil {
		return nil, fmt.Errorf("commit time: %w", err)
	}
	return &table.LastWrite{At: at.Format("2006-01-02T15:04:05.000000Z"), Origin: rawtext.Text(values[1])}, nil
}
