package plan

import (
	"fmt"

	"ace/shared/table"
)

// GroupedRows returns the number of rows in all groups.
func (p PageSums) GroupedRows() (n int64) {
	for _, rows := range p.Rows {
		n += rows
	}
	return n
}

// RangeRows returns the number of rows in all page ranges.
func (p PageSums) RangeRows() (n int64) {
	for _, s := range p.Ranges {
		n += s.Rows
	}
	return n
}

// NewSums returns empty sums for the groups of each node.
func NewSums(nodes, groups int) [][]table.Sum {
	sums := make([][]table.Sum, nodes)
	for node := range sums {
		sums[node] = make([]table.Sum, groups)
	}
	return sums
}

// AddTo adds the sum of each group in p to sums[p.Node], which has one sum for each
// group.
func (p PageSums) AddTo(sums [][]table.Sum) error {
	if len(p.Rows) != len(p.Group) || len(p.Digest) != len(p.Group) {
		return fmt.Errorf("%d groups, %d counts and %d digests of node %d", len(p.Group), len(p.Rows), len(p.Digest), p.Node)
	}
	if p.Node < 0 || p.Node >= len(sums) {
		return fmt.Errorf("node %d of %d", p.Node, len(sums))
	}

	of := sums[p.Node]
	for i, group := range p.Group {
		if group < 0 || group >= len(of) {
			return fmt.Errorf("group %d of %d of node %d", group, len(of), p.Node)
		}
		of[group] = of[group].Add(table.Sum{Rows: p.Rows[i], Digest: p.Digest[i]})
	}

	return nil
}

// PageSums is a row of a scan part. It holds the sums of one node's pages for each group
// (a chunk or a bucket) and, if a baseline needs them, for each page range. Group has the
// numbers of the groups that have rows. Rows and Digest have, for each element of Group,
// the row count and the digest of the group. In the phase that only reads ages, a
// PageSums holds only the ages of the rows of each page range.
type PageSums struct {
	Node   int         `json:"node"`
	Group  []int       `json:"g,omitempty"`
	Rows   []int64     `json:"n,omitempty"`
	Digest []int64     `json:"x,omitempty"`
	Ranges []RangeSums `json:"stretches,omitempty"`
	// Horizon is set with sequential scans: the xmin of the snapshot in which all partitions
	// of the node were read, or 0 if they have no rows.
	Horizon int64             `json:"h,omitempty"`
	Ages    []table.Freshness `json:"ages,omitempty"`
}

// NewPageSums returns the row of a scan part for a node. sums has the sum of each group.
func NewPageSums(node int, sums []table.Sum) PageSums {
	row := PageSums{Node: node}
	for group, sum := range sums {
		if sum.Rows > 0 {
			row.Group = append(row.Group, group)
			row.Rows = append(row.Rows, sum.Rows)
			row.Digest = append(row.Digest, sum.Digest)
		}
	}
	return row
}

// AgedRows returns the number of rows whose ages were read.
func (p PageSums) AgedRows() (n int64) {
	for _, f := range p.Ages {
		n += f.Rows
	}
	return n
}
