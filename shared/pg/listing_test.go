//go:build !unit

package pg

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// roleWithoutPrivileges creates a role that may only connect, and returns how to connect
// as it.
func roleWithoutPrivileges(t *testing.T, c *pgtest.Cluster, node int) cluster.Target {
	t.Helper()
	role := fmt.Sprintf("connect_%d_%s", node, c.Name[:min(len(c.Name), 40)])
	c.ExecShared(t, node, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'", "REVOKE ALL ON SCHEMA public FROM PUBLIC",
		"REVOKE TEMPORARY ON DATABASE "+c.DB+" FROM PUBLIC")
	t.Cleanup(func() { c.ExecShared(t, node, "DROP ROLE "+role) })
	at := target(c, node)
	at.User, at.Password = role, cluster.Secret("plain")
	return at
}

// hostileNames are valid names in PostgreSQL.
func hostileNames() []string {
	return []string{`a"b`, "new\nline", "\x1b[31mred", "Ünïcode\u202e", `'; DROP TABLE x; --`, strings.Repeat("x", 63), `back\slash`, "a.b", "%s"}
}

func TestListTables_HasTheKeysThatDescribeFinds(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		c.Exec(t, node, `CREATE DOMAIN code AS numeric`, `CREATE TYPE mood AS ENUM ('sad')`,
			`CREATE TABLE plain (id int PRIMARY KEY, v text)`, `INSERT INTO plain SELECT i FROM generate_series(1, 100) i`, `ANALYZE plain`,
			`CREATE TABLE keyless (id int)`, `CREATE TABLE several (a code NOT NULL, b mood, c text NOT NULL, UNIQUE (c, a), UNIQUE (b), UNIQUE (a) DEFERRABLE)`,
			`CREATE TABLE expressions (a text NOT NULL)`, `CREATE UNIQUE INDEX ON expressions (lower(a))`,
			`CREATE TABLE excluded (a int4range NOT NULL, EXCLUDE USING gist (a WITH &&))`,
			`CREATE TABLE parted (id int, k text[], PRIMARY KEY (k, id)) PARTITION BY RANGE (id)`,
			`CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (10)`,
			`CREATE TABLE sub PARTITION OF parted FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (id)`,
			`CREATE TABLE subpart PARTITION OF sub DEFAULT`, `INSERT INTO parted SELECT i, '{}' FROM generate_series(1, 50) i`, `ANALYZE part`, `ANALYZE subpart`,
			`CREATE TABLE invalid (id int NOT NULL) PARTITION BY RANGE (id)`, `CREATE UNIQUE INDEX ON ONLY invalid (id)`, `CREATE TABLE invalid1 PARTITION OF invalid DEFAULT`,
			`CREATE TABLE empty (id int PRIMARY KEY)`, `CREATE VIEW v AS SELECT 1`, `CREATE TEMPORARY TABLE passing (id int)`)
		if c.Nodes[node].Major >= 18 {
			c.Exec(t, node, `CREATE TABLE unproven (id int UNIQUE)`, `ALTER TABLE unproven ADD CONSTRAINT nn NOT NULL id NOT VALID`)
		}
		n := nodeOf(t, c, node)
		got, err := n.ListTables(t.Context(), table.Selection{Limit: 100})
		if err != nil {
			t.Fatal(err)
		}

		var names []string
		rows := map[string]int64{}
		for _, one := range got {
			names = append(names, one.Name)
			if one.RowEstimate != nil {
				rows[one.Name] = *one.RowEstimate
			}
			d, err := n.Describe(t.Context(), one.Schema, one.Name, rowdigest.Seeds{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(d.Indexes, one.Keys.Indexes); diff != "" {
				t.Errorf("indexes of %s (-described +listed):\n%s", one.Name, diff)
			}
			for _, listed := range one.Keys.Columns {
				described, _ := d.Column(listed.Name)
				if diff := cmp.Diff(described, listed, cmpopts.IgnoreFields(table.Column{}, "NotNull", "Below", "Collation", "CollName", "Labels")); diff != "" {
					t.Errorf("column %s of %s (-described +listed):\n%s", listed.Name, one.Name, diff)
				}
			}
		}
		want := []string{"empty", "excluded", "expressions", "invalid", "keyless", "parted", "plain", "several"}
		if c.Nodes[node].Major >= 18 {
			want = append(want, "unproven")
		}
		if !slices.Equal(names, want) {
			t.Errorf("PostgreSQL %d lists %v, want %v", c.Nodes[node].Major, names, want)
		}
		if rows["plain"] != 100 || rows["parted"] != 50 {
			t.Errorf("PostgreSQL %d: the estimates are %v", c.Nodes[node].Major, rows)
		}
	}
}

// A role that may only connect lists all tables, although another session has locked
// them, in pages of any length.
func TestListTables_NeedsNoPrivilegeAndNoLock(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		c.Exec(t, node, `CREATE SCHEMA "S 1"`)
		for _, name := range hostileNames() {
			c.Exec(t, node, `CREATE TABLE "S 1".`+table.Quote(name)+` (id int PRIMARY KEY)`)
		}
		c.Exec(t, node, `CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)`, `CREATE TABLE part PARTITION OF parted DEFAULT`)
		locking := c.Connect(t, node)
		if _, err := locking.Exec(t.Context(), `BEGIN; LOCK TABLE parted, part, "S 1"."a.b" IN ACCESS EXCLUSIVE MODE`); err != nil {
			t.Fatal(err)
		}

		want := slices.Sorted(slices.Values(hostileNames()))
		n := nodeAt(t, roleWithoutPrivileges(t, c, node))
		for _, limit := range []int{1, 4, 100} {
			var got []string
			selection := table.Selection{Schema: "S 1", Limit: limit}
			for {
				page, err := n.ListTables(t.Context(), selection)
				if err != nil {
					t.Fatal(err)
				}
				for _, one := range page {
					got = append(got, one.Name)
					if len(one.Keys.Indexes) != 1 || len(one.Keys.Indexes[0].Against) > 0 || len(one.Keys.Columns) != 1 {
						t.Errorf("%q has the keys %+v", one.Name, one.Keys)
					}
					selection.AfterSchema, selection.AfterName = one.Schema, one.Name
				}
				if len(page) < limit {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("in pages of %d: %q, want %q", limit, got, want)
			}
		}
		if all, err := n.ListTables(t.Context(), table.Selection{Limit: 1000}); err != nil || len(all) != len(want)+1 {
			t.Errorf("%d tables, %v", len(all), err)
		}
	}
}

func TestAbilities_HaveWhatTheRoleMayDo(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for node := range c.Nodes {
		super, err := nodeOf(t, c, node).Abilities(t.Context())
		if err != nil || !super.ReplicaRole || !super.NamesServer || len(super.RepairObstacles()) > 0 || super.Role != c.User {
			t.Errorf("a superuser: %+v, %v", super, err)
		}
		if super.ClockSkew.Abs() > super.ClockError+100*time.Millisecond || super.ServerVersion/10000 != c.Nodes[node].Major {
			t.Errorf("a superuser: %+v", super)
		}

		plain := roleWithoutPrivileges(t, c, node)
		c.Exec(t, node, "ALTER ROLE "+plain.User+" SET default_transaction_read_only = on")
		got, err := nodeAt(t, plain).Abilities(t.Context())
		want := []string{
			"default_transaction_read_only is on for role " + plain.User + ", so the node accepts no writes: reset it",
			`the role lacks a privilege; run there: GRANT SET ON PARAMETER session_replication_role TO "` + plain.User + `"`,
		}
		if diff := cmp.Diff(want, got.RepairObstacles()); err != nil || diff != "" {
			t.Errorf("a role without privileges: %v (-want +got):\n%s", err, diff)
		}

		c.ExecShared(t, node, "GRANT SET ON PARAMETER session_replication_role TO "+plain.User)
		t.Cleanup(func() { c.ExecShared(t, node, "REVOKE SET ON PARAMETER session_replication_role FROM "+plain.User) })
		c.Exec(t, node, "ALTER ROLE "+plain.User+" RESET default_transaction_read_only", "REVOKE EXECUTE ON FUNCTION pg_control_system FROM PUBLIC")
		got, err = nodeAt(t, plain).Abilities(t.Context())
		want = []string{`the role lacks a privilege; run there: GRANT EXECUTE ON FUNCTION pg_control_system() TO "` + plain.User + `"`}
		if diff := cmp.Diff(want, got.RepairObstacles()); err != nil || diff != "" {
			t.Errorf("without pg_control_system: %v (-want +got):\n%s", err, diff)
		}
	}
}

// The privilege functions of PostgreSQL see a GRANT that is committed during the
// statement. Then the role may read no column in one query, but lacks no privilege in the
// next. So denied returns a fault that lets the read be repeated, and not a DeniedError
// without a missing privilege.
func TestDenied_WithoutAMissingPrivilegeTheReadIsRepeated(t *testing.T) {
	t.Parallel()
	c := catalogReader{schema: "public", name: "t", d: &table.Description{Node: "n1", Role: "r"}}

	var denied *table.DeniedError
	if err := c.denied(true, false, false); errors.As(err, &denied) || fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("got %v, want a fault that lets the read be repeated", err)
	}
	c.d.Unreadable = []string{"id"}
	if err := c.denied(true, false, false); !errors.As(err, &denied) || denied.Missing.IsZero() {
		t.Errorf("got %v, want the missing privilege", err)
	}
}
