package main

import (
	"slices"
	"time"

	"ace/shared/api"
)

// held is what a node has for a key. A nil row means that the node lacks it. All values
// are texts, with null for NULL.
type held struct {
	Row []string
	// micros is the commit time of the row's last write.
	micros int64
	timed  bool // whether micros is known
	// copied states that a repair or undo wrote the row. The original is as old or older.
	copied bool
}

// The bounds within which the oracle is sure about commit times. Times that are closer
// than the default of max_clock_skew are a tie. A repair that a slow node makes raises
// max_clock_skew, but never above sureGap.
const (
	tieGap  = time.Second
	sureGap = 8 * time.Second
)

// newestRuling is what `newest` says about a key. An open ruling means that docs/RULES.md
// leaves more than one result possible, by what plain SQL can read.
type newestRuling struct {
	open    bool
	decided bool
	winner  []string
}

// newestOf returns the ruling of `newest` for a key whose versions differ.
func newestOf(nodes []held, missing string) newestRuling {
	if slices.ContainsFunc(nodes, isMissing) {
		switch missing {
		case api.MissingDelete:
			return newestRuling{decided: true}
		case api.MissingSkip:
			return newestRuling{}
		}
	}
	having := slices.DeleteFunc(slices.Clone(nodes), isMissing)
	if !differ(having, nil) {
		return newestRuling{decided: true, winner: having[0].Row}
	}
	isTie := false
	for _, candidate := range having {
		least, _ := timesOf(candidate.Row, having)
		isNewest := true
		for _, other := range having {
			if same(other.Row, candidate.Row) {
				continue
			}
			otherLeast, otherMost := timesOf(other.Row, having)
			isNewest = isNewest && least-otherMost >= sureGap.Microseconds()
			isTie = isTie || mayTie(least, otherLeast, otherMost)
		}
		if isNewest {
			return newestRuling{decided: true, winner: candidate.Row}
		}
	}
	return newestRuling{open: !isTie || len(having) > 2}
}

// mayTie reports whether a version with this exact time ties with one whose time is
// exact, too.
func mayTie(at, otherLeast, otherMost int64) bool {
	apart := at - otherLeast
	return at > 0 && otherLeast == otherMost && max(apart, -apart) < tieGap.Microseconds()
}

// timesOf returns the earliest and the latest time at which a version may have been
// committed last.
func timesOf(row []string, having []held) (least, most int64) {
	const never = int64(1) << 60
	for _, n := range having {
		switch {
		case !same(n.Row, row):
		case !n.timed:
			most = never
		default:
			most = max(most, n.micros)
			if !n.copied {
				least = max(least, n.micros)
			}
		}
	}
	return least, most
}

// newestWinner returns the row that a node must have if the repair committed there. If
// the ruling is open, all targets that changed must have the same version, which one of
// the nodes had.
func newestWinner(w wish, key string, node int, before, after state) []string {
	nodes := versions(before, key)
	old := nodes[node].Row
	if !differ(nodes, nil) {
		return old
	}
	ruling := newestOf(nodes, w.params["missing"])
	switch {
	case ruling.decided:
		return ruling.winner
	case !ruling.open:
		return old
	}
	var chosen []string // nil until a target has changed
	for _, target := range w.targets {
		is := after[target][key].Row
		if same(is, before[target][key].Row) {
			continue
		}
		isVersion := slices.ContainsFunc(nodes, func(v held) bool { return is != nil && same(v.Row, is) })
		if !isVersion || chosen != nil && !same(chosen, is) {
			return old // and the node that differs from it is reported
		}
		chosen = is
	}
	if chosen == nil {
		return old
	}
	return chosen
}
