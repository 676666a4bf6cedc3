package render

import "slices"

// maxEdits is the maximum number of insertions and deletions after which diff gives up.
// The time and memory of diff are at most proportional to the square of this number.
const maxEdits = 400

// edit replaces the elements of one list from fromA up to but not including toA by the
// elements of another list from fromB up to but not including toB.
type edit struct{ fromA, toA, fromB, toB int }

// diff returns the shortest list of edits that converts a to b (the greedy algorithm of
// E. Myers, 1986). It returns false if more than maxEdits insertions and deletions are
// needed. This package has an implementation of its own because of this bound: the time
// is bounded for any input, and equal inputs always have equal results.
func diff(a, b []string) ([]edit, bool) {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && a[endA-1] == b[endB-1] {
		endA--
		endB--
	}

	trace, ok := search(a[start:endA], b[start:endB])
	if !ok {
		return nil, false
	}
	return backtrack(trace, endA-start, endB-start, start), true
}

// search finds the smallest number of insertions and deletions that convert a to b. The
// diagonal k has the positions x in a and y in b for which x-y is k. trace[d][k+d] is the
// furthest x on diagonal k that d insertions and deletions can reach. ok is false if more
// than maxEdits are needed.
func search(a, b []string) (trace [][]int32, ok bool) {
	limit := min(len(a)+len(b), maxEdits)
	for d := 0; d <= limit; d++ {
		row := make([]int32, 2*d+1)
		for k := -d; k <= d; k += 2 {
			x := 0
			if d > 0 {
				x, _ = furthest(trace[d-1], d, k)
			}
			for x < len(a) && x-k < len(b) && x-k >= 0 && a[x] == b[x-k] {
				x++
			}
			row[k+d] = int32(x)
			if x >= len(a) && x-k >= len(b) {
				return append(trace, row), true
			}
		}
		trace = append(trace, row)
	}
	return nil, false
}

// furthest returns the furthest position in a on diagonal k right after the d-th
// insertion or deletion, and whether it is an insertion. An insertion moves from diagonal
// k+1 to k and does not change the position. A deletion moves from diagonal k-1 to k and
// advances the position by 1. previous is trace[d-1], which has the furthest positions
// that d-1 insertions and deletions can reach.
func furthest(previous []int32, d, k int) (x int, insertion bool) {
	at := func(k int) int { return int(previous[k+d-1]) }
	if k == -d || k != d && at(k-1) < at(k+1) {
		return at(k + 1), true
	}
	return at(k-1) + 1, false
}

// backtrack returns the edits of a trace, in order. It merges adjacent edits. x and y are
// the lengths of the two lists, and offset is added to all positions.
func backtrack(trace [][]int32, x, y, offset int) []edit {
	var list []edit
	for d := len(trace) - 1; d > 0; d-- {
		k := x - y
		begin, insertion := furthest(trace[d-1], d, k)
		e := edit{begin, begin, begin - k, begin - k}
		if insertion {
			e.fromB--
		} else {
			e.fromA--
		}

		x, y = e.fromA, e.fromB
		e = edit{e.fromA + offset, e.toA + offset, e.fromB + offset, e.toB + offset}
		if n := len(list); n > 0 && list[n-1].fromA == e.toA && list[n-1].fromB == e.toB {
			list[n-1].fromA, list[n-1].fromB = e.fromA, e.fromB
		} else {
			list = append(list, e)
		}
	}
	slices.Reverse(list)
	return list
}
