//go:build !unit

package pg

import (
	"slices"
	"testing"

	"ace/infra/testkit/pgtest"
)

func TestTables_ReturnsTheTablesOfASchemaWithoutPartitions(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, `CREATE SCHEMA "My Shop"`, `CREATE TABLE "My Shop".b (id int)`, `CREATE TABLE "My Shop"."A" (id int)`, `CREATE TABLE elsewhere (id int)`,
		`CREATE VIEW "My Shop".v AS SELECT 1`, `CREATE TABLE "My Shop".p (id int) PARTITION BY RANGE (id)`,
		`CREATE TABLE "My Shop".p1 PARTITION OF "My Shop".p FOR VALUES FROM (0) TO (9)`)
	for schema, want := range map[string][]string{"My Shop": {"A", "b", "p"}, "nowhere": nil} {
		if got, err := nodeOf(t, c, 0).Tables(t.Context(), schema); err != nil || !slices.Equal(got, want) {
			t.Errorf("of %s: %v, %v, want %v", schema, got, err, want)
		}
	}
}
