package pgtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// HoldCommits makes a node commit transactions without a response to COMMIT: until
// release is called, each COMMIT waits for a standby that does not exist. HoldCommits
// returns when this setting is in effect. It is only for clusters of Own, because it
// changes a setting of the whole server.
func (c *Cluster) HoldCommits(tb testing.TB, node int) (release func()) {
	tb.Helper()
	c.Exec(tb, node, `ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`)
	probe := c.Connect(tb, node)
	for !c.probeIsHeld(tb, node, probe) {
	}
	return func() { c.Exec(tb, node, `ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`) }
}

// CommitIsHeld reports whether a COMMIT on a node waits for the standby of HoldCommits.
func (c *Cluster) CommitIsHeld(tb testing.TB, node int) bool {
	tb.Helper()
	return len(c.QueryStrings(tb, node, `SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)) > 0
}

// probeIsHeld commits a transaction and reports whether the COMMIT had to wait. If so, it
// ends the wait, which does not undo the commit.
func (c *Cluster) probeIsHeld(tb testing.TB, node int, probe *pgx.Conn) bool {
	tb.Helper()
	answer := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
		defer cancel()
		_, err := probe.Exec(ctx, `CREATE TABLE IF NOT EXISTS probe (); DROP TABLE probe`)
		answer <- err
	}()
	for {
		held := c.CommitIsHeld(tb, node)
		if held {
			c.Exec(tb, node, fmt.Sprintf(`SELECT pg_cancel_backend(%d)`, probe.PgConn().PID()))
		}
		select {
		case err := <-answer:
			if err != nil {
				tb.Fatalf("pgtest: node %s: %v", c.Nodes[node].Name, err)
			}
			return held
		case <-time.After(10 * time.Millisecond):
		}
	}
}
