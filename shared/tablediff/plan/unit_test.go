package plan

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// roundTrip checks that a value is equal after it was encoded as JSON and decoded.
func roundTrip[T any](rt *rapid.T, value T) {
	text, err := json.Marshal(value)
	if err != nil {
		rt.Fatal(err)
	}

	var back T
	if err := json.Unmarshal(text, &back); err != nil {
		rt.Fatalf("%v of %s", err, text)
	}
	if diff := cmp.Diff(value, back); diff != "" {
		rt.Fatalf("%s (-sent +received):\n%s", text, diff)
	}
}

// drawKey draws a key; nil is an open bound.
func drawKey(rt *rapid.T, label string) table.Key {
	if rapid.Bool().Draw(rt, label+" is open") {
		return nil
	}
	return rapid.SliceOfN(rapid.String(), 1, 3).Draw(rt, label)
}

// some draws a list of at most four values, or nil.
func some[T any](rt *rapid.T, of *rapid.Generator[T], label string) []T {
	list := rapid.SliceOfN(of, 0, 4).Draw(rt, label)
	if len(list) == 0 {
		return nil
	}
	return list
}

func TestUnitAndTotals_SurviveJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		roundTrip(rt, Unit{
			TaskID: rapid.String().Draw(rt, "task"), PlanHash: rapid.String().Draw(rt, "hash"), Phase: PhaseCompare,
			Index: rapid.Int().Draw(rt, "index"), From: rapid.Int().Draw(rt, "from"), To: rapid.Int().Draw(rt, "to"),
			Chunks: some(rt, rapid.Int(), "chunks"), Rows: some(rt, rapid.Int64(), "rows"), Buckets: some(rt, rapid.Int(), "buckets"),
			Dense: rapid.Bool().Draw(rt, "dense"), Probe: rapid.Bool().Draw(rt, "probe"), Before: some(rt, rapid.Int64(), "before"),
		})
		roundTrip(rt, Totals{
			From: rapid.Int().Draw(rt, "from"), To: rapid.Int().Draw(rt, "to"),
			Range:       table.Range{Lo: drawKey(rt, "lo"), Hi: drawKey(rt, "hi")},
			RowsPerNode: some(rt, rapid.Int64(), "rows"), Keys: rapid.Int64().Draw(rt, "keys"),
			Candidates: rapid.Int64().Draw(rt, "candidates"), PairCandidates: some(rt, rapid.Int64(), "pairs"),
			Mismatched: rapid.Int64().Draw(rt, "mismatched"), Resolved: rapid.Int64().Draw(rt, "resolved"),
			Unsettled: rapid.Int64().Draw(rt, "unsettled"), KeyVariants: rapid.Int64().Draw(rt, "respelt"), Blocks: rapid.Int().Draw(rt, "blocks"),
			Pairs: some(rt, rapid.Custom(func(rt *rapid.T) PairTotals {
				return PairTotals{OnlyA: rapid.Int64().Draw(rt, "a"), Different: 1, Columns: some(rt, rapid.Int64(), "columns"), Limited: rapid.Bool().Draw(rt, "limited")}
			}), "pairs"),
			Outliers: some(rt, rapid.Custom(func(rt *rapid.T) OutlierTotals {
				return OutlierTotals{Alone: rapid.Int64().Draw(rt, "alone"), Minority: rapid.Int64().Draw(rt, "minority")}
			}), "outliers"),
		})
	})
}

func TestCountOutliers_CountsLikeAListOfVersions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		versions := rapid.SliceOfN(rapid.IntRange(0, 3), 2, 6).Draw(rt, "versions") // per node
		nodes := len(versions)
		p := Plan{Nodes: make([]string, nodes)}
		var differs []bool
		for _, pair := range p.Pairs() {
			differs = append(differs, versions[pair.A] != versions[pair.B])
		}
		got := make([]OutlierTotals, nodes)
		CountOutliers(got, p.Pairs(), differs)

		holders := map[int]int{}
		most := 0
		for _, v := range versions {
			holders[v]++
			most = max(most, holders[v])
		}
		want := make([]OutlierTotals, nodes)
		for node, v := range versions {
			if nodes > 2 && holders[v] < most {
				want[node].Minority = 1
			}
			if nodes > 2 && holders[v] == 1 && len(holders) == 2 {
				want[node].Alone = 1
			}
		}
		if !cmp.Equal(got, want) {
			rt.Fatalf("versions %v: %v, want %v", versions, got, want)
		}
	})
}

func TestPartLines_RoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digest := rapid.Custom(func(rt *rapid.T) *int64 {
			if rapid.Bool().Draw(rt, "no row") {
				return nil
			}

			d := rapid.Int64().Draw(rt, "digest")
			return &d
		})

		nodes := rapid.IntRange(2, 4).Draw(rt, "nodes")
		key := table.Key(rapid.SliceOfN(rapid.String(), 1, 3).Draw(rt, "key"))
		c := Candidate{Key: key, Block: rapid.IntRange(0, 1e6).Draw(rt, "block"), Digest: rapid.SliceOfN(digest, nodes, nodes).Draw(rt, "digests")}
		line := c.AppendLine(nil)
		if bytes.ContainsRune(line, '\n') {
			rt.Fatalf("line %q", line)
		}
		if got, err := ReadCandidate(line, nodes); err != nil || !cmp.Equal(got, c) {
			rt.Fatalf("candidate %v came back as %v, %v", c, got, err)
		}

		encoder, err := difffile.NewEncoder([]difffile.Column{{Name: rapid.String().Draw(rt, "name"), Type: "text"}})
		if err != nil {
			rt.Fatal(err)
		}

		f := Finding{Unsettled: rapid.Bool().Draw(rt, "unsettled"), Differs: rapid.SliceOfN(rapid.Bool(), 1, 6).Draw(rt, "pairs"), Rows: make([]difffile.Encoded, nodes)}
		f.Key = table.AppendKey(nil, key)
		for node := range f.Rows {
			if text := rapid.Ptr(rapid.String(), true).Draw(rt, "value"); rapid.Bool().Draw(rt, "row") {
				if f.Rows[node], err = encoder.Append(nil, difffile.Row{text}); err != nil {
					rt.Fatal(err)
				}
			}
		}

		if rapid.Bool().Draw(rt, "commit times") {
			f.Writes = make([][]byte, nodes)
			for node := range f.Writes {
				want := table.LastWrite{At: "2026-11-29T02:00:01.123456Z", Origin: rapid.String().Draw(rt, "origin")}
				f.Writes[node] = AppendWrite(nil, want)
				if got, err := ReadWrite(f.Writes[node]); err != nil || got != want {
					rt.Fatalf("last write %v came back as %v, %v", want, got, err)
				}
			}
			f.Writes[0] = nil
		}

		line = f.AppendLine(nil)
		if got, err := ReadFinding(line, len(f.Differs), nodes); err != nil || !cmp.Equal(got, f) || bytes.ContainsRune(line, '\n') {
			rt.Fatalf("finding %v came back as %v, %v", f, got, err)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("7\t[\"1\"]\t-\t12"), []byte("u\t1\t[\"1\"]\t{}\t"))
	f.Add([]byte(""), []byte("\t\t\t"))
	f.Add([]byte(""), []byte("-\t1\t[\"1\"]\t{}\t\t[\"2026-11-29T02:00:01.123456Z\",\"\"]\t"))
	f.Fuzz(func(t *testing.T, candidateLine, findingLine []byte) {
		if c, err := ReadCandidate(candidateLine, 2); err == nil && len(c.Digest) != 2 {
			t.Errorf("a candidate with %d digests", len(c.Digest))
		}
		if found, err := ReadFinding(findingLine, 1, 2); err == nil && (len(found.Differs) != 1 || len(found.Rows) != 2 || len(found.Writes) != 0 && len(found.Writes) != 2) {
			t.Errorf("a finding with %d pairs, %d rows and %d last writes", len(found.Differs), len(found.Rows), len(found.Writes))
		}
	})
}

func TestUnitCheck_RefusesBucketsThatThePlanLacks(t *testing.T) {
	p := samplePlan(4, "n1", "n2")
	p.Scans = make([][][]table.PageRange, 2)
	for _, u := range []Unit{
		{Phase: PhaseBuckets}, {Phase: PhaseScan, Buckets: []int{0}}, {Phase: PhaseCompare, To: 4, Buckets: []int{0}},
	} {
		if err := u.Check(p); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%+v: %v, want an Internal error", u, err)
		}
	}

	p.ByText = true // no index has the order of the chunks
	if err := (Unit{Phase: PhaseCompare, To: 4, Dense: true}).Check(p); fault.CodeOf(err) != fault.Internal {
		t.Errorf("a dense unit of chunks by text: %v, want an Internal error", err)
	}
}

func TestUnitCheck_RefusesUnitsThatDoNotFitThePlan(t *testing.T) {
	p := samplePlan(4, "n1", "n2", "n3")
	p.Scans = make([][][]table.PageRange, 2)
	p.Buckets = 8
	before := []int64{0, 0, 0}
	for _, tt := range []struct {
		name string
		unit Unit
		fits bool
	}{
		{"all chunks", Unit{Phase: PhaseCompare, To: 4}, true},
		{"the last chunk", Unit{Phase: PhaseCompare, From: 3, To: 4, Chunks: []int{3}, Rows: []int64{1}}, true},
		{"too many chunks", Unit{Phase: PhaseCompare, To: 5}, false},
		{"no chunk", Unit{Phase: PhaseCompare, From: 2, To: 2}, false},
		{"chunks backwards", Unit{Phase: PhaseCompare, From: 3, To: 2}, false},
		{"chunks below zero", Unit{Phase: PhaseCompare, From: -1, To: 2}, false},
		{"an index below zero", Unit{Phase: PhaseCompare, Index: -1, To: 4}, false},
		{"a chunk of another unit", Unit{Phase: PhaseCompare, To: 2, Chunks: []int{2}, Rows: []int64{1}}, false},
		{"a chunk without rows", Unit{Phase: PhaseCompare, To: 2, Chunks: []int{1}}, false},
		{"the last scan", Unit{Phase: PhaseScan, Index: 1}, true},
		{"a scan too many", Unit{Phase: PhaseScan, Index: 2}, false},
		{"a confirmation", Unit{Phase: PhaseConfirm, To: 4, Before: before}, true},
		{"a confirmation without the candidates before", Unit{Phase: PhaseConfirm, To: 4}, false},
		{"a confirmation of other nodes", Unit{Phase: PhaseConfirm, To: 4, Before: before[:1]}, false},
		{"a chunk twice", Unit{Phase: PhaseCompare, To: 4, Chunks: []int{1, 1}, Rows: []int64{1, 1}}, false},
		{"chunks out of order", Unit{Phase: PhaseCompare, To: 4, Chunks: []int{2, 1}, Rows: []int64{1, 1}}, false},
		{"the buckets", Unit{Phase: PhaseBuckets, Index: 1}, true},
		{"buckets of pages too many", Unit{Phase: PhaseBuckets, Index: 2}, false},
		{"some buckets of all", Unit{Phase: PhaseBuckets, Buckets: []int{1}}, true},
		{"a bucket too many of all", Unit{Phase: PhaseBuckets, Buckets: []int{8}}, false},
		{"changes without a baseline", Unit{Phase: PhaseChanged}, false},
		{"the chunks of some buckets", Unit{Phase: PhaseScan, Buckets: []int{0, 7}}, true},
		{"the chunks of a bucket too many", Unit{Phase: PhaseScan, Buckets: []int{0, 8}}, false},
		{"the chunks of a bucket below zero", Unit{Phase: PhaseScan, Buckets: []int{-1}}, false},
		{"some buckets of the whole table", Unit{Phase: PhaseCompare, To: 4, Buckets: []int{0, 7}}, true},
		{"some buckets of a part of the table", Unit{Phase: PhaseCompare, To: 3, Buckets: []int{0, 7}}, false},
		{"some buckets of some chunks", Unit{Phase: PhaseCompare, From: 1, To: 3, Chunks: []int{2}, Rows: []int64{1}, Buckets: []int{0, 7}}, true},
		{"a bucket too many", Unit{Phase: PhaseCompare, To: 4, Buckets: []int{8}}, false},
		{"a bucket twice", Unit{Phase: PhaseCompare, To: 4, Buckets: []int{3, 3}}, false},
		{"all at once", Unit{Phase: PhaseCompare, From: 1, To: 3, Dense: true}, true},
		{"all at once of some chunks", Unit{Phase: PhaseCompare, To: 4, Dense: true, Chunks: []int{1}, Rows: []int64{1}}, false},
		{"all at once of some buckets", Unit{Phase: PhaseCompare, To: 4, Dense: true, Buckets: []int{1}}, false},
		{"the first unit", Unit{Phase: PhaseCompare, To: 4, Probe: true}, true},
		{"an unknown phase", Unit{Phase: "merge", To: 4}, false},
		{"no phase", Unit{To: 4}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.unit.Check(p)
			if (err == nil) != tt.fits || err != nil && fault.CodeOf(err) != fault.Internal {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestUnitCheck_OfARerun(t *testing.T) {
	plan := &Plan{Strategy: Keys, Nodes: []string{"n1", "n2"}}
	for name, u := range map[string]Unit{
		"compare": {Phase: PhaseCompare, From: 5, To: 15}, "confirm": {Phase: PhaseConfirm, From: 5, To: 15, Before: []int64{0}},
	} {
		if err := u.Check(plan); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	for name, u := range map[string]Unit{
		"a scan":                  {Phase: PhaseScan},
		"buckets":                 {Phase: PhaseBuckets},
		"a unit of no block":      {Phase: PhaseCompare, From: 3, To: 3},
		"a unit before the first": {Phase: PhaseCompare, From: -1, To: 3},
		"a confirm of no pair":    {Phase: PhaseConfirm, From: 0, To: 1},
		"chunks":                  {Phase: PhaseCompare, From: 0, To: 1, Chunks: []int{3}, Rows: []int64{1}},
		"the keys themselves":     {Phase: PhaseKeys, From: 0, To: 1},
	} {
		if err := u.Check(plan); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%s fits: %v", name, err)
		}
	}

	probing := Unit{Phase: PhaseCompare, From: 0, To: 1, Probe: true}
	if err := probing.Check(plan); err != nil {
		t.Errorf("a unit that may skip digests: %v", err)
	}

	for _, p := range []*Plan{{Strategy: Keys, Nodes: plan.Nodes, ConfirmDelay: 1}, {Strategy: Keys, Nodes: plan.Nodes, ByText: true}} {
		if err := probing.Check(p); fault.CodeOf(err) != fault.Internal {
			t.Errorf("it fits %+v: %v", p, err)
		}
	}
}
