package pgtest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"ace/infra/testkit/pgserver"
)

// rolePassword is the password of every role that Roles creates.
const rolePassword = "a role's secret"

// sharedCatalogs serialises statements that write to catalogs that all databases of a
// server share, such as the privileges on parameters. If two such statements run at the
// same time, one of them may fail.
var sharedCatalogs sync.Mutex //nolint:gochecknoglobals // see above

// ExecShared is like Exec, for statements that write to catalogs that all databases of a
// server share. node may be AllNodes.
func (c *Cluster) ExecShared(tb testing.TB, node int, sql ...string) {
	tb.Helper()
	sharedCatalogs.Lock()
	defer sharedCatalogs.Unlock()
	if node == AllNodes {
		c.ExecAll(tb, sql...)
		return
	}
	c.Exec(tb, node, sql...)
}

// Roles runs infra/roles.sql on every node. The roles get privileges on the tables that
// the schema public has at this time. It returns two copies of the cluster: check, whose
// User is the role that can only compare, and repair, whose User is the role that can
// also repair. The roles are dropped when the test ends.
func (c *Cluster) Roles(tb testing.TB) (check, repair *Cluster) {
	tb.Helper()
	name := c.Name[:min(len(c.Name), 40)]
	as := func(role string) *Cluster {
		other := *c
		other.User, other.Password = role+name, rolePassword
		return &other
	}
	check, repair = as("check_"), as("repair_")

	sharedCatalogs.Lock()
	defer sharedCatalogs.Unlock()
	c.onEveryNode(tb, func(node int) error { return c.createRoles(node, check.User, repair.User) })
	tb.Cleanup(func() {
		for _, role := range []string{check.User, repair.User} {
			c.ExecShared(tb, AllNodes, "DROP OWNED BY "+role, "DROP ROLE "+role)
		}
	})
	return check, repair
}

// createRoles runs infra/roles.sql on one node.
func (c *Cluster) createRoles(node int, check, repair string) error {
	psql, err := pgserver.FindPsql(pgserver.Installations())
	if err != nil {
		return err
	}
	superuser := *c
	superuser.Nodes = append([]Node(nil), c.Nodes...)
	superuser.Nodes[node].Host, superuser.Nodes[node].Port = pgserver.Host, c.Nodes[node].Server.Port()

	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	args := []string{"-X", "-q", "-d", superuser.DSN(node), "-v", "check_role=" + check, "-v", "repair_role=" + repair}
	args = append(args, "-f", filepath.Join(pgserver.Root(), "infra", "roles.sql"))
	if output, err := exec.CommandContext(ctx, psql, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("psql -f infra/roles.sql: %w: %s", err, output)
	}

	var passwords []string
	for _, role := range []string{check, repair} {
		passwords = append(passwords, "ALTER ROLE "+role+" PASSWORD "+literal(rolePassword))
	}
	return c.exec(node, c.DB, passwords)
}
