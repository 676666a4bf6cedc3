//go:build !unit

package rowdigest_test

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/shared/rowdigest"
)

// columnTypes selects the types of initdb that a column can have. It omits row types,
// which are digested as any composite type, and cstring[], whose element type is a
// pseudo-type.
const columnTypes = `SELECT t.oid, format_type(t.oid, -1) FROM pg_type t
	WHERE t.oid < 16384 AND t.typtype IN ('b', 'd', 'e', 'm', 'r') AND NOT EXISTS (
		SELECT FROM pg_type e WHERE e.oid = t.typelem AND t.typcategory = 'A' AND e.typtype IN ('p', 'c'))
	ORDER BY t.oid`

func TestBuiltinTypes_AreAllListedAndDigestible(t *testing.T) {
	seen := map[int]bool{}
	for _, in := range pgserver.EveryMajor() {
		if seen[in.Major] {
			continue
		}
		seen[in.Major] = true
		t.Run(fmt.Sprint(in.Major), func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(in.Major))
			digestBuiltins(t, c)
		})
	}
}

func digestBuiltins(t *testing.T, c *pgtest.Cluster) {
	s := newSession(t, c, 0)
	found := s.rows(columnTypes)
	if len(found) < 150 {
		t.Fatalf("only %d built-in types found", len(found))
	}
	var definitions, nulls []string
	for _, row := range found {
		definitions = append(definitions, fmt.Sprintf("c%s %s", row[0], row[1]))
		nulls = append(nulls, "NULL")
	}
	c.Exec(t, 0, "CREATE TABLE builtins ("+strings.Join(definitions, ", ")+")",
		"INSERT INTO builtins VALUES ("+strings.Join(nulls, ", ")+")") // explicit NULLs, because a domain may have a default
	for _, row := range found {
		column := s.column("builtins", "c"+row[0])
		if !rowdigest.Named(column.Type) {
			t.Errorf("no list names the built-in type %s: decide how it is digested", row[1])
		}
		expr := rowdigest.Expr("b.c"+row[0], column, rowdigest.Options{SameEncoding: true})
		got := s.rows(fmt.Sprintf("SELECT (%s) IS NULL, %s IS NULL FROM builtins b", expr, rowdigest.Row([]string{expr}, seeds)))
		if got[0][0] != "t" || got[0][1] != "f" {
			t.Errorf("%s: NULL does not stay NULL, or has no digest: %v", row[1], got)
		}
	}
}
