//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

func TestTx_ImportReadsTheExportedSnapshot(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major))
			n := nodeOf(t, c, 0)
			s := numbers(t, c, n, 10)
			count := func(tx *Tx) int64 {
				t.Helper()
				sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}})
				if err != nil {
					t.Fatal(err)
				}
				return sums[0].Rows
			}
			first := begin(t, n, s)
			name, err := first.Export(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c.Exec(t, 0, `DELETE FROM t WHERE id > 5`)
			second, alone := begin(t, n, s), begin(t, n, s)
			if err := second.Import(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if got := []int64{count(first), count(second), count(alone)}; got[0] != 10 || got[1] != 10 || got[2] != 5 {
				t.Errorf("the exporter, the importer and another one see %d rows, want 10, 10 and 5", got)
			}
			if got := ask(t, second, settingsSQL); got[0] != "UTC" || got[10] != "on" || got[11] != "repeatable read" {
				t.Errorf("the importer's settings are %q", got)
			}

			first.Close()
			if got := count(second); got != 10 {
				t.Errorf("without the exporter the importer sees %d rows, want 10", got)
			}
			late := begin(t, n, s)
			if err := late.Import(t.Context(), name); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), `node "n1"`) {
				t.Errorf("a snapshot that is gone: error %v, want Unavailable and the node's name", err)
			}
		})
	}
}

func TestTx_ReleaseLocksPreservesTheSnapshot(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	tx, err := n.Begin(t.Context(), s.Access().Unguarded())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tx.Close)
	for range 3 {
		sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}, table.ReleaseLocks)
		if err != nil || sums[0].Rows != 10 {
			t.Fatalf("%v rows, error %v, want 10", sums, err)
		}
		c.Exec(t, 0, `BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE NOWAIT; DELETE FROM t WHERE id = (SELECT min(id) FROM t); COMMIT`)
	}
	if sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}, table.ReleaseLocks, table.EndTransaction); err != nil || sums[0].Rows != 10 {
		t.Errorf("%v rows, error %v, want 10", sums, err)
	}
	if sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err != nil || sums[0].Rows != 7 {
		t.Errorf("after its end: %v rows, error %v, want 7", sums, err)
	}
}
