//go:build !unit

package pg

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
)

func TestLogin_ReportsVersionRoleAndServer(t *testing.T) {
	t.Parallel()
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major, major))
		role := "login_" + c.Name[:min(len(c.Name), 40)]
		c.Exec(t, 0, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'")
		t.Cleanup(func() { c.Exec(t, 0, "DROP ROLE "+role) })
		plain := target(c, 0)
		plain.User, plain.Password = role, cluster.Secret("plain")
		hidden := target(c, 0)
		hidden.Options["role"] = role

		for _, tt := range []struct {
			at        cluster.Target
			role      string
			superuser bool
		}{{target(c, 0), c.User, true}, {target(c, 1), c.User, true}, {plain, role, false}, {hidden, c.User, true}} {
			login, err := nodeAt(t, tt.at).Login(t.Context())
			if err != nil || login.Node != tt.at.Node || login.Address != address(tt.at) || login.Role != tt.role || login.Superuser != tt.superuser {
				t.Errorf("role %s: got %+v, %v", tt.role, login, err)
			}
			if !strings.HasPrefix(login.Version, strconv.Itoa(c.Nodes[0].Major)) || login.Server.Started == "" || login.Server.Database == "" {
				t.Errorf("role %s: got %+v", tt.role, login)
			}
		}
	}
}

func TestLogin_HasATimeLimit(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	addr, _ := silent.Addr().(*net.TCPAddr)
	n := nodeAt(t, cluster.Target{Node: "n1", Host: "127.0.0.1", Port: uint16(addr.Port), Database: "d", User: "u", Options: map[string]string{"sslmode": "disable"}})

	want := `node "n1" (` + addr.String() + `/d) is unreachable: no answer within 5s`
	if _, err := n.Login(t.Context()); fault.CodeOf(err) != fault.Unavailable || fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("it is time"))
	defer cancel()
	if _, err := n.Login(ctx); err == nil || !strings.HasSuffix(err.Error(), "it is time") {
		t.Errorf("got %v, want the cause of the context's end", err)
	}
}

// pg_control has the new timeline only after the first checkpoint. The test does not wait
// for it.
func TestIdentity_HasTheTimelineOfAPromotedServer(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY)`)
	c.AddCopy(t, 0, "n2", true)
	for node := range c.Nodes {
		if got := describeTable(t, nodeOf(t, c, node), "t").Server.Timeline; got != "1" {
			t.Errorf("node %d has the timeline %q, want 1", node, got)
		}
	}

	c.Exec(t, 1, `SELECT pg_promote()`)
	if got := describeTable(t, nodeOf(t, c, 1), "t").Server.Timeline; got != "2" {
		t.Errorf("the promoted server has the timeline %q, want 2", got)
	}
}
