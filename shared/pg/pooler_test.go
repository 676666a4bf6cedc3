//go:build !unit

package pg

import (
	"math/rand/v2"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/fault"
	"ace/shared/table"
)

// through returns the first node at the address of a pooler, with a pool of one
// connection.
func through(t *testing.T, c *pgtest.Cluster, p *pgtest.Pooler) *Node {
	t.Helper()
	at := target(c, 0)
	at.Host, at.Port = "127.0.0.1", uint16(p.Port())
	pools := NewPools(Options{MaxConns: 1, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	n, err := pools.Node(at)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Related to case O-F7: a transaction pooler may switch the session to another client as
// soon as the transaction ends.
func TestPooler_FilterLeavesNothingForTheNextTransaction(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, pgtest.EffectFunctions())
	n := through(t, c, pgtest.NewPooler(t, c, func() int { return 0 }))
	s := numbers(t, c, nodeOf(t, c, 0), 4)
	session := func() (pid string) { // the process of the pooler's only session, which the pooler does not reset
		tx := begin(t, n, table.Source{})
		defer tx.Close()
		err := tx.run(t.Context(), "testing", query{sql: "SELECT pg_catalog.pg_backend_pid()", row: func(v [][]byte) error {
			pid = string(v[0])
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	random := rand.New(rand.NewPCG(soak.Seed(t), 9))
	ways := filterWays()[:5] // those without a cancel request
	for _, effect := range pgtest.Effects() {
		s.Filter = effect.Filter
		w := ways[random.IntN(len(ways))]
		before := session()
		err := w.run(t.Context(), n, s)
		left, _, _ := leftovers(t, n)
		if len(left) > 0 {
			t.Errorf("%s, %s: left are %q", effect.Name, w.name, left)
		}
		if after := session(); err == nil && after != before {
			t.Errorf("%s, %s: the session was closed", effect.Name, w.name)
		}
	}
}

// Related to case O-F1: a transaction pooler routes to two servers with different tables.
func TestPooler_TransactionOnAnotherServerReturnsNoResult(t *testing.T) {
	c := pgtest.NewCluster(t)
	s := numbers(t, c, nodeOf(t, c, 0), 40)
	c.Exec(t, 1, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'other' FROM generate_series(1, 50) i`)
	full := describeTable(t, nodeOf(t, c, 0), "t").Server
	for name, expected := range map[string]table.Identity{
		"all is known":               full,
		"pg_control may not be read": {Database: full.Database, Started: full.Started, Address: full.Address, Recovery: full.Recovery},
	} {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(soak.Seed(t), 10))
			n := through(t, c, pgtest.NewPooler(t, c, func() int { return random.IntN(2) })).Expecting(expected)
			right, refused := 0, 0
			for range soak.Rounds(t, 100, 5000) {
				rows, err := countIn(t, n, s)
				switch {
				case err == nil && rows == 40:
					right++
				case err == nil:
					t.Fatalf("%d rows were read, want 40", rows)
				case fault.CodeOf(err) == fault.Conflict || fault.CodeOf(err) == fault.Unavailable:
					refused++
				default:
					t.Fatal(err)
				}
			}
			if right == 0 || refused == 0 {
				t.Errorf("%d transactions were right and %d refused, want some of each", right, refused)
			}
			soak.Report(t, "%d transactions right, %d refused on another server", right, refused)
		})
	}
}

// countIn returns the number of rows, in a transaction of one call.
func countIn(t *testing.T, n *Node, s table.Source) (int64, error) {
	t.Helper()
	tx, err := n.Begin(t.Context(), s.Access())
	if err != nil {
		return 0, err
	}
	defer tx.Close()
	sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}, table.EndTransaction)
	if err != nil {
		return 0, err
	}
	return sums[0].Rows, nil
}
