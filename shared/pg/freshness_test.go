//go:build !unit

package pg

import (
	"fmt"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

func TestFreshness_FindsNewRowsOnEveryMajor(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major))
			c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`, `CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (500)`,
				`CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (500) TO (2000)`, `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 1000) i`)
			n := nodeOf(t, c, 0)
			facts, err := n.Facts(t.Context(), "public", "t")
			if err != nil || facts.Unproven != "" || len(facts.Values) == 0 {
				t.Fatalf("the facts are %+v, error %v", facts, err)
			}
			s := sourceOf(describeTable(t, n, "t"), "t")
			ranges := rangesOf([]table.Key{{"300"}, {"700"}})
			open := c.Connect(t, 0)
			if _, err := open.Exec(t.Context(), `BEGIN; UPDATE t SET v = 'late' WHERE id = 800`); err != nil {
				t.Fatal(err)
			}
			tx := begin(t, n, s)
			sums, horizon, err := tx.Sums(t.Context(), s, ranges)
			tx.Close()
			if err != nil {
				t.Fatal(err)
			}
			unchanged := func() (all [3]bool) {
				tx := begin(t, n, s)
				defer tx.Close()
				found, err := tx.Freshness(t.Context(), s, ranges)
				if err != nil {
					t.Fatal(err)
				}
				for i, f := range found {
					all[i] = f.Unchanged(sums[i].Rows, horizon)
				}
				return all
			}
			if got := unchanged(); got != [3]bool{true, true, true} {
				t.Errorf("nothing happened: %v", got)
			}
			if _, err := open.Exec(t.Context(), `COMMIT`); err != nil {
				t.Fatal(err)
			}
			c.Exec(t, 0, `DELETE FROM t WHERE id = 1`, `VACUUM FREEZE t`)
			if got := unchanged(); got != [3]bool{false, true, false} {
				t.Errorf("a row went, another was written by a transaction that was open: %v", got)
			}
			c.Exec(t, 0, `ALTER TABLE t ADD w int`)
			now, err := n.Facts(t.Context(), "public", "t")
			if err != nil || now.Values["columns"] == facts.Values["columns"] || now.Values["relations"] != facts.Values["relations"] {
				t.Errorf("after a column came the facts are %v, error %v", now, err)
			}
		})
	}
}
