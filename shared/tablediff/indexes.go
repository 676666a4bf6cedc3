package tablediff

import (
	"context"
	"slices"

	"ace/shared/fanout"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// A damaged index may miss rows. A comparison that reads by such an index does not see
// these rows, so it may miss differences. Three cheap checks detect this:
//
//   - A row that a node seems to lack is searched for in its table without the index.
//   - The rows that the index lists are compared with the rows read on the pages.
//   - The number of rows in all ranges is compared with the number of rows in the table.
//
// To count the rows of a table costs a tenth of a comparison, so the third check is done
// only in some cases (see countsRows).

const (
	// countedRows is the maximum estimated number of rows of a table whose rows are always
	// counted.
	countedRows = exactRows
	// estimateShare determines when the rows of a larger table are counted: if the number of
	// rows read differs from the estimate by more than the estimate divided by this number.
	estimateShare = 10
)

// checkIndexes does the three checks that are described above for the index of every
// node. It returns an error if the index of some node has missed rows.
func (r *run) checkIndexes(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseMerge)()
	nodes, err := plan.OpenNodes(ctx, r.Nodes, r.plan)
	if err != nil {
		return err
	}

	return fanout.Each(ctx, len(nodes), slices.Values(fanout.Indexes(len(nodes))), func(ctx context.Context, node int) error {
		absent := r.absentKeys(node)
		counted := r.countsRows(node)
		listed := r.listedDiffers(node)
		if len(absent) == 0 && !counted && !listed || r.plan.Sources[node].Unindexed {
			return nil
		}

		return r.retry(ctx, "check of an index", func() error {
			tx, err := nodes[node].Begin(ctx, r.plan.Sources[node].Access())
			if err != nil {
				return err
			}
			defer tx.Close()

			return r.checkIndex(ctx, tx, node, absent, counted, listed)
		})
	})
}

// checkIndex checks the index of one node. It verifies that the table has no row for the
// keys in absent. If counted is set, it counts the rows of the table. If their number is
// not the number of rows read, or if listed (the result of listedDiffers) is set, it
// compares the whole index with the table.
func (r *run) checkIndex(ctx context.Context, tx plan.Tx, node int, absent []table.Key, counted, listed bool) error {
	source := r.plan.Sources[node]
	if err := tx.CheckAbsent(ctx, source, absent); err != nil {
		return err
	}

	if counted {
		rows, err := tx.CountRows(ctx, source)
		if err != nil {
			return err
		}

		listed = rows != r.rowsRead(node)
	}

	if !listed {
		return nil
	}

	// Either rows were written in the meantime or the index is damaged. CheckIndex reads the
	// index and the table in one snapshot, so it does not fail because of such writes.
	ranges := make([]table.Range, r.plan.Layout.Chunks())
	for chunk := range ranges {
		ranges[chunk] = r.plan.Layout.Chunk(chunk)
	}

	return tx.CheckIndex(ctx, source, ranges)
}

// absentKeys returns keys that the index of a node does not find although some node has
// or had a row for them.
func (r *run) absentKeys(node int) []table.Key {
	var keys []table.Key
	for _, t := range slices.Concat(r.compared, r.confirmed) {
		if node < len(t.Absent) {
			keys = append(keys, t.Absent[node]...)
		}
	}
	return keys
}

// countsRows reports whether the rows of a node must be counted without the index, to
// compare their number with the number of rows read by ranges. They are counted only if
// the table was read by key ranges and one of these is true: the table is small, the
// number of rows read is far from the estimate, or the order of the index depends on a
// collation of unknown version.
func (r *run) countsRows(node int) bool {
	if r.plan.Strategy != plan.KeyRanges || r.unchangedTable != nil {
		return false
	}
	estimate, most := r.plan.RowEstimate, int64(0)
	for i := range r.plan.Nodes {
		most = max(most, r.rowsRead(i))
	}
	off := max(estimate-most, most-estimate)
	return r.plan.Sources[node].Unversioned || estimate <= countedRows || off > estimate/estimateShare
}

// rowsRead returns how many rows of a node were read in the first pass.
func (r *run) rowsRead(node int) int64 {
	rows := int64(0)
	for _, t := range r.compared {
		rows += t.RowsPerNode[node]
	}
	return rows
}

// listedDiffers reports whether the rows that a node's index listed differ from the rows
// that were read on its pages. After a sequential scan it reports only whether the index
// listed fewer rows. A table that is scanned may be large and in use, so rows were
// probably written between the scan and the listing. To report every difference would
// then cause a check that reads the whole table. But if the order of the index depends on
// a collation of unknown version, every difference is reported, because new rows may make
// up for rows that the index misses.
func (r *run) listedDiffers(node int) bool {
	if r.expectedSums == nil {
		return false
	}
	var listed table.Sum
	for _, t := range r.compared {
		if node < len(t.Listed) {
			listed = listed.Add(t.Listed[node])
		}
	}
	if r.plan.Strategy == plan.Sequential && !r.plan.Sources[node].Unversioned {
		return listed.Rows < r.expectedSums[node].Rows
	}
	return listed != r.expectedSums[node]
}

// expectListed records, per node, the sum of the rows that compare units will list by the
// index: the rows of the groups (chunks or buckets) that differ, or of every group if all
// is set.
func (r *run) expectListed(sums [][]table.Sum, all bool) {
	if r.plan.ByText {
		return
	}

	r.expectedSums = make([]table.Sum, len(sums))
	for group := range sums[0] {
		if _, same := compareGroup(sums, group); same && !all {
			continue
		}
		for node := range sums {
			r.expectedSums[node] = r.expectedSums[node].Add(sums[node][group])
		}
	}
}
