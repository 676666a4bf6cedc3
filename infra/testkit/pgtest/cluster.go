package pgtest

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"ace/infra/testkit/pgserver"
)

// Cluster is one database on several servers.
type Cluster struct {
	Name     string // name of the cluster, unique in this process; a valid file name
	DB       string // name of the database, the same on all nodes
	User     string // name of a superuser
	Password string
	Nodes    []Node
}

// Node is one server of a cluster. DSN and WriteDefinition use Host and Port, which a
// test may set to those of a proxy. The methods that execute SQL (such as Exec and
// Connect) always connect to the server directly.
type Node struct {
	Name   string // n1, n2, ...
	Host   string
	Port   int
	Major  int
	Server *pgserver.Server
}

// NewCluster creates a new database on shared servers. It is dropped when the test ends.
func NewCluster(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	if shared == nil {
		tb.Fatal("pgtest: the package's TestMain must call pgtest.Main")
	}
	s := newSpec(opts)
	if len(s.serverSettings)+len(s.initdb) > 0 {
		tb.Fatal("pgtest: ServerSetting and Initdb need servers of the test's own: use Own")
	}
	used := map[int]int{} // number of servers of each major version so far
	c := assemble(tb, s, func(in pgserver.Installation) (*pgserver.Server, error) {
		used[in.Major]++
		return shared.server(in, used[in.Major]-1)
	})
	tb.Cleanup(func() { c.drop(tb) })
	return c
}

// Own creates a cluster on servers that only this test uses. They are removed when the
// test ends.
func Own(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	s := newSpec(opts)
	return assemble(tb, s, func(in pgserver.Installation) (*pgserver.Server, error) {
		server, err := startServer(in, s.serverSettings, s.initdb)
		if err == nil {
			tb.Cleanup(func() {
				if err := server.Close(); err != nil {
					tb.Errorf("pgtest: closing a server: %v", err)
				}
			})
		}
		return server, err
	})
}

// assemble creates a cluster: it calls server for the installation of each node, and then
// creates the database on all nodes.
func assemble(tb testing.TB, s *spec, server func(pgserver.Installation) (*pgserver.Server, error)) *Cluster {
	tb.Helper()
	name := uniqueName(tb.Name())
	c := &Cluster{Name: name, DB: name, User: pgserver.Superuser, Password: password}
	installations, err := s.installations()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	for i, in := range installations {
		srv, err := server(in)
		if err != nil {
			tb.Fatalf("pgtest: %v", err)
		}
		c.Nodes = append(c.Nodes, Node{
			Name: "n" + strconv.Itoa(i+1), Host: pgserver.Host, Port: srv.Port(), Major: in.Major, Server: srv,
		})
	}
	c.onEveryNode(tb, func(i int) error { return c.create(i, s) })
	return c
}

// create creates the node's database with its settings.
func (c *Cluster) create(node int, s *spec) error {
	sql := []string{"CREATE DATABASE " + c.DB + " TEMPLATE template0 " + c.strategy(node) + strings.Join(of(s.create, node), " ")}
	for _, set := range of(s.settings, node) {
		sql = append(sql, fmt.Sprintf("ALTER DATABASE %s SET %s = %s", c.DB, set.name, literal(set.value)))
	}
	return c.exec(node, maintenanceDB, sql)
}

// strategy returns the option with which CREATE DATABASE copies the files of the
// template. The default strategy, which writes each page to the WAL, takes more than
// twice as long. Before PostgreSQL 15 there is no such option, and files are always
// copied: strategy returns "".
func (c *Cluster) strategy(node int) string {
	if c.Nodes[node].Major < 15 {
		return ""
	}
	return "STRATEGY file_copy "
}

func (c *Cluster) drop(tb testing.TB) {
	tb.Helper()
	c.onEveryNode(tb, func(i int) error {
		return c.exec(i, maintenanceDB, []string{"DROP DATABASE " + c.DB + " WITH (FORCE)"})
	})
}

// onEveryNode calls do for all nodes at once.
func (c *Cluster) onEveryNode(tb testing.TB, do func(node int) error) {
	tb.Helper()
	var group errgroup.Group
	for i := range c.Nodes {
		group.Go(func() error { return do(i) })
	}
	if err := group.Wait(); err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
}

// DSN returns a connection string for the node's database.
func (c *Cluster) DSN(node int) string {
	n := c.Nodes[node]
	dsn := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(c.User, c.Password),
		Host:     net.JoinHostPort(n.Host, strconv.Itoa(n.Port)),
		Path:     c.DB,
		RawQuery: "sslmode=disable",
	}
	return dsn.String()
}

var serial atomic.Int64 //nolint:gochecknoglobals // it makes names unique in this process

// uniqueName returns a name that is unique in this process and contains the name of the
// test. As an SQL identifier it needs no quotes.
func uniqueName(test string) string {
	const longest = 50
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	return fmt.Sprintf("t%d_%s", serial.Add(1), clean[:min(len(clean), longest)])
}

func literal(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
