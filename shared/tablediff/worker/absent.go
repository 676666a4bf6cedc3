package worker

import (
	"slices"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

const (
	// keptAbsent is how many keys without a row a unit keeps for each node.
	keptAbsent = 500
)

// keepAbsent keeps a key that the index of a node leads to no row of; nowhere: no node has one.
func (j *job) keepAbsent(node int, key table.Key, nowhere bool) {
	if j.plan.Strategy == plan.Keys && !nowhere && !j.isSmall(node) {
		return
	}
	if j.totals.Absent == nil {
		j.totals.Absent = make([][]table.Key, len(j.nodes))
	}
	if len(j.totals.Absent[node]) < keptAbsent {
		j.totals.Absent[node] = append(j.totals.Absent[node], key)
	}
}

// isSmall reports whether a rerun may read the whole table of a node. In a larger table it looks only
// for rows that no node seems to have.
func (j *job) isSmall(node int) bool {
	return table.Small(j.plan.Sources[node].Leaves)
}

// absentIn keeps the key for each node that has no digest of it.
func (j *job) absentIn(key table.Key, digest []*int64) {
	nowhere := !slices.ContainsFunc(digest, func(d *int64) bool { return d != nil })
	for node, d := range digest {
		if d == nil {
			j.keepAbsent(node, key, nowhere)
		}
	}
}

// addListed counts rows that a node was read to have by its index, in the pages strategy.
func (j *job) addListed(node int, sum table.Sum) {
	if j.plan.Strategy != plan.Pages {
		return
	}
	if j.totals.Listed == nil {
		j.totals.Listed = make([]table.Sum, len(j.nodes))
	}
	j.totals.Listed[node] = j.totals.Listed[node].Add(sum)
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
