//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/rowcases"
)

// Case T-F6, see docs/RELIABILITY.md.
//
// Every row has a value whose binary form differs on the second node. Only the first
// candidates are read; the others are counted by their digests.
func TestIdentity_DifferentBytesWithEqualTextAreNoDifference(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	const rows = 12_000
	twins := caseTable(slices.DeleteFunc(rowcases.Twins(), func(c rowcases.Case) bool { return strings.HasPrefix(c.Column, "rc_") }))
	for node := range c.Nodes {
		c.Exec(t, node, twins.create("t", 0)...)
		var values []string
		for i, one := range twins {
			_, column := one.OnNode(0)
			values = append(values, fmt.Sprintf("(%s)::%s AS c%d", []string{one.A, one.B}[node], column, i))
		}
		c.Exec(t, node, fmt.Sprintf(`INSERT INTO t SELECT i, same.* FROM (SELECT %s) same, generate_series(1, %d) i`, strings.Join(values, ", "), rows))
	}
	if d := s.Diff(t, "public.t", "max_diff_rows", "1"); d.Result.MismatchedRows != 0 {
		t.Errorf("%d rows differ, want none: %+v", d.Result.MismatchedRows, d.Summary.Pairs[0])
	}
	c.Exec(t, 1, `UPDATE t SET c0 = 1 WHERE id > 11990`, `DELETE FROM t WHERE id = 11995`)
	d := s.Diff(t, "public.t", "max_diff_rows", "1", "confirm_delay", "1ms")
	if pair := d.Summary.Pairs[0]; d.Result.MismatchedRows != 10 || pair.Different != 9 || pair.OnlyOn["n1"] != 1 {
		t.Errorf("%d rows differ, want 9 different and 1 only on n1: %+v", d.Result.MismatchedRows, pair)
	}
}

// Case T-F6, see docs/RELIABILITY.md.
//
// An array without NULLs may have a null bitmap. An array that replication wrote as text
// has no such bitmap.
func TestIdentity_AnArrayWithANullBitmapIsNoCandidate(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, x text[], n int8[])`)
	c.Exec(t, 0, `INSERT INTO t SELECT i, '{b}', '{1,2}' FROM generate_series(1, 12000) i`)
	c.Exec(t, 1, `INSERT INTO t SELECT i, (ARRAY[NULL, 'b'])[2:2], array_replace('{1,NULL}'::int8[], NULL, 2) FROM generate_series(1, 12000) i`)
	if d := s.Diff(t, "public.t", "max_diff_rows", "1"); d.Result.MismatchedRows != 0 || d.Summary.ResolvedRows != 0 {
		t.Errorf("%d rows differ and %d were read twice, want 0 and 0", d.Result.MismatchedRows, d.Summary.ResolvedRows)
	}
}
