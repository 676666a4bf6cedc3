package pgtest

import (
	"context"
	"testing"

	"ace/infra/testkit/pgserver"
)

// AddCopy adds a node that is a copy of another node, with all of its databases. of is
// the index in c.Nodes of the node to copy. If standby is set, the copy is a hot standby
// of the node, otherwise an independent server. The cluster must be one of Own, because
// AddCopy also copies the databases of other tests on the server.
func (c *Cluster) AddCopy(tb testing.TB, of int, name string, standby bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	server, err := pgserver.StartCopy(ctx, c.Nodes[of].Server, standby)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Errorf("pgtest: closing a server: %v", err)
		}
	})
	c.Nodes = append(c.Nodes, Node{Name: name, Host: pgserver.Host, Port: server.Port(), Major: c.Nodes[of].Major, Server: server})
}
