package blockplan

import "ace/shared/table"

// maxScanUnits caps how often the sums of every leaf are stored.
const maxScanUnits = 256

// ScanUnits gives into how many units the reading of all pages is divided, for units of about unitRows rows.
func ScanUnits(rows, unitRows int64, workers int) int {
	wanted := max(rows/max(1, unitRows), int64(max(1, workers)*batchesPerWorker))
	return int(min(wanted, maxScanUnits))
}

// Spans divides the pages of each node's leaf relations into units: for each unit, the page ranges of every node. Over
// all units each page of each leaf is covered once, and the last range of a leaf is open-ended, since a table grows.
func Spans(pages [][]int64, units int) [][][]table.Span {
	spans := make([][][]table.Span, units)
	for u := range spans {
		spans[u] = make([][]table.Span, len(pages))
	}
	for node, leaves := range pages {
		var total int64
		for _, n := range leaves {
			total += n
		}
		var before int64 // pages of the leaves already divided
		for leaf, n := range leaves {
			divideLeaf(spans, node, leaf, n, before, total)
			before += n
		}
	}
	return spans
}

// divideLeaf cuts one leaf where the units' shares of all the node's pages end.
func divideLeaf(spans [][][]table.Span, node, leaf int, pages, before, total int64) {
	units := int64(len(spans))
	from := int64(0)
	for u := range units {
		end := total*(u+1)/units - before // where this unit's share ends, counted in this leaf's pages
		if end <= from && u < units-1 {
			continue
		}
		if end >= pages || u == units-1 {
			spans[u][node] = append(spans[u][node], table.Span{Leaf: leaf, From: from, To: -1})
			return
		}
		spans[u][node] = append(spans[u][node], table.Span{Leaf: leaf, From: from, To: end})
		from = end
	}
}
