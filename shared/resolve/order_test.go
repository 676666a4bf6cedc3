package resolve_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ace/shared/resolve"
)

// TestStrategies_DoNotDependOnTheOrderOfTheNodes permutes the nodes of random cases. The
// decision must be the same, and only one version can win.
func TestStrategies_DoNotDependOnTheOrderOfTheNodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		versions := rapid.SliceOfN(rapid.Custom(drawVersion), 2, 5).Draw(t, "versions")
		order := rapid.Permutation(indexes(len(versions))).Draw(t, "order")
		tieBreaker := rapid.IntRange(resolve.NoTieBreaker, len(versions)-1).Draw(t, "tie breaker")
		mode := rapid.SampledFrom([]resolve.Missing{resolve.MissingInsert, resolve.MissingDelete, resolve.MissingSkip}).Draw(t, "missing")

		permuted := make([]resolve.Version, len(versions))
		permutedTie := resolve.NoTieBreaker
		for to, from := range order {
			permuted[to] = versions[from]
			if from == tieBreaker {
				permutedTie = to
			}
		}

		before, after := strategies(len(versions), tieBreaker, mode), strategies(len(versions), permutedTie, mode)
		for name := range before {
			want := before[name].One(resolve.Case{Versions: versions})
			got := after[name].One(resolve.Case{Versions: permuted})
			if got.Verdict != want.Verdict {
				t.Fatalf("%s: got %+v, in another order %+v", name, want, got)
			}
			if got.Verdict == resolve.Row && !winner(got, permuted).Row.Equal(winner(want, versions).Row) {
				t.Fatalf("%s: the row %+v wins, in another order %+v", name, winner(want, versions), winner(got, permuted))
			}
		}
	})
}

func drawVersion(t *rapid.T) resolve.Version {
	if rapid.IntRange(0, 4).Draw(t, "absent") == 0 {
		return missing()
	}
	v := row(rapid.SampledFrom([]string{"a", "b", "-"}).Draw(t, "name"), rapid.SampledFrom([]string{"x", "-"}).Draw(t, "city"))
	if rapid.IntRange(0, 4).Draw(t, "unknown") > 0 {
		v = at(v, 400*rapid.IntRange(0, 8).Draw(t, "time"))
		v.Repaired = rapid.IntRange(0, 3).Draw(t, "repaired") == 0
	}
	return v
}

func indexes(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func strategies(nodes, tieBreaker int, mode resolve.Missing) map[string]resolve.Strategy {
	names := []string{"n1", "n2", "n3", "n4", "n5"}[:nodes]
	return map[string]resolve.Strategy{
		"newest":     resolve.Newest(names, resolve.NewestOptions{Skew: time.Second, TieBreaker: tieBreaker, Missing: mode}),
		"majority":   resolve.Majority(names),
		"union":      resolve.Union(names),
		"fill_nulls": resolve.FillNulls(names, columns),
	}
}

// winner returns the version that a decision chose.
func winner(d resolve.Decision, versions []resolve.Version) resolve.Version {
	if d.Node == resolve.Composed {
		return resolve.Version{Present: true, Row: d.Row}
	}
	return versions[d.Node]
}
