package pg

import (
	"context"
	"strconv"

	"ace/shared/table"
)

const doingAbilities = "reading what the role may do"

// abilitiesSQL returns the server's version and the role. It also returns whether the
// server is in recovery, whether it records commit timestamps, and whether the role may
// execute pg_control_system.
const abilitiesSQL = `
SELECT pg_catalog.current_setting('server_version_num'), current_user, pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('track_commit_timestamp') = 'on',
       pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')`

// Abilities reads what the role may do on the node. It reads no user table and changes
// nothing that outlives its transaction. No answer within 5 seconds is an error.
func (n *Node) Abilities(ctx context.Context) (table.Abilities, error) {
	return inTime(ctx, n, "did not answer", n.abilities)
}

func (n *Node) abilities(ctx context.Context) (found table.Abilities, err error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return found, err
	}
	defer tx.Close()

	err = tx.run(ctx, doingAbilities,
		query{sql: abilitiesSQL, row: func(v [][]byte) (err error) {
			found.Role, found.Standby, found.CommitTimestamps, found.NamesServer = string(v[1]), isTrue(v[2]), isTrue(v[3]), isTrue(v[4])
			found.ServerVersion, err = strconv.Atoi(string(v[0]))
			return err
		}},
		query{sql: readOnlySQL, row: func(v [][]byte) error {
			found.ReadOnly = string(v[0])
			return nil
		}})
	if err == nil {
		found.ClockSkew, found.ClockError, err = tx.measureClock(ctx)
	}
	if err == nil {
		found.ReplicaRole, err = tx.tryReplica(ctx)
	}
	return found, err
}
