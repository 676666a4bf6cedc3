package tablediff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// planOf returns a plan with this many chunks, two to a block.
func planOf(chunks int, nodes ...string) *plan.Plan {
	p := &plan.Plan{Format: plan.Format, TaskID: "td_1", Nodes: nodes, BlockRows: 1000, Layout: blockplan.Layout{ChunksPerBlock: 2, BlocksPerBatch: 1}}
	for i := 1; i < chunks; i++ {
		p.Layout.Bounds = append(p.Layout.Bounds, table.Key{strconv.Itoa(10 * i)})
	}

	body, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	if p, err = plan.Parse(body, p.TaskID); err != nil {
		panic(err)
	}

	return p
}

// partsOf returns the totals of a run that divided the chunks at random.
func partsOf(rt *rapid.T, p *plan.Plan) []plan.Totals {
	var parts []plan.Totals
	for from := 0; from < p.Layout.Chunks(); {
		to := rapid.IntRange(from+1, p.Layout.Chunks()).Draw(rt, "to")
		parts = append(parts, plan.Totals{From: from, To: to, Range: p.Layout.KeyRange(from, to)})
		from = to
	}
	return parts
}

func TestCheckCoverage_AcceptsEveryCompleteDivision(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := planOf(rapid.IntRange(1, 12).Draw(rt, "chunks"), "n1", "n2")
		parts := partsOf(rt, p)
		if err := checkCoverage(p, parts); err != nil {
			rt.Fatalf("%v of parts %+v", err, parts)
		}
	})
}

func TestCheckCoverage_RefusesEveryMutation(t *testing.T) {
	p := planOf(12, "n1", "n2")
	mutations := map[string]func(rt *rapid.T, parts []plan.Totals) []plan.Totals{
		"a part dropped": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Delete(parts, at, at+1)
		},
		"a part doubled": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Insert(parts, at, parts[at])
		},
		"two parts swapped": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(1, len(parts)-1).Draw(rt, "at")
			parts[at], parts[at-1] = parts[at-1], parts[at]
			return parts
		},
		"a part too short": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			if parts[at].To--; parts[at].To > 0 {
				parts[at].Range = p.Layout.KeyRange(parts[at].From, parts[at].To)
			}
			return parts
		},
		"a part too long": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			parts[at].To++
			return parts
		},
		"a part that begins later": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			parts[at].From++
			return parts
		},
		"an empty part": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Insert(parts, at, plan.Totals{From: parts[at].From, To: parts[at].From, Range: table.Range{Lo: parts[at].Range.Lo, Hi: parts[at].Range.Lo}})
		},
		"an answer without content": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")] = plan.Totals{}
			return parts
		},
		"another upper bound": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")].Range.Hi = table.Key{"5"}
			return parts
		},
		"another lower bound": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")].Range.Lo = table.Key{"5"}
			return parts
		},
		"an open end that is closed": func(_ *rapid.T, parts []plan.Totals) []plan.Totals {
			parts[len(parts)-1].Range.Hi = table.Key{}
			return parts
		},
		"a bound that is open": func(rt *rapid.T, parts []plan.Totals) []plan.Totals {
			parts[rapid.IntRange(1, len(parts)-1).Draw(rt, "at")].Range.Lo = nil
			return parts
		},
		"all parts gone": func(*rapid.T, []plan.Totals) []plan.Totals { return nil },
	}

	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				parts := partsOf(rt, p)
				if len(parts) < 2 {
					parts = []plan.Totals{{From: 0, To: 5, Range: p.Layout.KeyRange(0, 5)}, {From: 5, To: 12, Range: p.Layout.KeyRange(5, 12)}}
				}
				if err := checkCoverage(p, mutate(rt, parts)); fault.CodeOf(err) != fault.Internal {
					rt.Fatalf("got %v, want an Internal error", err)
				}
			})
		})
	}
}

func TestCheckConfirmed_EveryCandidateMustBeJudged(t *testing.T) {
	for _, tt := range []struct {
		name                string
		compared, confirmed []plan.Totals
		ok                  bool
	}{
		{"nothing to confirm", []plan.Totals{{}, {}}, []plan.Totals{{}, {}}, true},
		{"all judged", []plan.Totals{{Candidates: 6}}, []plan.Totals{{Mismatched: 3, Resolved: 2, KeyVariants: 1}}, true},
		{"one lost", []plan.Totals{{Candidates: 6}}, []plan.Totals{{Mismatched: 3, Resolved: 2}}, false},
		{"one too many", []plan.Totals{{Candidates: 6}}, []plan.Totals{{Mismatched: 7}}, false},
		{"right in sum only", []plan.Totals{{Candidates: 1}, {Candidates: 2}}, []plan.Totals{{Resolved: 2}, {Resolved: 1}}, false},
		{"a candidate without digest", []plan.Totals{{Candidates: 2, WithoutDigest: 1}}, []plan.Totals{{Mismatched: 2, WithoutDigest: 1}}, true},
		{"a candidate without digest that was not counted", []plan.Totals{{Candidates: 2, WithoutDigest: 1}}, []plan.Totals{{Mismatched: 2}}, false},
		{"a part not confirmed", []plan.Totals{{}, {Candidates: 1}}, []plan.Totals{{}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := checkConfirmed(tt.compared, tt.confirmed); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// sumsOf draws the sum of each chunk on each node. Few sums differ from those of the
// first node.
func sumsOf(rt *rapid.T, p *plan.Plan) [][]table.Sum {
	sums := make([][]table.Sum, len(p.Nodes))
	for node := range sums {
		for chunk := range p.Layout.Chunks() {
			sum := table.Sum{Rows: rapid.Int64Range(0, 900).Draw(rt, "rows")}
			if node > 0 && rapid.IntRange(0, 3).Draw(rt, "differs") > 0 {
				sum = sums[0][chunk]
			}

			sums[node] = append(sums[node], sum)
		}
	}
	return sums
}

func TestNarrowingUnits_CoverAllChunksAndListEachDifferingOneOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := planOf(rapid.IntRange(1, 40).Draw(rt, "chunks"), "n1", "n2", "n3")
		sums := sumsOf(rt, p)
		buckets := rapid.SampledFrom([][]int{nil, {1, 3}}).Draw(rt, "buckets")
		units, equal := narrowingUnits(p, sums, buckets, rapid.Int64Range(1, 3000).Draw(rt, "listed"))
		parts := make([]plan.Totals, len(units))
		differing := map[int]int64{}
		for i, u := range units {
			if u.Index != i || u.Phase != plan.PhaseCompare || u.TaskID != p.TaskID || u.PlanHash != p.Hash() || len(u.Chunks) != len(u.Rows) {
				rt.Fatalf("unit %d is %+v", i, u)
			}
			if (len(u.Buckets) > 0) != (len(buckets) > 0 && len(u.Chunks) > 0) {
				rt.Fatalf("unit %d reads buckets %v of chunks %v: without chunks it would list the whole table", i, u.Buckets, u.Chunks)
			}
			if u.From%p.Layout.ChunksPerBlock != 0 {
				rt.Fatalf("unit %d begins within a block, at chunk %d", i, u.From)
			}

			for k, chunk := range u.Chunks {
				if _, twice := differing[chunk]; twice || chunk < u.From || chunk >= u.To {
					rt.Fatalf("chunk %d is in the unit of chunks %d to %d, or in two", chunk, u.From, u.To)
				}
				differing[chunk] = u.Rows[k]
			}

			parts[i] = plan.Totals{From: u.From, To: u.To, Range: p.Layout.KeyRange(u.From, u.To)}
		}

		if err := checkCoverage(p, parts); err != nil {
			rt.Fatal(err)
		}

		var keys int64
		for chunk := range p.Layout.Chunks() {
			most := max(sums[0][chunk].Rows, sums[1][chunk].Rows, sums[2][chunk].Rows)
			same := sums[0][chunk] == sums[1][chunk] && sums[0][chunk] == sums[2][chunk]
			rows, listed := differing[chunk]
			if listed == same || listed && rows != most {
				rt.Fatalf("chunk %d: the same on all nodes %v, listed %v with %d rows", chunk, same, listed, rows)
			}

			if same {
				keys += most
			}
		}

		if equal.Keys != keys || !slices.Equal(equal.RowsPerNode, []int64{keys, keys, keys}) {
			rt.Fatalf("the equal chunks count %+v, want %d keys", equal, keys)
		}
	})
}

func TestCounter_CountsEveryUnitOnce(t *testing.T) {
	var seen []string
	c := counter{total: 3, done: func(t plan.Totals, done, total int) {
		seen = append(seen, fmt.Sprintf("%d: %d/%d", t.Keys, done, total))
	}}

	order := rand.Perm(3)
	for _, i := range order {
		c.add(plan.Totals{Keys: int64(i)})
	}

	want := []string{fmt.Sprintf("%d: 1/3", order[0]), fmt.Sprintf("%d: 2/3", order[1]), fmt.Sprintf("%d: 3/3", order[2])}
	if !slices.Equal(seen, want) {
		t.Errorf("counted %v, want %v", seen, want)
	}
}

func TestCheckKeysCompared_WantsEveryBlockOnceAndComplete(t *testing.T) {
	list := keyList{Blocks: 3, Keys: 2*plan.BlockKeys + 7}
	part := func(from, to int, resolved, candidates int64) plan.Totals {
		return plan.Totals{From: from, To: to, Keys: resolved + candidates, Resolved: resolved, Candidates: candidates}
	}

	first := part(0, 1, plan.BlockKeys, 0)
	second := part(1, 2, 0, plan.BlockKeys)
	third := part(2, 3, 3, 4)
	tests := []struct {
		name  string
		list  keyList
		parts []plan.Totals
		wrong string
	}{
		{"a part per block", list, []plan.Totals{first, second, third}, ""},
		{"a part of all blocks", list, []plan.Totals{part(0, 3, 2*plan.BlockKeys, 7)}, ""},
		{"no keys and no parts", keyList{}, nil, ""},
		{"nothing", list, nil, "cover 0 of 3"},
		{"the last is missing", list, []plan.Totals{first, second}, "cover 2 of 3"},
		{"the first is missing", list, []plan.Totals{second, third}, "blocks 1 to 2 of 3"},
		{"one is missing in between", list, []plan.Totals{first, third}, "blocks 2 to 3 of 3"},
		{"one is there twice", list, []plan.Totals{first, first, second, third}, "blocks 0 to 1 of 3"},
		{"one of no block", list, []plan.Totals{first, part(1, 1, 0, 0), second, third}, "blocks 1 to 1 of 3"},
		{"one of a block too many", list, []plan.Totals{first, second, part(2, 4, plan.BlockKeys, 7)}, "blocks 2 to 4 of 3"},
		{"one that lacks a key", list, []plan.Totals{first, part(1, 2, 0, plan.BlockKeys-1), third}, "9999 of 10000 keys"},
		{"one with a key too many", list, []plan.Totals{first, second, part(2, 3, 4, 4)}, "8 of 7 keys"},
		{"one that judged too few", list, []plan.Totals{first, {From: 1, To: 2, Keys: plan.BlockKeys, Candidates: 5}, third}, "0 are equal and 5 differ"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := checkKeysCompared(tt.list, tt.parts)
			if tt.wrong == "" && err == nil {
				return
			}

			if fault.CodeOf(err) != fault.Internal || tt.wrong == "" || !strings.Contains(err.Error(), tt.wrong) {
				t.Errorf("got %v, want %q", err, tt.wrong)
			}
		})
	}
}
