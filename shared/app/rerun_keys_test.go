//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

// asPeer returns a document in the older layout of pgEdge ACE (see difffile/peer.go). The
// rows are in reverse order, because this layout guarantees no order.
func asPeer(t *testing.T, d apptest.Diff) []byte {
	t.Helper()
	rows := map[string]map[string][]map[string]*string{}
	for _, row := range slices.Backward(d.Rows) {
		if rows[row.Pair] == nil {
			first, second, _ := strings.Cut(row.Pair, "/")
			rows[row.Pair] = map[string][]map[string]*string{first: {}, second: {}}
		}
		values := map[string]*string{}
		for column, text := range row.Values {
			values[column] = &text
			if text == pgtest.Null {
				values[column] = nil
			}
		}
		rows[row.Pair][row.Node] = append(rows[row.Pair][row.Node], values)
	}
	diffs := map[string]any{}
	for pair, nodes := range rows {
		diffs[pair] = map[string]any{"rows": nodes}
	}
	body, err := json.Marshal(map[string]any{"diffs": diffs, "summary": map[string]any{"schema": d.Summary.Schema, "table": d.Summary.Table}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestTableRerun_FindsKeysOfEveryKindAgain(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, kind := range slices.Concat(numberKeys(), textKeys(), timeKeys(), structuredKeys()) {
		c.ExecAll(t, kind.setup...) // before the parallel part, because IF NOT EXISTS fails if two sessions create the same object at once
		kind.setup = nil
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("t%d", i)
			c.ExecAll(t, kind.create(table, "")...)
			c.ExecAll(t, kind.fill(table)...)
			drift(t, c, table)
			before := s.Diff(t, "public."+table)
			c.Exec(t, 1, "UPDATE "+table+" SET v = replace(v, ' changed', '') WHERE n % 2 = 0",
				"UPDATE "+table+" SET v = v || ' more' WHERE n % 100 < 3")
			c.Exec(t, 0, "DELETE FROM "+table+" WHERE n % 3 = 0")
			if i%5 > 0 { // only every fifth kind of key is tested with both behaviors and with the peer's layout
				checkAgainstComparison(t, s, "public."+table, before, behaviors()[i%2])
				return
			}
			rerun := checkAgainstComparison(t, s, "public."+table, before)
			peers := rerunBoth(t, s, s.Import(t, asPeer(t, before)), "public."+table)
			if got, want := rendered(peers), rendered(rerun); !slices.Equal(got, want) {
				t.Errorf("from the peer's layout the document has %d rows, want %d; first difference: %s", len(got), len(want), firstDifference(got, want))
			}
			if peers.Result.TotalRows != rerun.Result.TotalRows || peers.Result.MismatchedRows != rerun.Result.MismatchedRows {
				t.Errorf("from the peer's layout %s, want %s", figures(peers), figures(rerun))
			}
		})
	}
}
