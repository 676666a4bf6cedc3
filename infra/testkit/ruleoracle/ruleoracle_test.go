package ruleoracle

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ace/shared/api"
	"ace/shared/rules"
)

// row returns a row with the value v and a commit time in seconds.
func row(v string, seconds float64) Version {
	return Version{Row: []string{"1", v, "10"}, Micros: int64(seconds * 1e6), Timed: true}
}

func copied(v Version) Version {
	v.Copied = true
	return v
}

func check(t *testing.T, name string, got Ruling, kind Kind, winner []string) {
	t.Helper()
	if got.Kind != kind || !Same(got.Winner, winner) {
		t.Errorf("%s: got %+v, want %s %q", name, got, kind, winner)
	}
}

// The sentences of docs/RULES.md about newest, one by one.
func TestDecide_NewestIsTheVersionCommittedLast(t *testing.T) {
	unknown, absent := Version{Row: row("u", 0).Row}, Version{}
	for _, tt := range []struct {
		name    string
		nodes   []Version
		missing string
		prefers int // the tie-breaker, from 1
		kind    Kind
		winner  []string
	}{
		{"equal versions", []Version{row("a", 1), row("a", 9)}, "", 0, Equal, nil},
		{"the latest", []Version{row("a", 10), row("b", 40), row("a", 20)}, "", 0, Decided, row("b", 0).Row},
		{"the latest write of a version counts", []Version{row("a", 10), row("b", 40), row("a", 60)}, "", 0, Decided, row("a", 0).Row},
		{"a tie", []Version{row("a", 10), row("b", 10.4)}, "", 0, Undecided, nil},
		{"a tie-breaker", []Version{row("a", 10), row("b", 10.4)}, "", 1, Decided, row("a", 0).Row},
		{"a tie-breaker that is older", []Version{row("a", 10), row("b", 40)}, "", 1, Decided, row("b", 0).Row},
		{"a time that is not known", []Version{row("a", 10), unknown}, "", 0, Undecided, nil},
		{"a time that is known of the same version", []Version{unknown, {Row: unknown.Row, Micros: 5e7, Timed: true}, row("a", 10)}, "", 0, Decided, unknown.Row},
		{"a copy is no newer than its original", []Version{row("a", 10), copied(row("b", 60))}, "", 0, Undecided, nil},
		{"an older copy", []Version{row("a", 60), copied(row("b", 10))}, "", 0, Decided, row("a", 0).Row},
		{"a missing row is inserted", []Version{row("a", 10), absent, row("a", 30)}, api.MissingInsert, 0, Decided, row("a", 0).Row},
		{"a missing row is deleted", []Version{row("a", 10), absent, row("b", 30)}, api.MissingDelete, 0, Decided, nil},
		{"a missing row is skipped", []Version{row("a", 10), absent, row("b", 30)}, api.MissingSkip, 0, LeftAlone, nil},
	} {
		o := Oracle{Missing: tt.missing, Skew: time.Second.Microseconds(), TieBreaker: tt.prefers - 1}
		check(t, tt.name, o.Decide(api.ResolveNewest, tt.nodes), tt.kind, tt.winner)
	}
}

func TestDecide_TheOtherStrategies(t *testing.T) {
	a, b, absent := row("a", 0), row("b", 0), Version{}
	empty := Version{Row: []string{"1", Null, "10"}}
	for _, tt := range []struct {
		strategy string
		nodes    []Version
		kind     Kind
		winner   []string
	}{
		{api.ResolveMajority, []Version{a, b, a}, Decided, a.Row},
		{api.ResolveMajority, []Version{absent, b, absent}, Decided, nil},
		{api.ResolveMajority, []Version{a, b}, Undecided, nil},
		{api.ResolveUnion, []Version{a, absent, a}, Decided, a.Row},
		{api.ResolveUnion, []Version{a, absent, b}, Undecided, nil},
		{api.ResolveFillNulls, []Version{empty, a, a}, Decided, a.Row},
		{api.ResolveFillNulls, []Version{empty, a, b}, Undecided, nil},
		{api.ResolveFillNulls, []Version{empty, a, absent}, Undecided, nil},
	} {
		check(t, tt.strategy, Oracle{TieBreaker: -1}.Decide(tt.strategy, tt.nodes), tt.kind, tt.winner)
	}
}

func sampleTable() Table {
	return Table{Nodes: []string{"n1", "n2", "n3"}, Order: []int{2, 0, 1}, Columns: []string{"id", "v", "n"}, Key: 1, Compare: func(_, a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	}}
}

// Each selector and each action of docs/RULES.md.
func TestDecideBy_SelectorsAndActions(t *testing.T) {
	origin := "o"
	a, b, c, absent := row("a", 10), row("b", 20), row("B", 30), Version{}
	c.Origin = origin
	at15 := time.UnixMicro(15e6)
	for _, tt := range []struct {
		name   string
		when   When
		take   Action
		nodes  []Version
		kind   Kind
		winner []string
	}{
		{"different", When{Kind: "different"}, Action{How: "node", Node: 1}, []Version{a, b, c}, Decided, b.Row},
		{"different needs all nodes", When{Kind: "different"}, Action{How: "node", Node: 1}, []Version{a, b, absent}, LeftAlone, nil},
		{"missing", When{Kind: "missing"}, Action{How: "delete"}, []Version{a, b, absent}, Decided, nil},
		{"missing on all of a list", When{Kind: "missing", On: []int{1, 2}}, Action{How: "delete"}, []Version{a, b, absent}, LeftAlone, nil},
		{"nodes", When{Nodes: []int{0, 1}}, Action{How: "undecided"}, []Version{a, a, b}, LeftAlone, nil},
		{"columns", When{Columns: []string{"n"}}, Action{How: "delete"}, []Version{a, b, c}, LeftAlone, nil},
		{"columns of one row", When{Columns: []string{"v"}}, Action{How: "delete"}, []Version{a, absent, absent}, LeftAlone, nil},
		{"keys", When{Keys: &Keys{Has: func(key []string) bool { return key[0] == "1" }}}, Action{How: "delete"}, []Version{absent, b, c}, Decided, nil},
		{"written before", When{Written: &Written{Before: at15}}, Action{How: "delete"}, []Version{a, b, c}, Decided, nil},
		{"written before, on other nodes", When{Written: &Written{Before: at15, On: []int{1, 2}}}, Action{How: "delete"}, []Version{a, b, c}, LeftAlone, nil},
		{"one version satisfies all members", When{Written: &Written{Before: at15, Origin: &origin}}, Action{How: "delete"}, []Version{a, b, c}, LeftAlone, nil},
		{"written by an origin", When{Written: &Written{After: at15, Origin: &origin}}, Action{How: "delete"}, []Version{a, b, c}, Decided, nil},
		{"where", When{Where: &Where{IsTrue: func(v []Version) bool { return v[2].Row == nil }}}, Action{How: "delete"}, []Version{a, b, c}, LeftAlone, nil},
		{"a node that lacks the row", When{Kind: "missing"}, Action{How: "node", Node: 2}, []Version{a, b, absent}, Undecided, nil},
		{"min", When{Kind: "different"}, Action{How: "columns", Default: &Choice{How: "min"}}, []Version{c, b, b}, Decided, b.Row},
		{"max of equal values is that of the first node", When{Kind: "different"}, Action{How: "columns", Columns: map[string]Choice{"v": {How: "max"}}}, []Version{a, b, c}, Decided, c.Row},
		{"newest of a column", When{Kind: "different"}, Action{How: "columns", Default: &Choice{How: "newest"}}, []Version{a, b, c}, Decided, c.Row},
		{"no choice", When{Kind: "different"}, Action{How: "columns", Columns: map[string]Choice{"n": {How: "max"}}}, []Version{a, b, c}, Undecided, nil},
		{"non_null that differ", When{Kind: "different"}, Action{How: "columns", Default: &Choice{How: "non_null"}}, []Version{a, b, c}, Undecided, nil},
	} {
		d := Document{Rules: []Rule{{When: tt.when, Take: tt.take}}, Otherwise: &Action{How: "skip"}}
		got := Oracle{Skew: 1e6, TieBreaker: -1}.DecideBy(d, sampleTable(), tt.nodes)
		check(t, tt.name, got, tt.kind, tt.winner)
	}
}

// The service accepts every document that is drawn.
func TestDrawer_DrawsValidDocuments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	origin := ""
	drawer := Drawer{
		R: r, Table: sampleTable(), Ordered: []string{"n"},
		Keys:    func() Keys { return Keys{Members: []any{"1"}} },
		Written: func() Written { return Written{Origin: &origin, Before: time.Unix(1, 0).UTC()} },
		Where:   func() Where { return Where{SQL: "n1.v IS NULL"} },
	}
	drawn := map[string]bool{}
	for range 500 {
		drawer.Untimed = !drawer.Untimed
		text := drawer.Table.Text(drawer.Document())
		if _, err := rules.Parse([]byte(text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if drawer.Untimed && strings.Contains(text, "newest") {
			t.Fatalf("without times: %s", text)
		}
		for _, word := range []string{"nodes", "kind", "on", "columns", "keys", "written", "where", "newest", "min", "non_null", "skip", "otherwise"} {
			drawn[word] = drawn[word] || strings.Contains(text, `"`+word+`"`)
		}
	}
	for word, isDrawn := range drawn {
		if !isDrawn {
			t.Errorf("%s is never drawn", word)
		}
	}
}
