//go:build !unit

package pg

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/table"
)

func TestCondition_HasWhatAffectsComparisonsOnOldAndNewServers(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	role := "condition_" + c.Name[:min(len(c.Name), 40)]
	for node := range c.Nodes {
		c.Exec(t, node, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'",
			"CREATE COLLATION x (provider = icu, locale = 'en')", "UPDATE pg_collation SET collversion = '1-old' WHERE collname = 'x'",
			`CREATE SCHEMA "closed"`, `CREATE TABLE "closed"."t 1" (id int PRIMARY KEY)`,
			"CREATE TABLE by_column (id int PRIMARY KEY, v int)", "CREATE TABLE keyless (id int)", "CREATE TABLE one_column (id int PRIMARY KEY, v int)",
			"CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE part PARTITION OF parted DEFAULT",
			"CREATE TABLE policed (id int PRIMARY KEY, k text COLLATE x UNIQUE)", "ALTER TABLE policed ENABLE ROW LEVEL SECURITY",
			"GRANT SELECT ON keyless, parted, policed TO "+role, "GRANT SELECT (id, v) ON by_column TO "+role, "GRANT SELECT (id) ON one_column TO "+role,
			"CREATE SUBSCRIPTION idle_"+role+" CONNECTION 'host=none.invalid' PUBLICATION p WITH (connect = false)")
		t.Cleanup(func() {
			c.Exec(t, node, "ALTER SUBSCRIPTION idle_"+role+" SET (slot_name = NONE)", "DROP SUBSCRIPTION idle_"+role, "DROP OWNED BY "+role, "DROP ROLE "+role)
		})
		at := target(c, node)
		at.User, at.Password = role, cluster.Secret("plain")

		got, err := nodeAt(t, at).Condition(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.ClockSkew.Abs() > got.ClockError+100*time.Millisecond || got.ClockError <= 0 || got.ClockError > time.Second {
			t.Errorf("node %d: the clock of this host differs from itself by %s, exact up to %s", node, got.ClockSkew, got.ClockError)
		}
		for i := range got.Collations {
			if got.Collations[i].Actual == "" || got.Collations[i].Actual == "1-old" {
				t.Errorf("node %d: %+v", node, got.Collations[i])
			}
			got.Collations[i].Actual = ""
		}
		got.ClockSkew, got.ClockError = 0, 0
		want := table.Condition{
			Tables: []table.Usability{
				{Schema: "closed", Name: "t 1", HasKey: true},
				{Schema: "public", Name: "by_column", HasKey: true, Readable: true},
				{Schema: "public", Name: "keyless", Readable: true},
				{Schema: "public", Name: "one_column", HasKey: true},
				{Schema: "public", Name: "part", HasKey: true, Partition: true},
				{Schema: "public", Name: "parted", HasKey: true, Readable: true},
				{Schema: "public", Name: "policed", HasKey: true, Readable: true, Hidden: true},
			},
			Collations:    []table.StaleCollation{{Name: "public.x", Database: c.DB, Recorded: "1-old", Indexes: 1, First: []string{"public.policed_k_key"}}},
			Subscriptions: []table.Subscription{{Name: "idle_" + role}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("node %d, PostgreSQL %d (-want +got):\n%s", node, c.Nodes[node].Major, diff)
		}
	}
}
