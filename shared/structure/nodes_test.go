//go:build !unit

package structure_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/finding"
	"ace/shared/pg"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

// nodeAs connects to a node of a cluster as a role.
func nodeAs(t testing.TB, c *pgtest.Cluster, node int, user, password string) *pg.Node {
	t.Helper()
	pools := pg.NewPools(pg.Options{MaxConns: 1, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	return nodeOf(t, pools, c, node, user, password)
}

func nodeOf(t testing.TB, pools *pg.Pools, c *pgtest.Cluster, node int, user, password string) *pg.Node {
	t.Helper()
	n := c.Nodes[node]
	found, err := pools.Node(cluster.Target{
		Node: n.Name, Host: n.Host, Port: uint16(n.Port), Database: c.DB, User: user, Login: cluster.Login{Password: cluster.Secret(password)},
		Options: map[string]string{"sslmode": "disable"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// read reads the catalogs of all nodes as superuser.
func read(t testing.TB, c *pgtest.Cluster, schemas ...string) map[string]catalog.Catalog {
	t.Helper()
	pools := pg.NewPools(pg.Options{MaxConns: 1, StatementTimeout: time.Minute})
	defer pools.Close()
	catalogs := map[string]catalog.Catalog{}
	for i, n := range c.Nodes {
		found, err := nodeOf(t, pools, c, i, c.User, c.Password).ReadStructure(t.Context(), schemas)
		if err != nil {
			t.Fatal(err)
		}
		catalogs[n.Name] = found
	}
	return catalogs
}

// compare returns the findings about a cluster.
func compare(t testing.TB, c *pgtest.Cluster, ignore ...string) []finding.Finding {
	t.Helper()
	return structure.Compare(read(t, c), structure.Options{Ignore: ignore})
}

// everyKind returns the SQL that creates an object of every kind.
func everyKind(t testing.TB) string {
	t.Helper()
	sql, err := os.ReadFile("testdata/every-kind.sql")
	if err != nil {
		t.Fatal(err)
	}
	return string(sql)
}

// texts returns the findings in short: rank, kind, object and what differs.
func texts(findings []finding.Finding) []string {
	lines := []string{}
	for _, f := range findings {
		what, _, _ := strings.Cut(f.Detail, ":")
		lines = append(lines, fmt.Sprintf("%s: %s %s: %s", f.Rank, f.Kind, f.Object, what))
	}
	return lines
}

// pairsOfVersions are the servers that the tests compare.
func pairsOfVersions() map[string][]int {
	return map[string][]int{
		"oldest": {pgtest.Oldest, pgtest.Oldest}, "newest": {pgtest.Newest, pgtest.Newest}, "oldest with newest": {pgtest.Oldest, pgtest.Newest},
	}
}
