package worker

import (
	"slices"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// maxAbsentKeys limits a node's list of absent keys (plan.Totals.Absent): a key for
	// which another node has a row is added only while the list is shorter than this.
	maxAbsentKeys = 500
	// maxNowhereKeys limits the same list: a key for which no node has a row is added only
	// while the list is shorter than this. It is higher than maxAbsentKeys, so that the list
	// always has room for some of these keys. They are more important than other keys: they
	// count as resolved, which would hide a difference if an index missed the row.
	maxNowhereKeys = 2 * maxAbsentKeys
)

// recordAbsent adds a key to the list of keys that the index of a node does not find,
// unless the list is full. In a rerun, it omits a key for which some node has a row if
// the table is too large (see isSmall). nowhere means that no node has a row for the key.
func (r *unitRun) recordAbsent(node int, key table.Key, nowhere bool) {
	if r.plan.Strategy == plan.Keys && !nowhere && !r.isSmall(node) {
		return
	}
	if r.totals.Absent == nil {
		r.totals.Absent = make([][]table.Key, len(r.nodes))
	}
	limit := maxAbsentKeys
	if nowhere {
		limit = maxNowhereKeys
	}
	if len(r.totals.Absent[node]) < limit {
		r.totals.Absent[node] = append(r.totals.Absent[node], key)
	}
}

// isSmall reports whether the table of a node is small enough for a rerun to search it
// for every absent key. In a larger table a rerun searches only for keys that no node
// seems to have.
func (r *unitRun) isSmall(node int) bool {
	return table.Small(r.plan.Sources[node].Partitions)
}

// recordAbsentNodes records the key for each node that has no row for it. A nil digest
// means no row.
func (r *unitRun) recordAbsentNodes(key table.Key, digest []*int64) {
	nowhere := !slices.ContainsFunc(digest, func(d *int64) bool { return d != nil })
	for node, d := range digest {
		if d == nil {
			r.recordAbsent(node, key, nowhere)
		}
	}
}

// addListed adds sum to the totals of a node. sum is the number and the digest of rows
// that were read through the node's index. If the first pass does not read pages,
// addListed does nothing, because the coordinator has no rows of pages to compare these
// totals with.
func (r *unitRun) addListed(node int, sum table.Sum) {
	if !r.plan.ReadsPages() {
		return
	}
	if r.totals.Listed == nil {
		r.totals.Listed = make([]table.Sum, len(r.nodes))
	}
	r.totals.Listed[node] = r.totals.Listed[node].Add(sum)
}

func sumListed(rows []table.Listed) (sum table.Sum) {
	for _, row := range rows {
		sum = sum.Add(table.Sum{Rows: 1, Digest: row.Digest})
	}
	return sum
}

func sumDigests(digests []int64) (sum table.Sum) {
	for _, digest := range digests {
		sum = sum.Add(table.Sum{Rows: 1, Digest: digest})
	}
	return sum
}
