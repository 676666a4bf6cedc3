package worker

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// countingTx counts the keys that are looked up.
type countingTx struct {
	*scriptedTx
	looked *int
}

func (t countingTx) Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error) {
	*t.looked += len(keys)
	return t.scriptedTx.Digests(ctx, s, keys, options...)
}

// Fingerprints fails with a filter, which a rerun must ignore.
func (t countingTx) Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, options ...table.CallOption) ([]table.Fingerprint, error) {
	if s.Filter != "" {
		return nil, errors.New("the range is filtered")
	}
	return t.scriptedTx.Fingerprints(ctx, s, ranges, want, options...)
}

func TestDigests_AreTheSameForCloseAndDistantKeys(t *testing.T) {
	const count = 8 * rangeKeys
	tests := []struct {
		name   string
		change func(first, second rows)
		wanted func(id int) bool // which rows of the table are keys of the rerun
		least  int               // bounds of the number of look-ups
		most   int
	}{
		{"all of the table", func(_, _ rows) {}, func(int) bool { return true }, 1, rangeKeys},
		{"two of three rows", func(_, _ rows) {}, func(id int) bool { return id%3 > 0 }, 1, rangeKeys},
		{"one of four rows", func(_, _ rows) {}, func(id int) bool { return id%4 == 0 }, count / 4, count / 4},
		{"rows differ", func(_, second rows) {
			for id := 0; id < count; id += 2 {
				second[id] = "w"
			}
		}, func(int) bool { return true }, 1, rangeKeys},
		{"a row is missing on one node", func(_, second rows) { delete(second, 700) }, func(int) bool { return true }, rangeKeys, 2 * rangeKeys},
		{"a key is on no node", func(first, second rows) { delete(first, 700); delete(second, 700) }, func(int) bool { return true }, rangeKeys, 2 * rangeKeys},
		{"another row is on one node only", func(first, _ rows) { delete(first, 700) }, func(id int) bool { return id != 700 }, rangeKeys, 2 * rangeKeys},
		{"far more rows in one place", func(first, second rows) {
			for id := range 3 * rangeKeys {
				first[count+id], second[count+id] = "v", "v"
			}
		}, func(id int) bool { return id < count || id > count+3*rangeKeys-9 }, count, count + 8},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := many(count, same)
			second := many(count, same)
			var keys []table.Key
			tt.change(first, second)
			for id := range count + 3*rangeKeys {
				if tt.wanted(id) && (id < count || first[id] != "") {
					keys = append(keys, keyOf(id))
				}
			}

			nodes := []*scripted{{states: []rows{first}}, {states: []rows{second}}}
			s := newStage(t, nil, "tr_1", nodes...)
			for i := range s.plan.Sources {
				s.plan.Sources[i].KeyDigest = "digest"
				s.plan.Sources[i].Filter = "no unit reads this"
			}

			opened, _ := s.Open(t.Context(), "", "", nil)
			r := &unitRun{plan: s.plan, sources: s.plan.Sources, nodes: opened}
			var txs []plan.Tx
			looked := make([]int, len(nodes))
			for node := range nodes {
				txs = append(txs, countingTx{&scriptedTx{node: nodes[node], rows: nodes[node].states[0]}, &looked[node]})
			}

			got, err := r.digests(t.Context(), txs, keys)
			if err != nil {
				t.Fatal(err)
			}

			for node, rows := range []rows{first, second} {
				for i, key := range keys {
					text, there := rows[numberOf(key)]
					switch digest := got[node][i]; {
					case there != (digest != nil):
						t.Fatalf("key %s of node %d: %v", key, node, digest)
					case there && *digest != digestOf(numberOf(key), text):
						t.Fatalf("key %s of node %d has another digest", key, node)
					}
				}
				if looked[node] < tt.least || looked[node] > tt.most {
					t.Errorf("%d of %d keys were looked up on node %d", looked[node], len(keys), node)
				}
			}
		})
	}
}

func TestFillFromRange_RefusesRangesThatCouldBeMistaken(t *testing.T) {
	print := func(keyDigest int64, ids ...string) table.Fingerprint {
		f := table.Fingerprint{KeyDigest: keyDigest, Rows: make([]int64, len(ids))}
		text := "{"
		for i, id := range ids {
			if i > 0 {
				text += ","
			}
			text += id
		}

		f.KeyArrays = []string{text + "}"}
		return f
	}

	keys := []table.Key{{"1"}, {"3"}}
	tests := []struct {
		name          string
		first, second table.Fingerprint
		want          bool
	}{
		{"the same keys", print(7, "1", "3"), print(7, "1", "3"), true},
		{"others between", print(7, "1", "2", "3", "4"), print(7, "1", "2", "3", "4"), true},
		{"other keys on the second node", print(7, "1", "3"), print(8, "1", "5"), false},
		{"more keys on the second node", print(7, "1", "3"), print(7, "1", "3", "4"), false},
		{"one is not there", print(7, "1", "2"), print(7, "1", "2"), false},
		{"one is spelt otherwise", print(7, "1", "3.0"), print(7, "1", "3.0"), false},
		{"one is there twice", print(7, "1", "3", "3"), print(7, "1", "3", "3"), false},
		{"nothing is there", print(0), print(0), false},
	}

	for _, tt := range tests {
		found := [][]*int64{make([]*int64, 2), make([]*int64, 2)}
		got, err := fillFromRange([]table.Fingerprint{tt.first, tt.second}, keys, 0, found)
		if err != nil || got != tt.want || (found[0][0] != nil) != tt.want || slices.Contains(found[1], nil) == tt.want {
			t.Errorf("%s: %v, %v, found %v", tt.name, got, err, found)
		}
	}

	if _, err := fillFromRange([]table.Fingerprint{{Rows: []int64{1}, KeyArrays: []string{"{NULL}"}}}, keys, 0, nil); err == nil {
		t.Error("a key of NULL was read")
	}
}
