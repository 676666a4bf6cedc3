//go:build !unit

package pg

import (
	"strconv"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// target returns how to connect to a node of a cluster.
func target(c *pgtest.Cluster, node int) cluster.Target {
	n := c.Nodes[node]
	return cluster.Target{
		Node: n.Name, Host: n.Host, Port: uint16(n.Port), Database: c.DB, User: c.User, Login: cluster.Login{Password: cluster.Secret(c.Password)},
		Options: map[string]string{"sslmode": "disable"},
	}
}

// nodeAt opens a target with pools that are closed when the test ends.
func nodeAt(t testing.TB, at cluster.Target) *Node {
	t.Helper()
	pools := NewPools(Options{MaxConns: 4, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	n, err := pools.Node(at)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func nodeOf(t testing.TB, c *pgtest.Cluster, node int) *Node {
	t.Helper()
	return nodeAt(t, target(c, node))
}

// begin opens a transaction that is closed when the test ends.
func begin(t testing.TB, n *Node, s table.Source) *Tx {
	t.Helper()
	tx, err := n.Begin(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tx.Close)
	return tx
}

// describeTable describes a table from the catalog, and fails the test on an error.
func describeTable(t testing.TB, n *Node, name string) *table.Description {
	t.Helper()
	d, err := n.Describe(t.Context(), "public", name, rowdigest.Seeds{Inner: 1, Outer: 2})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// sourceOf returns the fragments for a table with built-in types, as the planner does.
func sourceOf(d *table.Description, name string) table.Source {
	s := table.Source{
		Node: d.Node, Relation: d.Relation("public", name), Alias: table.Quote(name), SearchPath: "pg_catalog, public",
		Less: "OPERATOR(pg_catalog.<)", AtLeast: "OPERATOR(pg_catalog.>=)", Partitions: d.Partitions,
	}
	var keyExprs []string
	key := d.Indexes[0].Columns
	s.ScalarOrder = len(key) == 1
	for _, k := range key {
		column, _ := d.Column(k.Name)
		s.ScalarOrder = s.ScalarOrder && column.Type.Kind == 'b' && column.Type.Elem == nil
		for column.Type.Base != nil {
			column.Type = *column.Type.Base
		}
		ref := s.Alias + "." + table.Quote(k.Name)
		s.Key = append(s.Key, ref)
		s.KeyType = append(s.KeyType, column.Type.SQL)
		keyExprs = append(keyExprs, rowdigest.Expr(ref, rowdigest.Column{Type: column.Type, Deterministic: true}, rowdigest.Options{SameEncoding: true}))
		s.KeyEqual = append(s.KeyEqual, "OPERATOR(pg_catalog."+k.Equal+")")
		s.Collate = append(s.Collate, column.CollName)
	}
	s.Order, s.OrderType = s.Key, s.KeyType
	var exprs []string
	for _, column := range d.Columns {
		ref := s.Alias + "." + table.Quote(column.Name)
		s.Columns = append(s.Columns, ref)
		exprs = append(exprs, rowdigest.Expr(ref, rowdigest.Column{Type: column.Type, Deterministic: true}, rowdigest.Options{SameEncoding: true}))
	}
	s.Digest = rowdigest.Row(exprs, rowdigest.Seeds{Inner: 1, Outer: 2})
	s.KeyDigest = rowdigest.Key(rowdigest.RowVersion, keyExprs, rowdigest.Seeds{Inner: 1, Outer: 2})
	return s
}

// numbers creates a table t with the keys 1 to count, and returns its source.
func numbers(t testing.TB, c *pgtest.Cluster, n *Node, count int) table.Source {
	t.Helper()
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text)`,
		`INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, `+strconv.Itoa(count)+`) i`, `ANALYZE t`)
	return sourceOf(describeTable(t, n, "t"), "t")
}

func key(values ...string) table.Key { return values }

func between(lo, hi table.Key) table.Range { return table.Range{Lo: lo, Hi: hi} }
