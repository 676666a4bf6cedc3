//go:build !unit

package structure_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/pgtest"
	"ace/shared/finding"
)

// The nodes have the same schema, with more than a hundred objects of every kind, and
// there is no finding. Then each object is changed in one way on one node. There is a
// finding with the right rank for each change, and no other. After the fixes, only the
// findings remain that no statement can mend.
func TestCompare_FindsEveryDriftAndItsFixesMendIt(t *testing.T) {
	for name, majors := range pairsOfVersions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(majors...))
			role := createRole(t, c)
			c.ExecAll(t, everyKind(t), `CREATE SCHEMA d; CREATE TABLE d.whole_target (id bigint PRIMARY KEY); CREATE TABLE d.base (k int); CREATE TABLE d.t6_log (k int);
				CREATE FUNCTION d.nothing() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$`)

			var setup, changes []string
			var want, stays []string
			all := drifts()
			for _, name := range slices.Sorted(maps.Keys(all)) {
				d := all[name]
				if d.from > c.Nodes[1].Major {
					continue
				}
				setup = append(setup, strings.ReplaceAll(d.setup, "ROLE_1", role))
				changes = append(changes, strings.ReplaceAll(d.sql, "ROLE_1", role))
				want = append(want, d.want...)
				if d.stays {
					stays = append(stays, d.want...)
				}
			}
			c.ExecAll(t, setup...)
			always := ofVersions(c)
			if diff := cmp.Diff(always, texts(compare(t, c))); diff != "" {
				t.Fatalf("before the changes (-want +got):\n%s", diff)
			}

			c.Exec(t, 1, changes...)
			found := compare(t, c)
			if diff := cmp.Diff(sorted(append(want, always...)), sorted(texts(found))); diff != "" {
				t.Errorf("after the changes (-want +got):\n%s", diff)
			}
			for _, problem := range runFixes(t, c, found) {
				t.Error(problem)
			}
			if diff := cmp.Diff(sorted(append(stays, always...)), sorted(texts(compare(t, c)))); diff != "" {
				t.Errorf("after the fixes (-want +got):\n%s", diff)
			}
		})
	}
}

// ofVersions returns the findings that are there only because the servers have different
// versions.
func ofVersions(c *pgtest.Cluster) []string {
	if c.Nodes[0].Major == c.Nodes[1].Major {
		return []string{}
	}
	return []string{`drifts: collation version "de-x-icu": actual version differs`, "differs: extension btree_gist: version differs"}
}

func sorted(lines []string) []string {
	slices.Sort(lines)
	return lines
}

// createRole creates a role on the servers of a cluster, which is dropped when the test
// ends.
func createRole(t *testing.T, c *pgtest.Cluster) string {
	t.Helper()
	role := "r_" + c.Name[:min(len(c.Name), 40)]
	for node := range c.Nodes {
		c.ExecShared(t, node, "DROP ROLE IF EXISTS "+role, "CREATE ROLE "+role)
	}
	t.Cleanup(func() {
		for node := range c.Nodes {
			c.Exec(t, node, "REASSIGN OWNED BY "+role+" TO CURRENT_USER", "DROP OWNED BY "+role)
			c.ExecShared(t, node, "DROP ROLE IF EXISTS "+role)
		}
	})
	return role
}

// runFixes executes the statements of findings. A statement may need an object that a
// later one creates, so what failed is repeated as long as other statements succeed. It
// returns the errors that remain.
func runFixes(t *testing.T, c *pgtest.Cluster, findings []finding.Finding) []string {
	t.Helper()
	type fix struct {
		node int
		sql  string
	}
	var open []fix
	for _, f := range findings {
		for i, n := range c.Nodes {
			if f.Fix[n.Name] != "" {
				open = append(open, fix{i, f.Fix[n.Name]})
			}
		}
	}

	var sessions []*pgx.Conn
	for node := range c.Nodes {
		session := c.Connect(t, node)
		defer session.Close(t.Context())
		sessions = append(sessions, session)
	}
	for {
		var failed []fix
		var problems []string
		for _, one := range open {
			if _, err := sessions[one.node].PgConn().Exec(t.Context(), one.sql).ReadAll(); err != nil {
				failed = append(failed, one)
				problems = append(problems, fmt.Sprintf("on node %d: %v\n%s", one.node+1, err, one.sql))
				if _, err := sessions[one.node].Exec(t.Context(), "ROLLBACK"); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(failed) == 0 || len(failed) == len(open) {
			return problems
		}
		open = failed
	}
}
