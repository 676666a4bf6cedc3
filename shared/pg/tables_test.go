//go:build !unit

package pg

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

func TestTables_ReturnsTheTablesOfASchemaWithoutPartitions(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, `CREATE SCHEMA "My Shop"`, `CREATE TABLE "My Shop".b (id int)`, `CREATE TABLE "My Shop"."A" (id int PRIMARY KEY)`, `CREATE TABLE elsewhere (id int)`,
		`CREATE VIEW "My Shop".v AS SELECT 1`, `CREATE TABLE "My Shop".p (id int) PARTITION BY RANGE (id)`,
		`CREATE TABLE "My Shop".p1 PARTITION OF "My Shop".p FOR VALUES FROM (0) TO (9)`)
	for schema, want := range map[string][]table.Entry{"My Shop": {{Name: "A", HasKey: true}, {Name: "b"}, {Name: "p"}}, "nowhere": nil} {
		if got, err := nodeOf(t, c, 0).Tables(t.Context(), schema); err != nil || !slices.Equal(got, want) {
			t.Errorf("of %s: %v, %v, want %v", schema, got, err, want)
		}
	}
}

// Case O-P34, see docs/RELIABILITY.md. A table that can be compared always counts as one
// with a key.
func TestTables_HaveAKeyIfAnIndexMayServeAsOne(t *testing.T) {
	c := pgtest.NewCluster(t)
	tests := map[string]bool{
		`CREATE TABLE keys.%s (id int PRIMARY KEY)`:                                                   true,
		`CREATE TABLE keys.%s (id int PRIMARY KEY DEFERRABLE)`:                                        true,
		`CREATE TABLE keys.%s (a int NOT NULL, b text NOT NULL, c int, UNIQUE (a, b) INCLUDE (c))`:    true,
		`CREATE TABLE keys.%s (id int, c int, UNIQUE (id)) PARTITION BY RANGE (id)`:                   false,
		`CREATE TABLE keys.%s (id int NOT NULL, c int, UNIQUE (id)) PARTITION BY RANGE (id)`:          true,
		`CREATE TABLE keys.%s (id int)`:                                                               false,
		`CREATE TABLE keys.%s ()`:                                                                     false,
		`CREATE TABLE keys.%s (id int UNIQUE)`:                                                        false,
		`CREATE TABLE keys.%s (a int NOT NULL, b int, UNIQUE (a, b))`:                                 false,
		`CREATE TABLE keys.%s (id int NOT NULL UNIQUE DEFERRABLE)`:                                    false,
		`CREATE TABLE keys.%[1]s (id int NOT NULL); CREATE INDEX ON keys.%[1]s (id)`:                  false,
		`CREATE TABLE keys.%[1]s (a text NOT NULL); CREATE UNIQUE INDEX ON keys.%[1]s (lower(a))`:     false,
		`CREATE TABLE keys.%[1]s (a int NOT NULL); CREATE UNIQUE INDEX ON keys.%[1]s (a) WHERE a > 0`: false,
		`CREATE TABLE keys.%[1]s (a int4range NOT NULL, EXCLUDE USING gist (a WITH &&))`:              false,
	}
	c.Exec(t, 0, `CREATE SCHEMA keys`)
	want := map[string]bool{}
	for create, has := range tests {
		name := fmt.Sprintf("t%d", len(want))
		want[name] = has
		for statement := range strings.SplitSeq(fmt.Sprintf(create, name), "; ") {
			c.Exec(t, 0, statement)
		}
	}
	node := nodeOf(t, c, 0)
	tables, err := node.Tables(t.Context(), "keys")
	if err != nil || len(tables) != len(want) {
		t.Fatalf("%d tables, %v", len(tables), err)
	}
	for _, one := range tables {
		if one.HasKey != want[one.Name] {
			t.Errorf("%s: %v", one.Name, one.HasKey)
		}
	}
}
