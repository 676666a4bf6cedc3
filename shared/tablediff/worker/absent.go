package worker

import (
	"slices"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// maxAbsentKeys is the maximum number of keys without a row that a unit records for
	// each node.
	maxAbsentKeys = 500
	// maxNowhereKeys is that maximum for a key without a row on any node. It is higher, so
	// that keys that only some nodes have leave room for it: such a key counts as resolved,
	// which would hide a difference if an index missed the row.
	maxNowhereKeys = 2 * maxAbsentKeys
)

// recordAbsent records a key that the index of a node does not find. nowhere means that
// no node has a row for it.
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

// isSmall reports whether a rerun may read the whole table of a node. In a larger table
// it searches only for rows that no node seems to have.
func (r *unitRun) isSmall(node int) bool {
	return table.Small(r.plan.Sources[node].Partitions)
}

// recordAbsentNodes records the key for each node that has no digest of it.
func (r *unitRun) recordAbsentNodes(key table.Key, digest []*int64) {
	nowhere := !slices.ContainsFunc(digest, func(d *int64) bool { return d != nil })
	for node, d := range digest {
		if d == nil {
			r.recordAbsent(node, key, nowhere)
		}
	}
}

// addListed adds rows that a node's index has listed. It is used in the pages strategy.
func (r *unitRun) addListed(node int, sum table.Sum) {
	if r.plan.Strategy != plan.Pages {
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
