package rowpairs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/infra/testkit/difftest"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/rowpairs"
)

// versions holds, for one key, the row of each node; nil if the node lacks the key.
type versions []difffile.Row

// findings returns what a comparison reports for the keys, in their order.
func findings(nodes []string, keys []versions, unsettled map[int]bool) difftest.List {
	list := difftest.List{}
	for n, rows := range keys {
		for i, a := range nodes {
			for j := i + 1; j < len(nodes); j++ {
				if !cmp.Equal(rows[i], rows[j]) {
					pair := difffile.Pair{a, nodes[j]}
					list[pair] = append(list[pair], difftest.Found{Rows: [2]difffile.Row{rows[i], rows[j]}, Unsettled: unsettled[n]})
				}
			}
		}
	}
	return list
}

// drawVersions draws keys in an order that Go cannot compute, such as that of a
// collation.
func drawVersions(t *rapid.T, nodes int) (keys []versions, unsettled map[int]bool) {
	unsettled = map[int]bool{}
	for n, key := range rapid.SliceOfNDistinct(rapid.StringMatching(`[aBcZ0-9]{1,3}`), 0, 25, rapid.ID).Draw(t, "keys") {
		v := make(versions, nodes)
		for node := range v {
			if value := rapid.IntRange(0, 4).Draw(t, "value"); value > 0 {
				v[node] = row("1", key, fmt.Sprint(min(value, 3)))
				if value == 4 { // another spelling of the key
					v[node] = row("1.0", key, "3")
				}
			}
		}
		unsettled[n] = rapid.IntRange(0, 4).Draw(t, "unsettled") == 0
		keys = append(keys, v)
	}
	return keys, unsettled
}

func TestKeys_ReturnsTheRowsOfAllNodesForEachKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := []string{"n1", "n2", "n3", "n4"}[:rapid.IntRange(2, 4).Draw(t, "nodes")]
		keys, unsettled := drawVersions(t, len(nodes))
		s := keySummary(nodes)
		source := &counted{document: difftest.Document(t, s, findings(nodes, keys, unsettled).Each)}
		d, err := rowpairs.Open(t.Context(), source.open)
		if err != nil {
			t.Fatal(err)
		}
		found, err := d.KeysWithin(t.Context(), rapid.IntRange(1, 70).Draw(t, "marks"))
		if err != nil {
			t.Fatal(err)
		}

		type entry struct {
			Rows      versions
			Unsettled bool
		}
		want, got := map[string]entry{}, map[string]entry{}
		for n, rows := range keys {
			if slices.ContainsFunc(rows[1:], func(r difffile.Row) bool { return !cmp.Equal(r, rows[0]) }) {
				want[fmt.Sprint(n)] = entry{rows, unsettled[n]}
			}
		}
		for key, err := range found.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			number := slices.IndexFunc(keys, func(v versions) bool { return cmp.Equal(v, versions(key.Rows)) && keyText(v) == keyText(key.Rows) })
			for node, state := range key.States {
				if (state == rowpairs.Present) != (key.Rows[node] != nil) || state == rowpairs.Unknown {
					t.Fatalf("state %d of node %s with row %v", state, nodes[node], key.Rows[node])
				}
			}
			got[fmt.Sprint(number)] = entry{key.Rows, key.Unsettled}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-nodes +read):\n%s", diff)
		}
		if found.Count() != int64(len(want)) || source.now != 0 {
			t.Fatalf("%d keys are counted instead of %d, %d streams are left open", found.Count(), len(want), source.now)
		}
	})
}

// keyText returns the key of the first row.
func keyText(v versions) string {
	for _, r := range v {
		if r != nil {
			return *r[1]
		}
	}
	return ""
}

func keySummary(nodes []string) difffile.Summary {
	s := difftest.Summary(nodes,
		difffile.Column{Name: "v", Type: "text"}, difffile.Column{Name: "k2", Type: "text"}, difffile.Column{Name: "k1", Type: "numeric"})
	s.PrimaryKey = []string{"k1", "k2"}
	return s
}

// If the number of rows in a document is limited, the document may list different keys
// for each pair. Keys infers states from complete pairs only, and does not guess.
func TestKeys_ALimitedDocumentLeavesNodesUnknown(t *testing.T) {
	nodes := []string{"n1", "n2", "n3"}
	var keys []versions
	for n := range 4 { // n3 has another row for the first two keys; n1 lacks the last two keys
		same, other := row(fmt.Sprint(n), "", "a"), row(fmt.Sprint(n), "", "b")
		if n < 2 {
			keys = append(keys, versions{same, same, other})
		} else {
			keys = append(keys, versions{nil, other, other})
		}
	}
	full := findings(nodes, keys, nil)
	whole := string(difftest.Document(t, keySummary(nodes), full.Each))
	limited := full
	limited[n13] = full[n13][:1]
	limited[n23] = full[n23][:2]
	cut := string(difftest.Document(t, keySummary(nodes), limited.Each))
	_, diffs, _ := strings.Cut(cut, `"diffs"`)
	summary, _, _ := strings.Cut(whole, `"diffs"`)
	document := strings.Replace(summary, `"diff_row_limit_reached": false`, `"diff_row_limit_reached": true`, 1) + `"diffs"` + diffs

	d, err := rowpairs.Open(t.Context(), (&counted{document: []byte(document)}).open)
	if err != nil {
		t.Fatal(err)
	}
	found, err := d.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for key, err := range found.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(key.States))
	}
	// n1/n2 is complete, n1/n3 lists the first key, and n2/n3 the first two.
	want := []string{
		fmt.Sprint([]rowpairs.State{rowpairs.Present, rowpairs.Present, rowpairs.Present}),
		fmt.Sprint([]rowpairs.State{rowpairs.Present, rowpairs.Present, rowpairs.Present}), // n1 has the row of n2
		fmt.Sprint([]rowpairs.State{rowpairs.Absent, rowpairs.Present, rowpairs.Present}),  // n3 has the row of n2
		fmt.Sprint([]rowpairs.State{rowpairs.Absent, rowpairs.Present, rowpairs.Present}),
	}
	if !slices.Equal(got, want) {
		t.Errorf("the states are %v, want %v", got, want)
	}
}

func TestKeys_RejectsPairsOfContradictingOrder(t *testing.T) {
	a, b := row("1", "", "a"), row("2", "", "a")
	list := difftest.List{
		n12: {{Rows: [2]difffile.Row{a, nil}}, {Rows: [2]difffile.Row{b, nil}}},
		n13: {{Rows: [2]difffile.Row{b, nil}}, {Rows: [2]difffile.Row{a, nil}}},
	}
	source := &counted{document: document(t, list)}
	d, err := rowpairs.Open(t.Context(), source.open)
	if err != nil {
		t.Fatal(err)
	}
	found, err := d.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, err = range found.All(t.Context()) {
		if err != nil {
			break
		}
	}
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "different order") || source.now != 0 {
		t.Errorf("got %v, %d streams are left open", err, source.now)
	}
}
