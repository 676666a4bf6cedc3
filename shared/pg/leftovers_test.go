//go:build !unit

package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/table"
)

// leftoversSQL lists the state of a session that a new session does not have, without the
// statements that ACE prepares. It runs outside any transaction.
const leftoversSQL = `
SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session'
UNION ALL SELECT 'ace.mark = ' || m FROM current_setting('ace.mark', true) m WHERE m <> ''
UNION ALL SELECT 'prepared: ' || name FROM pg_prepared_statements WHERE name !~ '^ace_[0-9a-f]{32}$'
UNION ALL SELECT 'cursor: ' || name FROM pg_cursors WHERE name <> ''
UNION ALL SELECT 'relation: ' || relname FROM pg_class WHERE relpersistence = 't' OR relname = 'ace_left'
UNION ALL SELECT 'channel: ' || c FROM pg_listening_channels() c
UNION ALL SELECT 'role: ' || current_user WHERE current_user <> 'postgres' OR session_user <> 'postgres'
UNION ALL SELECT 'advisory lock: ' || objid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
UNION ALL SELECT 'large object: ' || oid FROM pg_largeobject_metadata`

// leftovers reads the state of the only connection of the node's pool. It also returns
// the server process, and whether that session may serve a transaction without a filter.
func leftovers(t *testing.T, n *Node) (left []string, pid uint32, reusable bool) {
	t.Helper()
	conn, err := n.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	c := conn.Conn().PgConn()
	result := c.ExecParams(t.Context(), leftoversSQL, nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	for _, row := range result.Rows {
		left = append(left, string(row[0]))
	}
	return left, c.PID(), c.CustomData()[ranUserSQL] == nil
}

// filterWay is one way to run a transaction with a filter. run returns the error of the
// transaction.
type filterWay struct {
	name string
	run  func(ctx context.Context, n *Node, s table.Source) error
}

// filterWays returns the ways to run a filter and to end its transaction.
func filterWays() []filterWay {
	sums := func(ctx context.Context, s table.Source, tx *Tx, options ...table.CallOption) error {
		_, _, err := tx.Sums(ctx, s, []table.Range{{}}, options...)
		return err
	}
	within := func(ctx context.Context, n *Node, s table.Source, work func(*Tx) error) error {
		tx, err := n.Begin(ctx, s.Access())
		if err != nil {
			return err
		}
		defer tx.Close()
		return work(tx)
	}
	return []filterWay{
		{"checked", func(ctx context.Context, n *Node, s table.Source) error { // planning the statement already calls its immutable functions
			s.Filter = "evaluated($filter$" + s.Filter + "$filter$)"
			_, err := n.CheckFilter(ctx, s)
			return err
		}},
		{"one call", func(ctx context.Context, n *Node, s table.Source) error {
			return within(ctx, n, s, func(tx *Tx) error { return sums(ctx, s, tx, table.EndTransaction) })
		}},
		{"two calls", func(ctx context.Context, n *Node, s table.Source) error {
			return within(ctx, n, s, func(tx *Tx) error { return errors.Join(sums(ctx, s, tx), sums(ctx, s, tx)) })
		}},
		{"in a pass", func(ctx context.Context, n *Node, s table.Source) error {
			return within(ctx, n, s, func(tx *Tx) error {
				first := sums(ctx, s, tx, table.ReleaseLocks)
				return errors.Join(first, sums(ctx, s, tx, table.ReleaseLocks))
			})
		}},
		{"an error", func(ctx context.Context, n *Node, s table.Source) error {
			s.Filter = "(" + s.Filter + ") AND 1 / (id - 2) = 7"
			return within(ctx, n, s, func(tx *Tx) error { return sums(ctx, s, tx, table.EndTransaction) })
		}},
		{"a panic", func(ctx context.Context, n *Node, s table.Source) (err error) {
			defer func() { _ = recover() }()
			return within(ctx, n, s, func(tx *Tx) error {
				if err = sums(ctx, s, tx); err != nil {
					return err
				}
				panic("a defect")
			})
		}},
		{"a timeout", func(ctx context.Context, n *Node, s table.Source) error {
			s.Filter = "(" + s.Filter + ") AND pg_sleep(20)::text IS NOT NULL"
			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			return within(ctx, n, s, func(tx *Tx) error { return sums(ctx, s, tx, table.EndTransaction) })
		}},
	}
}

// Case O-F7, see docs/RELIABILITY.md.
func TestTx_FilterLeavesNothingInSessionOrDatabase(t *testing.T) {
	ways := filterWays()
	random := rand.New(rand.NewPCG(soak.Seed(t), 8))
	tried := soak.Rounds(t, 2, len(ways))
	for i, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major))
			c.Exec(t, 0, pgtest.EffectFunctions())
			n := onlyConnection(t, c)
			s := numbers(t, c, n, 4)
			_, before, _ := leftovers(t, n)
			for k, effect := range pgtest.Effects() {
				if tried < len(ways) && k%2 != i {
					continue
				}
				for _, w := range random.Perm(len(ways))[:tried] {
					s.Filter = effect.Filter
					err := ways[w].run(t.Context(), n, s)
					left, after, reusable := leftovers(t, n)
					if len(left) > 0 {
						t.Errorf("%s, %s: left are %q", effect.Name, ways[w].name, left)
					}
					if err == nil && after != before {
						t.Errorf("%s, %s: the session was closed, so the test shows nothing about a session of a pooler", effect.Name, ways[w].name)
					}
					if reusable && after == before {
						t.Errorf("%s, %s: the session is not marked", effect.Name, ways[w].name)
					}
					before = after
				}
			}
		})
	}
	soak.Report(t, "%d effects in %d ways", len(pgtest.Effects()), tried)
}

// onlyConnection returns the first node over a pool of one connection.
func onlyConnection(t *testing.T, c *pgtest.Cluster) *Node {
	t.Helper()
	pools := NewPools(Options{MaxConns: 1, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	n, err := pools.Node(target(c, 0))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Related to case O-F7: the state of an extension ends with its session.
func TestNode_SessionOfAFilterServesNoOtherTransaction(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := onlyConnection(t, c)
	plain := numbers(t, c, n, 4)
	session := func(s table.Source) (pid uint32) {
		tx, err := n.Begin(t.Context(), s.Access())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err != nil {
			t.Fatal(err)
		}
		return tx.conn.Conn().PgConn().PID()
	}
	filtered := plain
	filtered.Filter = "id > 0"
	first, second, third, fourth, fifth := session(plain), session(filtered), session(filtered), session(plain), session(plain)
	if first != second || second != third {
		t.Error("a transaction with a filter got a session of its own, which costs a connection each time")
	}
	if fourth == third || fourth != fifth {
		t.Error("a session that ran a filter served a transaction without one")
	}
}

// A comparison without a filter sends no additional statement.
func TestTx_ResetsTheSessionOnlyAfterForeignCode(t *testing.T) {
	for _, tt := range []struct {
		access table.Access
		want   []string
	}{
		{table.Access{}, []string{"ROLLBACK"}},
		{table.Access{Foreign: true}, []string{"ROLLBACK", "DISCARD ALL"}},
		{table.Source{Filter: "true"}.Access(), []string{"ROLLBACK", "DISCARD ALL"}},
	} {
		if got := (&Tx{access: tt.access}).ending(rollback); !slices.Equal(got, tt.want) {
			t.Errorf("%+v ends with %q, want %q", tt.access, got, tt.want)
		}
	}
}
