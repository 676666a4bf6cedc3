package blockplan

import "ace/shared/table"

const (
	// maxScanUnits caps how often the sums of every leaf are stored.
	maxScanUnits = 256
	// stretches is how many stretches of pages a node's table is told apart by at most, and half of it at least.
	pageRanges = 48
)

// ScanUnits gives into how many units the reading of all pages is divided, for units of about unitRows rows.
func ScanUnits(rows, unitRows int64, workers int) int {
	wanted := max(rows/max(1, unitRows), int64(max(1, workers)*batchesPerWorker))
	return int(min(wanted, maxScanUnits))
}

// Grid gives how many pages a stretch of a table of so many pages has: a power of two, so that a table that grows keeps the
// stretches it had for long.
func GridPages(pages int64) int64 {
	grid := int64(1)
	for grid*pageRanges < pages {
		grid *= 2
	}
	return grid
}

// Spans divides the pages of each node's leaf relations into units: for each unit, the page ranges of every node. Over
// all units each page of each leaf is covered once, and the last range of a leaf is open-ended, since a table grows. With a
// grid, a range ends wherever a multiple of so many pages does.
func DividePages(pages [][]int64, units int, grid int64) [][][]table.Span {
	spans := make([][][]table.Span, units)
	for u := range spans {
		spans[u] = make([][]table.Span, len(pages))
	}
	for node, partitions := range pages {
		var total int64
		for _, n := range partitions {
			total += n
		}
		var before int64 // pages of the leaves already divided
		for partition, n := range partitions {
			for u, span := range dividePartition(n, before, total, int64(units), max(1, grid)) {
				span.Leaf = partition
				spans[u][node] = append(spans[u][node], splitAtGrid(span, n, grid)...)
			}
			before += n
		}
	}
	return spans
}

// divideLeaf cuts one leaf near where the units' shares of all the node's pages end, at multiples of grid.
func dividePartition(pages, before, total, units, grid int64) map[int64]table.Span {
	shares := map[int64]table.Span{}
	from := int64(0)
	for u := range units {
		end := total*(u+1)/units - before // where this unit's share ends, counted in this leaf's pages
		end -= max(0, end) % grid
		if end <= from && u < units-1 {
			continue
		}
		if end >= pages || u == units-1 {
			shares[u] = table.Span{From: from, To: -1}
			break
		}
		shares[u] = table.Span{From: from, To: end}
		from = end
	}
	return shares
}

// onGrid cuts a range of a leaf of so many pages at the multiples of grid.
func splitAtGrid(span table.Span, pages, grid int64) []table.Span {
	var cut []table.Span
	end := span.To
	if end < 0 {
		end = pages
	}
	for grid > 0 && span.From+grid < end {
		cut = append(cut, table.Span{Leaf: span.Leaf, From: span.From, To: span.From + grid})
		span.From += grid
	}
	return append(cut, span)
}
