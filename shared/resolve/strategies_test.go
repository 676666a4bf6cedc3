package resolve_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ace/shared/resolve"
	"ace/shared/table"
)

var (
	three   = []string{"n1", "n2", "n3"}
	columns = []string{"id", "name", "city"}
	noon    = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
)

// row returns a version. Its digest depends on the texts; "-" is NULL.
func row(texts ...string) resolve.Version {
	v := resolve.Version{Present: true, Row: table.Row{new(string)}}
	*v.Row[0] = "7"
	for _, text := range texts {
		v.Digest = v.Digest*1_000_003 + 1
		for _, r := range text {
			v.Digest = v.Digest*31 + int64(r)
		}
		if text == "-" {
			v.Row = append(v.Row, nil)
			continue
		}
		v.Row = append(v.Row, &text)
	}
	return v
}

// at returns the version with a commit time, in milliseconds after noon.
func at(v resolve.Version, ms int) resolve.Version {
	v.Time = noon.Add(time.Duration(ms) * time.Millisecond)
	return v
}

// repaired returns the version as a repair wrote it at a time.
func repaired(v resolve.Version, ms int) resolve.Version {
	v = at(v, ms)
	v.Repaired = true
	return v
}

func missing() resolve.Version { return resolve.Version{} }

func newest(tieBreaker int, m resolve.Missing) resolve.Strategy {
	return resolve.Newest(three, resolve.NewestOptions{Skew: time.Second, TieBreaker: tieBreaker, Missing: m})
}

func TestStrategies(t *testing.T) {
	a, b, c := row("a", "x"), row("b", "x"), row("c", "x")
	insert := newest(resolve.NoTieBreaker, resolve.MissingInsert)
	fill := resolve.FillNulls(three, columns)
	tests := []struct {
		name     string
		strategy resolve.Strategy
		versions []resolve.Version
		verdict  resolve.Verdict
		node     int
		reason   string
	}{
		{"newest: equal rows are left", insert, list(at(a, 0), at(a, 5000), a), resolve.Leave, 0, "same version"},
		{"newest: the latest write wins", insert, list(at(a, 0), at(b, 1000), at(a, 0)), resolve.Row, 1, "n2 wrote last, at 2026-11-29T12:00:01.000000Z"},
		{"newest: equal versions have the time of the latest write", insert, list(at(a, 0), at(b, 2000), at(a, 5000)), resolve.Row, 0, "n1, n3 wrote last"},
		{"newest: too close", insert, list(at(a, 0), at(b, 999), at(a, 0)), resolve.Undecided, 0, "less than 1s apart"},
		{"newest: close versions that are both old do not matter", insert, list(at(a, 0), at(b, 1), at(c, 5000)), resolve.Row, 2, "n3 wrote last"},
		{"newest: a time is not known", insert, list(at(a, 0), b, at(a, 0)), resolve.Undecided, 0, "the commit time on n2 is not known"},
		{"newest: the unknown time belongs to the newest version", insert, list(at(a, 9000), at(b, 0), a), resolve.Row, 0, "wrote last"},
		{"newest: the tie-breaker decides", newest(1, resolve.MissingInsert), list(at(a, 0), at(b, 1), at(a, 0)), resolve.Row, 1, "n2 is the source of truth"},
		{"newest: the tie-breaker decides if a time is not known", newest(0, resolve.MissingInsert), list(at(a, 0), b, b), resolve.Row, 0, "n1 is the source of truth"},
		{"newest: an older version of the tie-breaker does not win", newest(2, resolve.MissingInsert), list(at(a, 9000), at(b, 9001), at(c, 0)), resolve.Undecided, 0, "apart"},
		{"newest: a repair is not a newer write", insert, list(repaired(a, 9000), at(b, 5000), at(c, 0)), resolve.Undecided, 0, "a repair wrote the version of n1 at 2026-11-29T12:00:09.000000Z"},
		{"newest: nor if a node has the original", insert, list(repaired(a, 9000), at(b, 5000), at(a, 0)), resolve.Undecided, 0, "a repair wrote the version of n1, n3"},
		{"newest: a write after the repair wins", insert, list(repaired(a, 4000), at(b, 5000), at(a, 0)), resolve.Row, 1, "n2 wrote last"},
		{"newest: the original of the repaired version wins over older ones", insert, list(repaired(a, 9000), at(b, 0), at(a, 5000)), resolve.Row, 0, "n1, n3 wrote last, at 2026-11-29T12:00:05"},
		{"newest: only repaired versions", insert, list(repaired(a, 9000), repaired(b, 0), repaired(a, 9000)), resolve.Undecided, 0, "a repair wrote"},
		{"newest: the tie-breaker decides after a repair", newest(1, resolve.MissingInsert), list(repaired(a, 9000), at(b, 5000), at(c, 0)), resolve.Row, 1, "n2 is the source of truth"},
		{"newest: insert", insert, list(missing(), at(a, 0), a), resolve.Row, 1, "missing on n1"},
		{"newest: insert the newer of two rows", insert, list(missing(), at(a, 0), at(b, 1000)), resolve.Row, 2, "wrote last"},
		{"newest: delete", newest(0, resolve.MissingDelete), list(missing(), at(a, 0), at(b, 1)), resolve.Absent, 0, "n1 lacks the row"},
		{"newest: skip", newest(0, resolve.MissingSkip), list(at(a, 0), missing(), at(b, 1)), resolve.Leave, 0, "n2 lacks the row"},

		{"majority: two of three", resolve.Majority(three), list(a, b, a), resolve.Row, 0, "2 of 3 nodes have this version"},
		{"majority: absence is a version", resolve.Majority(three), list(missing(), b, missing()), resolve.Absent, 0, "2 of 3 nodes lack the row"},
		{"majority: all differ", resolve.Majority(three), list(a, b, c), resolve.Undecided, 0, "at most 1 of 3"},
		{"majority: half is not enough", resolve.Majority([]string{"n1", "n2", "n3", "n4"}), list(a, b, a, b), resolve.Undecided, 0, "at most 2 of 4"},

		{"union: insert", resolve.Union(three), list(a, missing(), a), resolve.Row, 0, "missing on n2"},
		{"union: rows differ", resolve.Union(three), list(a, missing(), b), resolve.Undecided, 0, "n1 and n3 differ"},
		{"union: nothing is updated", resolve.Union(three), list(a, a, b), resolve.Undecided, 0, "n1 and n3 differ"},

		{"fill_nulls: one node has all values", fill, list(row("a", "-"), row("a", "x"), row("-", "x")), resolve.Row, 1, "n2 has a value wherever"},
		{"fill_nulls: composed", fill, list(row("a", "-"), row("-", "x"), row("-", "-")), resolve.Row, resolve.Composed, "put together"},
		{"fill_nulls: values differ", fill, list(row("a", "-"), row("b", "x"), row("a", "-")), resolve.Undecided, 0, `column "name" has different values`},
		{"fill_nulls: nothing is inserted", fill, list(row("a", "-"), missing(), row("a", "x")), resolve.Undecided, 0, "missing on n2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decisions, err := tt.strategy.Decide(context.Background(), []resolve.Case{{Key: table.Key{"7"}, Versions: tt.versions}})
			if err != nil || len(decisions) != 1 {
				t.Fatalf("got %d decisions, %v", len(decisions), err)
			}
			d := decisions[0]
			if d.Verdict != tt.verdict || d.Node != tt.node || !strings.Contains(d.Reason, tt.reason) {
				t.Errorf("got verdict %d, node %d: %s", d.Verdict, d.Node, d.Reason)
			}
		})
	}
}

func list(versions ...resolve.Version) []resolve.Version { return versions }

func TestFillNulls_ComposesARow(t *testing.T) {
	d := resolve.FillNulls(three, columns).One(resolve.Case{Versions: list(row("a", "-"), row("-", "x"), row("-", "-"))})
	if want := row("a", "x").Row; !d.Row.Equal(want) {
		t.Errorf("got %v", d.Row)
	}
}
