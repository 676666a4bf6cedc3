package tablediff

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/blockplan"
	"ace/shared/fault"
	"ace/shared/table"
)

// planOf is a plan of this many leaves, two to a block.
func planOf(leaves int, nodes ...string) *Plan {
	p := &Plan{TaskID: "td_1", Nodes: nodes, BlockRows: 1000, Layout: blockplan.Layout{LeavesPerBlock: 2, BlocksPerBatch: 1}, hash: "h"}
	for i := 1; i < leaves; i++ {
		p.Layout.Bounds = append(p.Layout.Bounds, table.Key{strconv.Itoa(10 * i)})
	}
	return p
}

// partsOf are the parts of a run that divided the leaves at random.
func partsOf(rt *rapid.T, p *Plan) []Totals {
	var parts []Totals
	for from := 0; from < p.Layout.Leaves(); {
		to := rapid.IntRange(from+1, p.Layout.Leaves()).Draw(rt, "to")
		parts = append(parts, Totals{From: from, To: to, Range: p.Layout.Span(from, to)})
		from = to
	}
	return parts
}

func TestCheckCoverage_TakesEveryCompleteDivision(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := planOf(rapid.IntRange(1, 12).Draw(rt, "leaves"), "n1", "n2")
		parts := partsOf(rt, p)
		if err := checkCoverage(p, parts); err != nil {
			rt.Fatalf("%v of parts %+v", err, parts)
		}
	})
}

func TestCheckCoverage_RefusesEveryMutation(t *testing.T) {
	p := planOf(12, "n1", "n2")
	mutations := map[string]func(rt *rapid.T, parts []Totals) []Totals{
		"a part dropped": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Delete(parts, at, at+1)
		},
		"a part doubled": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Insert(parts, at, parts[at])
		},
		"two parts swapped": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(1, len(parts)-1).Draw(rt, "at")
			parts[at], parts[at-1] = parts[at-1], parts[at]
			return parts
		},
		"a part too short": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			if parts[at].To--; parts[at].To > 0 {
				parts[at].Range = p.Layout.Span(parts[at].From, parts[at].To)
			}
			return parts
		},
		"a part too long": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			parts[at].To++
			return parts
		},
		"a part that begins later": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			parts[at].From++
			return parts
		},
		"an empty part": func(rt *rapid.T, parts []Totals) []Totals {
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "at")
			return slices.Insert(parts, at, Totals{From: parts[at].From, To: parts[at].From, Range: table.Range{Lo: parts[at].Range.Lo, Hi: parts[at].Range.Lo}})
		},
		"an answer without content": func(rt *rapid.T, parts []Totals) []Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")] = Totals{}
			return parts
		},
		"another upper bound": func(rt *rapid.T, parts []Totals) []Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")].Range.Hi = table.Key{"5"}
			return parts
		},
		"another lower bound": func(rt *rapid.T, parts []Totals) []Totals {
			parts[rapid.IntRange(0, len(parts)-1).Draw(rt, "at")].Range.Lo = table.Key{"5"}
			return parts
		},
		"an open end that is closed": func(_ *rapid.T, parts []Totals) []Totals {
			parts[len(parts)-1].Range.Hi = table.Key{}
			return parts
		},
		"a bound that is open": func(rt *rapid.T, parts []Totals) []Totals {
			parts[rapid.IntRange(1, len(parts)-1).Draw(rt, "at")].Range.Lo = nil
			return parts
		},
		"all parts gone": func(*rapid.T, []Totals) []Totals { return nil },
	}
	for name, mutate := range mutations {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				parts := partsOf(rt, p)
				if len(parts) < 2 {
					parts = []Totals{{From: 0, To: 5, Range: p.Layout.Span(0, 5)}, {From: 5, To: 12, Range: p.Layout.Span(5, 12)}}
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
		compared, confirmed []Totals
		ok                  bool
	}{
		{"nothing to confirm", []Totals{{}, {}}, []Totals{{}, {}}, true},
		{"all judged", []Totals{{Candidates: 6}}, []Totals{{Mismatched: 3, Resolved: 2, Respelt: 1}}, true},
		{"one lost", []Totals{{Candidates: 6}}, []Totals{{Mismatched: 3, Resolved: 2}}, false},
		{"one too many", []Totals{{Candidates: 6}}, []Totals{{Mismatched: 7}}, false},
		{"right in sum only", []Totals{{Candidates: 1}, {Candidates: 2}}, []Totals{{Resolved: 2}, {Resolved: 1}}, false},
		{"one of which nobody had asked", []Totals{{Candidates: 2, Unasked: 1}}, []Totals{{Mismatched: 2, Unasked: 1}}, true},
		{"rows of one were not counted", []Totals{{Candidates: 2, Unasked: 1}}, []Totals{{Mismatched: 2}}, false},
		{"a part not confirmed", []Totals{{}, {Candidates: 1}}, []Totals{{}}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := checkConfirmed(tt.compared, tt.confirmed); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

// sumsOf draws what a scan finds of each leaf on each node: seldom something else than on the first.
func sumsOf(rt *rapid.T, p *Plan) [][]table.Sum {
	sums := make([][]table.Sum, len(p.Nodes))
	for node := range sums {
		for leaf := range p.Layout.Leaves() {
			sum := table.Sum{Rows: rapid.Int64Range(0, 900).Draw(rt, "rows")}
			if node > 0 && rapid.IntRange(0, 3).Draw(rt, "differs") > 0 {
				sum = sums[0][leaf]
			}
			sums[node] = append(sums[node], sum)
		}
	}
	return sums
}

func TestNarrowingUnits_CoverAllLeavesAndListEachDifferingOneOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := planOf(rapid.IntRange(1, 40).Draw(rt, "leaves"), "n1", "n2", "n3")
		sums := sumsOf(rt, p)
		buckets := rapid.SampledFrom([][]int{nil, {1, 3}}).Draw(rt, "buckets")
		units, equal := narrowingUnits(p, sums, buckets, rapid.Int64Range(1, 3000).Draw(rt, "listed"))
		parts := make([]Totals, len(units))
		differing := map[int]int64{}
		for i, u := range units {
			if u.Index != i || u.Phase != phaseCompare || u.TaskID != p.TaskID || u.PlanHash != p.Hash() || len(u.Leaves) != len(u.Rows) {
				rt.Fatalf("unit %d is %+v", i, u)
			}
			if (len(u.Buckets) > 0) != (len(buckets) > 0 && len(u.Leaves) > 0) {
				rt.Fatalf("unit %d reads buckets %v of leaves %v: without leaves it would list the whole table", i, u.Buckets, u.Leaves)
			}
			if u.From%p.Layout.LeavesPerBlock != 0 {
				rt.Fatalf("unit %d begins within a block, at leaf %d", i, u.From)
			}
			for k, leaf := range u.Leaves {
				if _, twice := differing[leaf]; twice || leaf < u.From || leaf >= u.To {
					rt.Fatalf("leaf %d is in the unit of leaves %d to %d, or in two", leaf, u.From, u.To)
				}
				differing[leaf] = u.Rows[k]
			}
			parts[i] = Totals{From: u.From, To: u.To, Range: p.Layout.Span(u.From, u.To)}
		}
		if err := checkCoverage(p, parts); err != nil {
			rt.Fatal(err)
		}
		var keys int64
		for leaf := range p.Layout.Leaves() {
			most := max(sums[0][leaf].Rows, sums[1][leaf].Rows, sums[2][leaf].Rows)
			same := sums[0][leaf] == sums[1][leaf] && sums[0][leaf] == sums[2][leaf]
			rows, listed := differing[leaf]
			if listed == same || listed && rows != most {
				rt.Fatalf("leaf %d: the same on all nodes %v, listed %v with %d rows", leaf, same, listed, rows)
			}
			if same {
				keys += most
			}
		}
		if equal.Keys != keys || !slices.Equal(equal.RowsPerNode, []int64{keys, keys, keys}) {
			rt.Fatalf("the equal leaves count %+v, want %d keys", equal, keys)
		}
	})
}

func TestPageSums_AddUpToTheWholeHoweverThePagesAreDivided(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const leaves = 5
		units := rapid.IntRange(1, 6).Draw(rt, "units")
		want := make([]table.Sum, leaves)
		found := make([]map[int]table.Sum, units)
		for range rapid.IntRange(0, 60).Draw(rt, "rows") {
			leaf, row := rapid.IntRange(0, leaves-1).Draw(rt, "leaf"), table.Sum{Rows: 1, Digest: rapid.Int64().Draw(rt, "digest")}
			want[leaf] = want[leaf].Add(row)
			u := rapid.IntRange(0, units-1).Draw(rt, "unit")
			if found[u] == nil {
				found[u] = map[int]table.Sum{}
			}
			found[u][leaf] = found[u][leaf].Add(row)
		}
		sums := [][]table.Sum{make([]table.Sum, leaves)}
		for _, part := range found {
			var row pageSums
			for leaf, sum := range part {
				row.Group, row.Rows, row.Digest = append(row.Group, leaf), append(row.Rows, sum.Rows), append(row.Digest, sum.Digest)
			}
			if err := row.addTo(sums); err != nil {
				rt.Fatal(err)
			}
		}
		if !slices.Equal(sums[0], want) {
			rt.Fatalf("the parts add up to %v, the whole is %v", sums[0], want)
		}
	})
}

func TestPageSums_ThatDoNotFitThePlanAreAnError(t *testing.T) {
	for name, row := range map[string]pageSums{
		"a node too many":    {Node: 2},
		"a leaf too high":    {Group: []int{3}, Rows: []int64{1}, Digest: []int64{1}},
		"a leaf below zero":  {Group: []int{-1}, Rows: []int64{1}, Digest: []int64{1}},
		"a count missing":    {Group: []int{0, 1}, Rows: []int64{1}, Digest: []int64{1, 2}},
		"a digest missing":   {Group: []int{0, 1}, Rows: []int64{1, 2}, Digest: []int64{1}},
		"a digest too many":  {Group: []int{0}, Rows: []int64{1}, Digest: []int64{1, 2}},
		"counts of no leaf":  {Rows: []int64{1}, Digest: []int64{1}},
		"everything missing": {Node: -1},
	} {
		sums := [][]table.Sum{make([]table.Sum, 3), make([]table.Sum, 3)}
		if err := row.addTo(sums); err == nil {
			t.Errorf("%s gives no error", name)
		}
	}
}

func TestPlan_PairsAreInClusterOrder(t *testing.T) {
	p := planOf(1, "n3", "n1", "n2")
	var names []string
	for _, pair := range p.pairs() {
		names = append(names, p.pairName(pair))
	}
	if want := []string{"n3/n1", "n3/n2", "n1/n2"}; !slices.Equal(names, want) {
		t.Errorf("pairs are %v, want %v", names, want)
	}
}

func TestDescribeRange_IsWrittenForPeople(t *testing.T) {
	lo, hi := table.Key{"a"}, table.Key{"b"}
	for want, r := range map[string]table.Range{
		"the whole table":                {},
		"keys below ('b')":               {Hi: hi},
		"keys from ('a')":                {Lo: lo},
		"keys from ('a') to below ('b')": {Lo: lo, Hi: hi},
	} {
		if got := describeRange(r); got != want {
			t.Errorf("%v is described as %q, want %q", r, got, want)
		}
	}
}

func TestLocate_SaysWhereButKeepsTheCode(t *testing.T) {
	p := planOf(3, "n1", "n2")
	u := Unit{Phase: phaseCompare, From: 1, To: 2}
	for _, code := range []fault.Code{fault.Unavailable, fault.Invalid, fault.Conflict, fault.Internal, fault.Cancelled} {
		err := p.locate(fault.New(code, "no"), u)
		if fault.CodeOf(err) != code {
			t.Errorf("%s became %s", code, fault.CodeOf(err))
		}
		said := fault.PublicMessage(err) == "no (keys from ('10') to below ('20'))"
		if internal := code == fault.Internal || code == fault.Cancelled; said == internal {
			t.Errorf("the message of %s is %q", code, fault.PublicMessage(err))
		}
	}
	if p.locate(nil, u) != nil {
		t.Error("no error became one")
	}
	p.Sources = []table.Source{{Leaves: []table.Leaf{{Relation: "a"}, {Relation: "b"}}}, {Leaves: []table.Leaf{{Relation: "c"}}}}
	p.Scans = [][][]table.Span{{{{Leaf: 0, From: 5, To: 6}, {Leaf: 0, From: 6, To: -1}, {Leaf: 1, To: 4}, {Leaf: 1, From: 4, To: 7}}, {{Leaf: 0, From: 2, To: 9}}}}
	for _, phase := range []string{phaseBuckets, phaseScan, phaseChanged, phaseAges} {
		err := p.locate(fault.New(fault.Invalid, "no"), Unit{Phase: phase})
		const want = "no (the pages of a from 5 and 1 more relations on n1, the pages of c from 2 to below 9 on n2)"
		if fault.PublicMessage(err) != want {
			t.Errorf("%s: the message is %q, want %q", phase, fault.PublicMessage(err), want)
		}
	}
}

func TestCounter_TellsEveryUnitOnce(t *testing.T) {
	var seen []string
	c := counter{total: 3, done: func(t Totals, done, total int) { seen = append(seen, fmt.Sprintf("%d: %d/%d", t.Keys, done, total)) }}
	order := rand.Perm(3)
	for _, i := range order {
		c.add(Totals{Keys: int64(i)})
	}
	want := []string{fmt.Sprintf("%d: 1/3", order[0]), fmt.Sprintf("%d: 2/3", order[1]), fmt.Sprintf("%d: 3/3", order[2])}
	if !slices.Equal(seen, want) {
		t.Errorf("told %v, want %v", seen, want)
	}
}
