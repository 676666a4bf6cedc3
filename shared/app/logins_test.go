//go:build !unit

package app_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/pgtest"
	"ace/shared/app"
	"ace/shared/cluster"
)

// definitionOf returns a definition of databases on nodes that listen on the given ports
// of 127.0.0.1.
func definitionOf(c *pgtest.Cluster, databases []string, ports ...int) cluster.Cluster {
	definition := cluster.Cluster{Name: c.Name}
	for _, name := range databases {
		definition.Databases = append(definition.Databases, cluster.Database{
			Name: name, User: c.User, Login: cluster.Login{Password: cluster.Secret(c.Password)}, Options: map[string]string{"sslmode": "disable"},
		})
	}
	for i, port := range ports {
		definition.Nodes = append(definition.Nodes, cluster.Node{Name: []string{"n1", "n2", "n3"}[i], Host: "127.0.0.1", Port: uint16(port)})
	}
	return definition
}

func TestCheckNodes_RefusesOneServerTwiceInEachDatabase(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	definition := definitionOf(c, []string{c.DB, "postgres"}, c.Nodes[0].Port, c.Nodes[0].Port, c.Nodes[1].Port)
	checks, err := app.CheckNodes(t.Context(), definition, definition)
	if err != nil || len(checks) != 12 {
		t.Fatalf("%d checks, %v", len(checks), err)
	}
	for i, check := range checks {
		refused := check.Err != nil && strings.Contains(check.Err.Error(), "the same database of the same server")
		if node := []string{"n1", "n2", "n3"}[i%3]; check.Cluster != c.Name || check.Login.Node != node || refused != (node == "n2") || check.Err != nil && !refused {
			t.Errorf("check %d: %+v", i, check)
		}
	}
}

// The test is not parallel, because it checks the goroutines of the process.
func TestCheckNodes_LeavesNoGoroutineWhenCancelled(t *testing.T) {
	c := pgtest.NewCluster(t)
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	at, _ := silent.Addr().(*net.TCPAddr)
	before := goleak.IgnoreCurrent()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	accepted := make(chan error, 1)
	go func() {
		conn, err := silent.Accept()
		cancel()
		if err == nil {
			_, _ = conn.Read(make([]byte, 1<<10)) // the login
			_, err = conn.Read(make([]byte, 1))   // the end
			_ = conn.Close()
		}
		accepted <- err
	}()
	checks, err := app.CheckNodes(ctx, definitionOf(c, []string{c.DB}, c.Nodes[0].Port, at.Port))
	if err == nil || checks != nil {
		t.Errorf("got %+v, %v", checks, err)
	}
	if err := <-accepted; err == nil {
		t.Error("the connection to the silent node is still open")
	}
	goleak.VerifyNone(t, before, pgtest.ServerGoroutines())
}
