//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// refusedKeys is a table of which the first node stores a key that it does not accept as
// input.
type refusedKeys struct {
	name   string
	before []string // SQL that makes the types
	key    string   // type of the key
	value  string   // SQL for the key, in terms of i
	after  []string // SQL after which the node refuses the stored key
	stored string   // text of a refused key
}

func allRefusedKeys() []refusedKeys {
	return []refusedKeys{
		{
			"a domain in a composite type", []string{"CREATE DOMAIN d1 AS int", "CREATE TYPE c1 AS (d d1)"},
			"c1", "ROW(i - 3)::c1", []string{"ALTER DOMAIN d1 ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID"}, "(-2)",
		},
		{
			"an array of a domain whose check finds no function",
			[]string{
				"CREATE FUNCTION helper(int) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
				"CREATE FUNCTION ok(i int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN helper(i); END'",
				"CREATE DOMAIN d2 AS int CHECK (public.ok(VALUE))",
			},
			"d2[]", "ARRAY[i]::d2[]", nil, "{1}",
		},
		{"an overloaded function", nil, "regproc", "CASE i WHEN 1 THEN 'pg_catalog.abs(int)'::regprocedure::oid::regproc ELSE 'now' END", nil, "abs"},
	}
}

// fill creates the table on both nodes. Its row number 1 differs.
func (k refusedKeys) fill(t *testing.T, c *pgtest.Cluster, table string, refusing ...int) {
	t.Helper()
	c.ExecAll(t, append(slices.Clone(k.before),
		fmt.Sprintf("CREATE TABLE %s (k %s, n int, v text, PRIMARY KEY (k, n))", table, k.key),
		fmt.Sprintf("INSERT INTO %s SELECT %s, i, 'v' FROM generate_series(1, 1500) i", table, k.value), "ANALYZE "+table)...)
	c.Exec(t, 1, "UPDATE "+table+" SET v = 'other' WHERE n = 1")
	for _, node := range refusing {
		if len(k.after) > 0 {
			c.Exec(t, node, k.after...)
		}
	}
}

// A node that cannot read a key as input may still have its row. If the row were taken
// for absent on both nodes, the result would be a match.
// Case T-F8, see docs/RELIABILITY.md.
func TestForeignKeys_AStoredKeyThatItsOwnNodeRefusesIsNotAbsent(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	for i, kind := range allRefusedKeys() {
		t.Run(kind.name, func(t *testing.T) {
			table := fmt.Sprintf("t%d", i)
			kind.fill(t, c, table, 0, 1)
			for _, delay := range []string{"0", "1ms"} {
				status := s.Wait(t, s.Submit(t, "public."+table, "block_rows", "1000", "confirm_delay", delay))
				if status.Status != api.StatusFailed || !strings.Contains(status.Error, "does not accept") || !strings.Contains(status.Error, kind.stored) {
					t.Errorf("confirm_delay=%s: %s %q, result %s", delay, status.Status, status.Error, status.Result)
				}
			}
		})
	}
}

// A document may be older than the constraint because of which the source refuses a key
// of the document.
// Case T-F8, see docs/RELIABILITY.md.
func TestForeignKeys_ARepairKeepsARowWhoseKeyTheSourceRefuses(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	kind := allRefusedKeys()[0]
	kind.fill(t, c, "t")
	d := s.Diff(t, "public.t", "block_rows", "1000")
	if got := countsOf(d, 0); got != (counts{0, 0, 1}) {
		t.Fatalf("%+v before the constraint", got)
	}

	undone := repair(t, s, d.TaskID, "n1", nil)
	if undone.Status != api.StatusCompleted {
		t.Fatalf("the repair before the constraint: %s", undone.Error)
	}
	c.Exec(t, 1, "UPDATE t SET v = 'other' WHERE n = 1")
	for _, refusing := range []int{0, 1} {
		c.Exec(t, refusing, kind.after...)
		before := content(t, c, 1, "t")
		if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusFailed || !strings.Contains(r.Error, "does not accept") {
			t.Errorf("n%d refuses the key: the repair ended %s: %q", refusing+1, r.Status, r.Error)
		}
		if refusing == 1 {
			if u := undo(t, s, undone.TaskID, nil); u.Status != api.StatusFailed || !strings.Contains(u.Error, "does not accept") {
				t.Errorf("the undo ended %s: %q", u.Status, u.Error)
			}
		}
		if !slices.EqualFunc(before, content(t, c, 1, "t"), slices.Equal) {
			t.Error("rows of n2 changed")
		}
		c.Exec(t, refusing, "ALTER DOMAIN d1 DROP CONSTRAINT positive")
	}
}
