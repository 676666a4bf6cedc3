//go:build !unit

package pg

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/replication"
)

// A node of each version reports what it publishes and receives, also to a role that may
// only connect, and never a connection string.
func TestReplicationState_OfEveryVersionAndOfAnyRole(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"))
	c.ExecAll(t, `CREATE SCHEMA "S x"`, `CREATE TABLE "S x".t (id int PRIMARY KEY, v text, w text)`, `CREATE TABLE u (id int PRIMARY KEY)`,
		`CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id)`, `CREATE TABLE part PARTITION OF parted DEFAULT`,
		`CREATE PUBLICATION p FOR TABLE "S x".t (id, v) WHERE (id > 0), parted`, `CREATE TABLE subparted PARTITION OF parted FOR VALUES FROM (1) TO (9) PARTITION BY RANGE (id)`, `CREATE TABLE subpart PARTITION OF subparted DEFAULT`,
		`CREATE PUBLICATION r FOR ALL TABLES WITH (publish_via_partition_root)`, `CREATE PUBLICATION v FOR TABLE parted, subparted, subpart WITH (publish_via_partition_root)`,
		`CREATE PUBLICATION w FOR ALL TABLES`, `CREATE UNLOGGED TABLE unlogged (id int)`, `CREATE PUBLICATION q FOR TABLES IN SCHEMA "S x" WITH (publish = 'insert')`,
		`SELECT pg_create_physical_replication_slot('standby', true)`, `SET allow_system_table_mods = on; INSERT INTO pg_catalog.pg_replication_origin VALUES (99, 'pg_1_2')`, `SELECT pg_replication_origin_create('mine')`)
	for node := range c.Nodes {
		c.Exec(t, node, fmt.Sprintf(`CREATE SUBSCRIPTION s%d CONNECTION 'host=nowhere password=secret' PUBLICATION p, q WITH (connect = false, disable_on_error)`, node))
		t.Cleanup(func() {
			c.Exec(t, node, fmt.Sprintf(`ALTER SUBSCRIPTION s%d SET (slot_name = NONE)`, node), fmt.Sprintf(`DROP SUBSCRIPTION s%d`, node))
		})
	}

	for node := range c.Nodes {
		got := replicationState(t, nodeOf(t, c, node))
		plain := replicationState(t, nodeAt(t, roleWithoutPrivileges(t, c, node)))

		s := got.Subscriptions[0]
		if s.Name != fmt.Sprint("s", node) || s.Enabled || s.Running || s.Slot != s.Name || s.Origin != "any" || !s.DisableOnError || *s.ApplyErrors != 0 ||
			cmp.Diff([]string{"p", "q"}, s.Publications) != "" || c.Nodes[node].Major >= 18 && len(s.Conflicts) < 6 {
			t.Errorf("subscription %+v", s)
		}
		var names, viewed []string
		for _, row := range c.QueryStrings(t, node, `SELECT pubname || ' ' || quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_publication_tables ORDER BY pubname COLLATE "C", (quote_ident(schemaname) || '.' || quote_ident(tablename)) COLLATE "C"`) {
			viewed = append(viewed, row[0])
		}
		for _, p := range got.Publications {
			for _, published := range p.Tables {
				names = append(names, p.Name+" "+published.Table)
			}
		}
		if diff := cmp.Diff(viewed, names); diff != "" {
			t.Errorf("published tables (-view +got):\n%s", diff)
		}
		names = nil
		for _, p := range got.Publications[:2] {
			names = append(names, fmt.Sprint(p.Name, p.Schemas, p.Operations, p.Tables))
		}
		want := []string{
			`p[]insert, update, delete, truncate[{"S x".t [id v] (id > 0)} {public.part [] } {public.subpart [] }]`, `q["S x"]insert[{"S x".t [] }]`,
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("publications (-want +got):\n%s", diff)
		}
		if slot := got.Slots[0]; len(got.Slots) != 1 || slot.Type != "physical" || slot.Active || slot.RetainedBytes == nil {
			t.Errorf("slots %+v", got.Slots)
		}
		var leftovers []string
		for _, o := range got.Origins {
			leftovers = append(leftovers, fmt.Sprint(strings.TrimLeft(o.Name, "pg_0123456789"), o.Leftover))
		}
		if diff := cmp.Diff([]string{"minefalse", "false", "true"}, leftovers); diff != "" {
			t.Errorf("origins (-want +got):\n%s", diff)
		}

		if len(got.Unknown) > 0 || len(plain.Unknown) != 2 {
			t.Errorf("unknown to a superuser: %v; to another role: %v", got.Unknown, plain.Unknown)
		}
		got.Unknown, plain.Unknown = nil, nil
		if diff := cmp.Diff(withoutTimes(got), withoutTimes(plain)); diff != "" {
			t.Errorf("another role sees (-superuser +role):\n%s", diff)
		}
		if raw, _ := json.Marshal(got); strings.Contains(string(raw), "secret") || strings.Contains(string(raw), "nowhere") {
			t.Errorf("a connection string is in %s", raw)
		}
	}
}

// withoutTimes returns a state without the values that change between two readings.
func withoutTimes(s replication.State) replication.State {
	for i := range s.Slots {
		s.Slots[i].RetainedBytes, s.Slots[i].InactiveSeconds = nil, nil
	}
	return s
}

func replicationState(t *testing.T, n *Node) replication.State {
	t.Helper()
	state, server, err := n.ReplicationState(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if server.Database == "" {
		t.Error("the identity of the server is missing")
	}
	return state
}
