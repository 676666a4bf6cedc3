package tablediff

import (
	"fmt"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/memstore"
	"ace/shared/difffile"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// findingsOf returns the findings of a confirm part, which is packed or not, with these
// lines.
func findingsOf(t *testing.T, packed bool, lines ...plan.Finding) *findings {
	t.Helper()
	p := planOf(2, "n1", "n2")
	p.CommitTimes = []bool{true, true}
	p.MaxDiffRows = int64(len(lines)) - 1
	r := &run{Coordinator: NewCoordinator(CoordinatorOptions{}), Store: memstore.New(t), plan: p}
	r.compares = []plan.Unit{r.unit(plan.PhaseCompare, 0)}
	r.confirmed = []plan.Totals{{Mismatched: int64(len(lines))}}

	create := part.Create
	if packed {
		create = part.CreatePacked
	}
	u := r.unit(plan.PhaseConfirm, 0)
	out, err := create(t.Context(), r.Store, u.PartKey(), u.PartHeader())
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range lines {
		if err := out.Line(found.AppendLine(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Commit(t.Context(), plan.Totals{}); err != nil {
		t.Fatal(err)
	}
	return &findings{run: r, decoder: difffile.NewDecoder(p.Columns), writes: map[section]*sectionWrites{}}
}

// collect returns all values of a sequence.
func collect[V any](t *testing.T, from iter.Seq2[V, error]) (all []V) {
	t.Helper()
	for value, err := range from {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, value)
	}
	return all
}

// The last writes are the same, and belong to the same rows, whether they were kept when
// the rows were read or are read from the parts. A part of an earlier version is not
// packed.
func TestWritten_IsTheSameFromMemoryAndFromTheParts(t *testing.T) {
	var lines []plan.Finding
	for i := range 5 {
		at := plan.AppendWrite(nil, table.LastWrite{At: fmt.Sprintf("2026-11-30T02:00:0%d.000000Z", i), Origin: "o\t\"1\""})
		lines = append(lines, plan.Finding{
			Key: table.AppendKey(nil, table.Key{fmt.Sprintf("k\t%d", i)}), Differs: []bool{i != 1},
			Rows: []difffile.Encoded{difffile.Encoded(`["a"]`), difffile.Encoded(`["b"]`)}, Writes: [][]byte{at, nil},
		})
	}
	lines[2].Rows[0] = nil // the row does not exist on n1
	lines[2].Writes[0] = nil
	lines[4].Writes = nil // as in a part of an earlier version
	pair := difffile.Pair{"n1", "n2"}

	for name, tt := range map[string]struct {
		packed bool
		size   int // of what was kept already
		kept   bool
	}{
		"in memory": {true, 0, true}, "too large to be kept": {true, keptWrites, false}, "a part with lines": {false, 0, true},
	} {
		f, again := findingsOf(t, tt.packed, lines...), findingsOf(t, tt.packed, lines...)
		f.writesSize = tt.size
		for node, keys := range map[string][]string{"n1": {"k\t0", "k\t3", "k\t4"}, "n2": {"k\t0", "k\t2", "k\t3", "k\t4"}} {
			before := f.writesSize
			rows := collect(t, f.Rows(t.Context(), pair, node))
			got := collect(t, f.Written(t.Context(), pair, node))
			if (f.writes[section{pair, node}] != nil) != tt.kept {
				t.Errorf("%s: the writes of %s were kept: %t", name, node, !tt.kept)
			}
			if (f.writesSize > before) != tt.kept {
				t.Errorf("%s: the size of what is kept was %d, and is %d after %s", name, before, f.writesSize, node)
			}
			if diff := cmp.Diff(collect(t, again.Written(t.Context(), pair, node)), got); diff != "" {
				t.Errorf("%s, node %s (-read again +got):\n%s", name, node, diff)
			}
			if len(got) != len(keys) || len(rows) != len(keys) {
				t.Fatalf("%s: %d writes and %d rows of %s, want %d", name, len(got), len(rows), node, len(keys))
			}
			for i, key := range keys {
				if *got[i].Key[0] != key || (got[i].At != "") != (node == "n1" && i < 2) {
					t.Errorf("%s: write %d of %s is %+v, want that of %q", name, i, node, got[i], key)
				}
			}
		}
	}
}
