package blockplan

import "ace/shared/table"

const (
	// maxScanUnits is the maximum number of units that read pages. The part of each of these
	// units may have a sum for every chunk, so more units would store too much.
	maxScanUnits = 256
	// pageRanges is the maximum number of page ranges into which GridPages divides the node
	// with the most pages, if the table has one partition. (Every further partition may add
	// a range, because no range covers pages of two partitions.) There are at least
	// pageRanges/2 page ranges, unless the node has fewer pages than that.
	pageRanges = 48
)

// ScanUnits returns the number of units that together read all pages. Each unit reads
// about unitRows rows. It reads fewer if there would be too few units for all workers to
// be busy until the end, and more if there would be more than maxScanUnits units.
func ScanUnits(rows, unitRows int64, workers int) int {
	wanted := max(rows/max(1, unitRows), int64(max(1, workers)*batchesPerWorker))
	return int(min(wanted, maxScanUnits))
}

// GridPages returns the length, in pages, of the page ranges whose sums a baseline of the
// table stores. pages is the number of pages on the node with the most pages. The length
// is a power of two, so it rarely changes when the table grows, and a later comparison
// can use the sums of the baseline.
func GridPages(pages int64) int64 {
	grid := int64(1)
	for grid*pageRanges < pages {
		grid *= 2
	}
	return grid
}

// DividePages divides the pages of each node's partitions among units. pages has, for
// each node, the number of pages of each partition. The result has, for each unit and
// each node, the page ranges that the unit reads on the node. Together the units cover
// each page of each partition once. The last range of a partition has no end, because the
// partition may grow. If grid is not 0, a range ends at every multiple of grid.
func DividePages(pages [][]int64, units int, grid int64) [][][]table.PageRange {
	spans := make([][][]table.PageRange, units)
	for u := range spans {
		spans[u] = make([][]table.PageRange, len(pages))
	}

	for node, partitions := range pages {
		var total int64
		for _, n := range partitions {
			total += n
		}

		var before int64 // number of pages in the partitions that are already divided
		for partition, n := range partitions {
			for u, span := range dividePartition(n, before, total, int64(units), max(1, grid)) {
				span.Partition = partition
				spans[u][node] = append(spans[u][node], splitAtGrid(span, n, grid)...)
			}
			before += n
		}
	}

	return spans
}

// dividePartition divides the pages of one partition among the units. It returns a map
// from the number of a unit to the page range that the unit reads. A unit that reads only
// other partitions has no entry. before is the number of pages in the node's partitions
// before this one, and total the number of pages in all partitions of the node. Each unit
// gets about the same number of the node's pages. The page ranges end at multiples of
// grid, except the last one, which has no end.
func dividePartition(pages, before, total, units, grid int64) map[int64]table.PageRange {
	shares := map[int64]table.PageRange{}
	from := int64(0)
	for u := range units {
		end := total*(u+1)/units - before // the page of this partition at which the unit's share ends
		end -= max(0, end) % grid
		if end <= from && u < units-1 {
			continue
		}

		if end >= pages || u == units-1 {
			shares[u] = table.PageRange{From: from, To: -1}
			break
		}

		shares[u] = table.PageRange{From: from, To: end}
		from = end
	}

	return shares
}

// splitAtGrid splits a page range of a partition at multiples of grid. pages is the
// number of pages in the partition. If grid is 0, the range is not split.
func splitAtGrid(span table.PageRange, pages, grid int64) []table.PageRange {
	var cut []table.PageRange
	end := span.To
	if end < 0 {
		end = pages
	}
	for grid > 0 && span.From+grid < end {
		cut = append(cut, table.PageRange{Partition: span.Partition, From: span.From, To: span.From + grid})
		span.From += grid
	}
	return append(cut, span)
}
