package plan

// OutlierTotals counts, for one node, the keys whose row on this node is the exception. A
// missing row counts like any other version of a row.
type OutlierTotals struct {
	Alone    int64 `json:"alone"`    // all other nodes agree on another version
	Minority int64 `json:"minority"` // some other version is on more nodes than this node's version
}

// CountOutliers counts one key whose rows differ. list has one element for each node.
// differs has one element for each pair: whether the rows of the pair differ. With fewer
// than three nodes no node is the exception, so nothing is counted.
func CountOutliers(list []OutlierTotals, pairs []Pair, differs []bool) {
	nodes := len(list)
	if nodes < 3 {
		return
	}

	holders := make([]int, nodes) // for each node, the number of nodes that have its version of the row
	for node := range holders {
		holders[node] = 1
	}
	most := 1
	for p, pair := range pairs {
		if differs[p] {
			continue
		}
		holders[pair.A]++
		holders[pair.B]++
		most = max(most, holders[pair.A], holders[pair.B])
	}

	for node, n := range holders {
		if n < most {
			list[node].Minority++
		}
		if n == 1 && most == nodes-1 {
			list[node].Alone++
		}
	}
}
