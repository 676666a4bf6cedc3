package app_test

import (
	"slices"
	"testing"

	"ace/shared/app/apptest"
	"ace/shared/pg/pgtest"
)

func TestTableDiff_FindsEveryKindOfDifference(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY, name text)`,
		`INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 5000) i`)
	c.Exec(t, 1, `UPDATE users SET name = 'other' WHERE id = 7`, `DELETE FROM users WHERE id = 4000`)
	c.Exec(t, 2, `INSERT INTO users VALUES (5001, 'extra')`)

	d := s.Diff(t, "public.users")
	if d.Result.TotalRows != 5001 || d.Result.MismatchedRows != 3 || d.Result.Verdict != "differ" {
		t.Errorf("total %d, mismatched %d, verdict %s; want 5001, 3, differ", d.Result.TotalRows, d.Result.MismatchedRows, d.Result.Verdict)
	}
	for _, want := range []struct {
		pair, node string
		ids        []string
	}{
		{"n1/n2", "n1", []string{"7", "4000"}},
		{"n1/n2", "n2", []string{"7"}},
		{"n1/n3", "n1", nil},
		{"n1/n3", "n3", []string{"5001"}},
		{"n2/n3", "n2", []string{"7"}},
		{"n2/n3", "n3", []string{"7", "4000", "5001"}},
	} {
		if got := slices.Collect(d.All(want.pair, want.node, "id")); !slices.Equal(got, want.ids) {
			t.Errorf("pair %s has ids %v on node %s, want %v", want.pair, got, want.node, want.ids)
		}
	}
}
