package main

import (
	"testing"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// at returns a row with a commit time in seconds.
func at(v string, seconds float64) ruleoracle.Version {
	h := row("1", v)
	h.Micros, h.Timed = int64(seconds*1e6), true
	return h
}

func newestWish() wish {
	return wish{params: map[string]string{}, targets: []int{0, 1, 2}, byRule: func(o ruleoracle.Oracle, nodes []ruleoracle.Version) ruleoracle.Ruling {
		return o.Decide(api.ResolveNewest, nodes)
	}}
}

// A ruling that depends on the clock difference which a repair measures is open.
func TestRulings_AreOpenIfTheClockDifferenceDecides(t *testing.T) {
	for _, tt := range []struct {
		name  string
		times [3]float64
		want  int
	}{
		{"decided by any difference", [3]float64{10, 20, 30}, 1},
		{"a tie by any difference", [3]float64{10, 10.4, 10.2}, 1},
		{"decided by small differences only", [3]float64{10, 13, 15}, 2},
		{"the oldest is never the newest", [3]float64{10, 30, 33}, 2},
	} {
		nodes := []ruleoracle.Version{at("a", tt.times[0]), at("b", tt.times[1]), at("c", tt.times[2])}
		if got := newestWish().rulings(nodes); len(got) != tt.want {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
	}
}

// Nodes that an open ruling changed must have one version, which a ruling names.
func TestWinner_ReportsNodesThatBecameDifferent(t *testing.T) {
	before := state{{"1": at("a", 10)}, {"1": at("b", 13)}, {"1": at("c", 15)}}
	for _, tt := range []struct {
		name  string
		after [3]string
		wrong int // nodes that differ from the winner
	}{
		{"left alone", [3]string{"a", "b", "c"}, 0},
		{"the winner", [3]string{"c", "c", "c"}, 0},
		{"one node was rolled back", [3]string{"a", "c", "c"}, 1}, // its outcome is judged
		{"the older version", [3]string{"a", "a", "a"}, 2},
		{"two versions", [3]string{"c", "a", "c"}, 2},
		{"an invented version", [3]string{"x", "x", "x"}, 3},
	} {
		after, wrong := state{}, 0
		for _, v := range tt.after {
			after = append(after, content{"1": at(v, 20)})
		}
		for node := range after {
			if !ruleoracle.Same(newestWish().winner("1", node, before, after), after[node]["1"].Row) {
				wrong++
			}
		}
		if wrong != tt.wrong {
			t.Errorf("%s: %d nodes are reported, want %d", tt.name, wrong, tt.wrong)
		}
	}
}
