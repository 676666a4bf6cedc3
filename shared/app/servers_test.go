package app_test

import (
	"fmt"
	"strings"
	"testing"

	"ace/shared/app/apptest"
	"ace/shared/pg/pgtest"
)

// sameTable makes public.t with rows that differ in two places.
func sameTable(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 6)`)
}

// pointed returns the cluster with another address of one node.
func pointed(c *pgtest.Cluster, node int, host string, port int) *pgtest.Cluster {
	other := *c
	other.Nodes = append([]pgtest.Node{}, c.Nodes...)
	other.Nodes[node].Host, other.Nodes[node].Port = host, port
	return &other
}

// Case O-F1, see docs/RELIABILITY.md.
func TestServers_TwoNamesOfOneDatabaseAreRefusedInEveryOperation(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	sameTable(t, c)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	proxy := pgtest.NewProxy(t, c.Nodes[0])
	for name, twice := range map[string]*pgtest.Cluster{
		"the same address":  pointed(c, 1, c.Nodes[0].Host, c.Nodes[0].Port),
		"another name":      pointed(c, 1, "localhost", c.Nodes[0].Port),
		"a Unix socket":     pointed(c, 1, c.Nodes[0].Server.SocketDir(), c.Nodes[0].Port),
		"a load balancer":   pointed(c, 1, "127.0.0.1", proxy.Port()),
		"only one is right": pointed(c, 0, "127.0.0.1", c.Nodes[1].Port),
	} {
		t.Run(name, func(t *testing.T) {
			wrong := apptest.New(t, twice, apptest.Options{Store: s.Store})
			for operation, message := range map[string]string{
				"diff":        wrong.Fail(t, "public.t"),
				"incremental": wrong.Fail(t, "public.t", "baseline", "last"),
				"rerun":       wrong.FailRerun(t, d.TaskID, "public.t"),
				"repair":      wrong.Wait(t, wrong.SubmitRepair(t, d.TaskID, "public.t", "n1")).Error,
				"dry run":     wrong.Wait(t, wrong.SubmitRepair(t, d.TaskID, "public.t", "n1", "dry_run", "true")).Error,
			} {
				for _, want := range []string{
					"same database of the same server", fmt.Sprint(`"n1" (`, twice.Nodes[0].Host), fmt.Sprint(`"n2" (`, twice.Nodes[1].Host), fmt.Sprint(twice.Nodes[1].Port),
				} {
					if !strings.Contains(message, strings.ReplaceAll(want, "(/", "([/")) && !strings.Contains(message, want) {
						t.Errorf("%s says %q, want %q", operation, message, want)
					}
				}
			}
		})
	}
	if got := s.Diff(t, "public.t"); got.Result.MismatchedRows != 2 {
		t.Errorf("%d rows differ, want 2: something was written", got.Result.MismatchedRows)
	}
}

// Neighbour of case O-F1: another database of the same server is another node.
func TestServers_TwoDatabasesOfOneServerAreCompared(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	other := pgtest.NewCluster(t, pgtest.Nodes(1))
	for _, db := range []*pgtest.Cluster{c, other} {
		db.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i`)
	}
	if c.QueryStrings(t, 0, `SELECT oid FROM pg_database WHERE datname = current_database()`)[0][0] ==
		other.QueryStrings(t, 0, `SELECT oid FROM pg_database WHERE datname = current_database()`)[0][0] {
		t.Fatal("they are one database")
	}
}
