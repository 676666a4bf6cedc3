package main

import (
	"slices"
	"time"

	"ace/infra/testkit/ruleoracle"
	"ace/shared/api"
)

// null is the text that stands for NULL in a row.
const null = ruleoracle.Null

// The bounds of the clock difference by which a repair decides. Times that are closer
// than the default of max_clock_skew are a tie. A repair that a slow node makes raises
// max_clock_skew, but never above sureGap.
const (
	tieGap  = time.Duration(api.DefaultClockSkew)
	sureGap = 8 * time.Second
)

// wish is a repair, and what the oracle expects of it.
type wish struct {
	params  map[string]string
	targets []int
	// bySource returns the row of a target after a repair by a source of truth. It is nil in
	// a repair by rule.
	bySource func(key string, node int, before state) []string
	// byRule returns the ruling of a repair by rule.
	byRule func(o ruleoracle.Oracle, nodes []ruleoracle.Version) ruleoracle.Ruling
}

// rulings returns each ruling that is possible about a key. There are several if the
// clock difference, which the oracle does not know, decides.
func (w wish) rulings(nodes []ruleoracle.Version) []ruleoracle.Ruling {
	var possible []ruleoracle.Ruling
	for _, skew := range skews(nodes) {
		o := ruleoracle.Oracle{Missing: w.params["missing"], Skew: skew, TieBreaker: -1}
		ruling := w.byRule(o, nodes)
		if !slices.ContainsFunc(possible, func(p ruleoracle.Ruling) bool {
			return p.Kind == ruling.Kind && ruleoracle.Same(p.Winner, ruling.Winner)
		}) {
			possible = append(possible, ruling)
		}
	}
	return possible
}

// skews returns clock differences, in microseconds, of which one has the effect of the
// difference by which the repair decides: the bounds, and those between the times.
func skews(nodes []ruleoracle.Version) []int64 {
	least, most := tieGap.Microseconds(), sureGap.Microseconds()
	skews := []int64{least, most}
	for _, a := range nodes {
		for _, b := range nodes {
			if apart := a.Micros - b.Micros; apart >= least && apart < most {
				skews = append(skews, apart+1)
			}
		}
	}
	return skews
}

// winner returns the row that a node must have if the repair committed there. If several
// rulings are possible, all targets that changed must follow the same one.
func (w wish) winner(key string, node int, before, after state) []string {
	old := before[node][key].Row
	if !slices.Contains(w.targets, node) {
		return old
	}
	if w.bySource != nil {
		return w.bySource(key, node, before)
	}
	possible := w.rulings(versions(before, key))
	for _, ruling := range possible {
		if ruling.Kind == ruleoracle.Decided && (len(possible) == 1 || w.follows(ruling.Winner, key, before, after)) {
			return ruling.Winner
		}
	}
	return old
}

// follows reports whether a target has become the winner, and every target either has, or
// is as before.
func (w wish) follows(winner []string, key string, before, after state) bool {
	isFollowed := false
	for _, target := range w.targets {
		is, was := after[target][key].Row, before[target][key].Row
		switch {
		case ruleoracle.Same(is, was):
		case ruleoracle.Same(is, winner):
			isFollowed = true
		default:
			return false
		}
	}
	return isFollowed
}

// isOpen reports whether more than one ruling is possible about one of the keys.
func (w wish) isOpen(keys map[string]bool, before state) bool {
	for key := range keys {
		if w.byRule != nil && len(w.rulings(versions(before, key))) > 1 {
			return true
		}
	}
	return false
}

// countRulings counts how exactly a repair by rule is judged.
func (l *lane) countRulings(w wish, before state) {
	if w.byRule == nil {
		return
	}
	for key := range l.everyNode().allKeys(before) {
		nodes := versions(before, key)
		if !ruleoracle.Differ(nodes) {
			continue
		}
		kind := "open"
		if possible := w.rulings(nodes); len(possible) == 1 {
			kind = string(possible[0].Kind)
		}
		l.count("key: " + w.params["resolve"] + ", " + kind)
	}
}

func versions(s state, key string) (all []ruleoracle.Version) {
	for _, node := range s {
		all = append(all, node[key])
	}
	return all
}
