package structure_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

// oneSequence is a sequence on a node, and the largest value of its column.
type oneSequence struct {
	last, largest               int64
	increment, minimum, maximum string
	cycle                       string
}

func (s oneSequence) catalog() catalog.Catalog {
	c := of(object(catalog.Sequence, "public", "", "s", properties{
		catalog.Increment: s.increment, catalog.Minimum: s.minimum, catalog.Maximum: s.maximum, catalog.Cycle: s.cycle,
	}))
	state := catalog.SequenceState{Schema: "public", Name: "s", IsCalled: true, Columns: []catalog.ServedColumn{{Schema: "public", Table: "t", Name: "k", Furthest: value(s.largest)}}}
	if s.last == 0 {
		state.Unknown = "the role lacks SELECT on the sequence"
	} else {
		state.LastValue = value(s.last)
	}
	c.Sequences = []catalog.SequenceState{state}
	return c
}

// Nodes that interleave their values are compared with those that return the same values.
// A statement never moves a sequence out of its bounds or to the values of another node.
func TestSequences_NodesWithValuesOfTheirOwn(t *testing.T) {
	t.Parallel()
	by := func(increment string, last int64) oneSequence {
		return oneSequence{last: last, largest: 500, increment: increment}
	}
	setval := func(value string) string {
		return `SELECT pg_catalog.setval('"public"."s"', ` + value + `, last_value), true) FROM "public"."s";`
	}
	for name, test := range map[string]struct {
		nodes []oneSequence
		want  map[string]string // the fixes by node
	}{
		"odd and even":                        {nodes: []oneSequence{by("2", 401), by("2", 500)}},
		"two of three interleave":             {nodes: []oneSequence{by("2", 401), by("2", 500), by("2", 301)}, want: map[string]string{"n3": setval("GREATEST(401")}},
		"descending, odd and even":            {nodes: []oneSequence{by("-2", -401), by("-2", -500), by("-2", -301)}, want: map[string]string{"n3": setval("LEAST(-401")}},
		"one is unknown":                      {nodes: []oneSequence{by("2", 401), by("2", 0)}},
		"other increments":                    {nodes: []oneSequence{by("2", 500), by("10", 401)}, want: map[string]string{"n2": setval("GREATEST(500")}},
		"increment 1":                         {nodes: []oneSequence{by("1", 401), by("1", 500)}, want: map[string]string{"n1": setval("GREATEST(500")}},
		"ranges":                              {nodes: []oneSequence{{last: 5, largest: 1005, increment: "1", minimum: "1", maximum: "1000"}, {last: 1005, largest: 1005, increment: "1", minimum: "1001", maximum: "2000"}}},
		"lower than a value of its own range": {nodes: []oneSequence{{last: 5, largest: 9, increment: "1", minimum: "1", maximum: "1000"}, {last: 1005, largest: 9, increment: "1", minimum: "1001", maximum: "2000"}}, want: map[string]string{"n1": setval("GREATEST(9")}},
		"cycles":                              {nodes: []oneSequence{{last: 5, largest: 90, increment: "1", cycle: "true"}, {last: 90, largest: 90, increment: "1", cycle: "true"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			catalogs := map[string]catalog.Catalog{}
			for i, node := range test.nodes {
				catalogs["n"+string(rune('1'+i))] = node.catalog()
			}
			got := map[string]string{}
			for _, f := range structure.Compare(catalogs, structure.Options{}) {
				for node, fix := range f.Fix {
					if f.Rank == "drifts" && f.Detail[:3] == "the" {
						got[node] = fix
					}
				}
			}
			if test.want == nil {
				test.want = map[string]string{}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("fixes (-want +got):\n%s", diff)
			}
		})
	}
}
