//go:build !unit

package pg

import (
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// The virtual column fails like a value of more than 1 GB, but needs no memory.
//
// Case T-P5, see docs/RELIABILITY.md.
func TestTx_NamesAValueThatIsTooLarge(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text, size int, b text GENERATED ALWAYS AS (repeat(v, size)) VIRTUAL)`,
		`INSERT INTO t SELECT i, 'v' || i, 1 FROM generate_series(1, 30) i`, `UPDATE t SET size = 1000000000 WHERE id IN (4, 20)`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	const column = `column "t"."b" of the row with the key `

	_, err := begin(t, n, s).Fingerprints(t.Context(), s, []table.Range{between(key("10"), nil)}, table.FingerprintRequest{MaxRangeRows: 1000, MaxRows: 1000})
	check := func(err error, want string) {
		t.Helper()
		if message := fault.PublicMessage(err); fault.CodeOf(err) != fault.Invalid || !strings.Contains(message, want) || !strings.Contains(message, "ignore_columns") {
			t.Errorf("%s: %v, want an error that stays and names %s", fault.CodeOf(err), err, want)
		}
	}
	check(err, column+"('4')")

	for _, unindexed := range []bool{false, true} {
		s.Unindexed = unindexed
		rows, err := begin(t, n, s).Rows(t.Context(), s, []table.Key{key("9"), key("77"), key("20"), key("4")})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, _, err = rows.Next()
		}
		want := "('20')"
		if unindexed { // a scan finds the first such row of the table
			want = "('4')"
		}
		check(err, column+want)
		if err := rows.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
}
