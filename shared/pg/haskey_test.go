//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
)

// Case O-P34, see docs/RELIABILITY.md. A table that can be compared always counts as one
// with a key.
func TestCondition_TablesHaveAKeyIfAnIndexMayServeAsOne(t *testing.T) {
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
	found, err := nodeOf(t, c, 0).Condition(t.Context())
	if err != nil || len(found.Tables) != len(want) {
		t.Fatalf("%d tables, %v", len(found.Tables), err)
	}
	for _, one := range found.Tables {
		if one.HasKey != want[one.Name] {
			t.Errorf("%s: %v", one.Name, one.HasKey)
		}
	}
}
