package main

import (
	"slices"
	"testing"

	"ace/shared/api"
)

// at returns a row with a commit time in seconds.
func at(v string, seconds float64) held {
	h := row("1", v)
	h.micros, h.timed = int64(seconds*1e6), true
	return h
}

func copied(h held) held {
	h.copied = true
	return h
}

func TestNewestOf_DecidesByCommitTimes(t *testing.T) {
	unknown, absent := row("1", "u"), held{}
	for _, tt := range []struct {
		name    string
		nodes   []held
		missing string
		want    newestRuling
	}{
		{"the latest", []held{at("a", 10), at("b", 40), at("a", 20)}, "", newestRuling{decided: true, winner: at("b", 0).Row}},
		{"the latest write of a version counts", []held{at("a", 10), at("b", 40), at("a", 60)}, "", newestRuling{decided: true, winner: at("a", 0).Row}},
		{"a tie", []held{at("a", 10), at("b", 10.4)}, "", newestRuling{}},
		{"near the allowed skew", []held{at("a", 10), at("b", 13)}, "", newestRuling{open: true}},
		{"a time that is not known", []held{at("a", 10), unknown}, "", newestRuling{open: true}},
		{"a copy is no newer than its original", []held{at("a", 10), copied(at("b", 60))}, "", newestRuling{open: true}},
		{"an older copy", []held{at("a", 60), copied(at("b", 10))}, "", newestRuling{decided: true, winner: at("a", 0).Row}},
		{"a missing row is inserted", []held{at("a", 10), absent, at("a", 30)}, api.MissingInsert, newestRuling{decided: true, winner: at("a", 0).Row}},
		{"a missing row is deleted", []held{at("a", 10), absent, at("b", 30)}, api.MissingDelete, newestRuling{decided: true}},
		{"a missing row is skipped", []held{at("a", 10), absent, at("b", 30)}, api.MissingSkip, newestRuling{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := newestOf(tt.nodes, tt.missing)
			if got.open != tt.want.open || got.decided != tt.want.decided || !slices.Equal(got.winner, tt.want.winner) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Nodes that an open ruling changed must have one version, which a node had before.
func TestNewestWinner_ReportsNodesThatBecameDifferent(t *testing.T) {
	before := state{{"1": at("a", 10)}, {"1": at("b", 13)}, {"1": at("c", 15)}}
	w := wish{newest: true, params: map[string]string{}, targets: []int{0, 1, 2}}
	for _, tt := range []struct {
		name  string
		after [3]string
		wrong int // nodes that differ from the winner
	}{
		{"left alone", [3]string{"a", "b", "c"}, 0},
		{"one version", [3]string{"c", "c", "c"}, 0},
		{"one node was rolled back", [3]string{"a", "c", "c"}, 1}, // its outcome is judged
		{"two versions", [3]string{"c", "a", "c"}, 2},
		{"an invented version", [3]string{"x", "x", "x"}, 3},
	} {
		after, wrong := state{}, 0
		for _, v := range tt.after {
			after = append(after, content{"1": at(v, 20)})
		}
		for node := range after {
			if !same(newestWinner(w, "1", node, before, after), after[node]["1"].Row) {
				wrong++
			}
		}
		if wrong != tt.wrong {
			t.Errorf("%s: %d nodes are reported, want %d", tt.name, wrong, tt.wrong)
		}
	}
}
