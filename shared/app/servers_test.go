//go:build !unit

package app_test

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// sameTable makes public.t with rows that differ in two places.
func sameTable(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 6)`)
}

// pointed returns a copy of the cluster in which one node has another address.
func pointed(c *pgtest.Cluster, node int, host string, port int) *pgtest.Cluster {
	other := *c
	other.Nodes = append([]pgtest.Node{}, c.Nodes...)
	other.Nodes[node].Host, other.Nodes[node].Port = host, port
	return &other
}

// Case O-F1, see docs/RELIABILITY.md.
func TestServers_EveryOperationRefusesTwoNamesOfOneDatabase(t *testing.T) {
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
				"repair":      repair(t, wrong, d.TaskID, "n1", nil).Error,
				"dry run":     repair(t, wrong, d.TaskID, "n1", dryRun).Error,
			} {
				want := fmt.Sprintf("nodes \"n1\" (%s) and \"n2\" (%s) are the same database of the same server", at(twice, 0), at(twice, 1))
				if !strings.Contains(message, want) {
					t.Errorf("%s says %q, want %q", operation, message, want)
				}
			}
		})
	}
	if got := s.Diff(t, "public.t"); got.Result.MismatchedRows != 2 {
		t.Errorf("%d rows differ, want 2: something was written", got.Result.MismatchedRows)
	}
}

// at is how messages name where a node is.
func at(c *pgtest.Cluster, node int) string {
	return net.JoinHostPort(c.Nodes[node].Host, strconv.Itoa(c.Nodes[node].Port)) + "/" + c.DB
}

// Case O-F5, O-P12, see docs/RELIABILITY.md. A primary and its standby are compared, a
// standby is not repaired and two names of a standby are refused.
func TestServers_AStandbyIsComparedAndNotRepaired(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	sameTable(t, c)
	c.AddCopy(t, 0, "n3", true)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 2 {
		t.Fatalf("%d rows differ, want 2", d.Result.MismatchedRows)
	}
	for _, change := range []func(*api.TableRepairRequest){nil, dryRun} {
		r := repair(t, s, d.TaskID, "n2", change)
		standby, primary := r.Nodes["n3"], r.Nodes["n1"]
		if r.Status != api.StatusFailed || !strings.Contains(standby.Error, "it is a standby") || standby.Outcome == "unknown" || standby.Updated != 0 {
			t.Errorf("the repair ended %s, the standby %+v", r.Status, standby)
		}
		if primary.Error != "" || primary.Updated != 2 {
			t.Errorf("the primary was left out: %+v", primary)
		}
		if change != nil {
			continue
		}
		// What was repaired on n1 reaches its standby. The test reverts the repair on n1 only.
		c.Exec(t, 0, `UPDATE t SET v = 'v' WHERE id IN (5, 6)`)
	}
	c.Exec(t, 1, `UPDATE t SET v = 'v' WHERE id IN (5, 6)`)
	c.Nodes[1] = c.Nodes[2]
	c.Nodes[1].Name, c.Nodes[1].Host = "n2", "localhost"
	twice := apptest.New(t, c, apptest.Options{})
	if message := twice.Fail(t, "public.t"); !strings.Contains(message, `"n2" (localhost`) || !strings.Contains(message, `"n3"`) {
		t.Errorf("two names of a standby: %q", message)
	}
}

// Neighbour of case O-F5: copies that share the system identifier are other servers.
func TestServers_APromotedStandbyAndACopyAreOtherServers(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i`)
	c.AddCopy(t, 0, "n2", true)
	c.AddCopy(t, 0, "n3", false)
	c.Exec(t, 1, `SELECT pg_promote()`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id = 7`)
	c.Exec(t, 2, `UPDATE t SET v = 'y' WHERE id = 8`)
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	if d.Result.MismatchedRows != 2 {
		t.Fatalf("%d rows differ, want 2", d.Result.MismatchedRows)
	}
	if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusCompleted || r.Nodes["n2"].Updated != 1 || r.Nodes["n3"].Updated != 1 {
		t.Errorf("%+v", r)
	}
}

// Neighbour of case O-F5: an administrator has made the node read-only.
func TestServers_AReadOnlyNodeIsNotRepaired(t *testing.T) {
	t.Parallel()
	for setting, value := range map[string]string{"default_transaction_read_only": "on", "spock.readonly": "all"} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Nodes(3))
			sameTable(t, c)
			s := apptest.New(t, c, apptest.Options{})
			d := s.Diff(t, "public.t")
			c.Exec(t, 1, `ALTER DATABASE `+c.DB+` SET `+setting+` = '`+value+`'`)
			s = apptest.New(t, c, apptest.Options{Store: s.Store}) // whose sessions begin after the change
			for _, change := range []func(*api.TableRepairRequest){dryRun, nil} {
				r := repair(t, s, d.TaskID, "n1", change)
				if r.Status != api.StatusFailed || !strings.Contains(r.Nodes["n2"].Error, setting) || r.Nodes["n2"].Outcome == "unknown" || r.Nodes["n2"].Updated != 0 {
					t.Errorf("ended %s: %+v", r.Status, r.Nodes["n2"])
				}
				if r.Nodes["n3"].Error != "" {
					t.Errorf("the other target: %+v", r.Nodes["n3"])
				}
			}
		})
	}
}

// Case O-F1 at a later time: after the document was written, an address leads to another
// server.
func TestServers_ADocumentIsValidOnlyForItsOwnDatabases(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 2000) i`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id IN (5, 6)`)
	elsewhere := c.Nodes[2].Port
	two := *c
	two.Nodes = c.Nodes[:2]
	s := apptest.New(t, &two, apptest.Options{})
	d := s.Diff(t, "public.t")
	done := repair(t, s, d.TaskID, "n1", nil)
	moved := apptest.New(t, pointed(&two, 1, "localhost", elsewhere), apptest.Options{Store: s.Store})
	for operation, message := range map[string]string{
		"rerun":   moved.FailRerun(t, d.TaskID, "public.t"),
		"repair":  repair(t, moved, d.TaskID, "n1", nil).Error,
		"dry run": repair(t, moved, d.TaskID, "n1", dryRun).Error,
		"undo":    undo(t, moved, done.TaskID, nil).Error,
	} {
		for _, want := range []string{`"n2" (localhost:`, "is not the database that", "expected system identifier", "found"} {
			if !strings.Contains(message, want) {
				t.Errorf("%s says %q, want %q", operation, message, want)
			}
		}
	}
	if u := undo(t, s, done.TaskID, nil); u.Status != api.StatusCompleted || u.Nodes["n2"].Updated != 2 {
		t.Errorf("the undo on the right server: %+v", u)
	}
}
