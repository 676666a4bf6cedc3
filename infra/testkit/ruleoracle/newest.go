package ruleoracle

import "slices"

// newest returns the ruling of newest about a key whose versions differ.
func (o Oracle) newest(nodes []Version) Ruling {
	if ruling, ok := o.absence(nodes); ok {
		return ruling
	}

	var newest [][]string // the versions that may be the newest
	for _, n := range having(nodes) {
		isKnown := slices.ContainsFunc(newest, func(row []string) bool { return Same(row, n.Row) })
		if !isKnown && o.mayBeNewest(n.Row, nodes) {
			newest = append(newest, n.Row)
		}
	}
	if len(newest) == 1 {
		return decided(newest[0])
	}
	if o.TieBreaker >= 0 {
		preferred := nodes[o.TieBreaker].Row
		if slices.ContainsFunc(newest, func(row []string) bool { return Same(row, preferred) }) {
			return decided(preferred)
		}
	}
	return Ruling{Kind: Undecided}
}

// mayBeNewest reports whether no other version is known to be newer than this one.
func (o Oracle) mayBeNewest(row []string, nodes []Version) bool {
	_, latest := written(row, nodes)
	for _, other := range having(nodes) {
		if Same(other.Row, row) {
			continue
		}
		earliest, _ := written(other.Row, nodes)
		if earliest > latest && earliest-latest >= o.Skew {
			return false
		}
	}
	return true
}

// written returns the bounds, in microseconds, between which a version was committed
// last. Nodes with the same version have one version, with the time of its latest write.
// A time that is not known may be any time. A copy is at most as new as it was written.
func written(row []string, nodes []Version) (earliest, latest int64) {
	const never = int64(1) << 60
	for _, n := range nodes {
		switch {
		case !Same(n.Row, row):
		case !n.Timed:
			latest = never
		default:
			latest = max(latest, n.Micros)
			if !n.Copied {
				earliest = max(earliest, n.Micros)
			}
		}
	}
	return earliest, latest
}
