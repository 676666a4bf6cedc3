package blockplan_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/blockplan"
	"ace/shared/table"
)

// layout draws a layout over the integers, with ascending boundaries.
func layout(rt *rapid.T) blockplan.Layout {
	l := blockplan.Layout{
		ChunksPerBlock: rapid.IntRange(1, 40).Draw(rt, "chunks per block"),
		BlocksPerBatch: rapid.IntRange(1, 50).Draw(rt, "blocks per batch"),
	}

	for _, step := range rapid.SliceOfN(rapid.IntRange(1, 5), 0, 300).Draw(rt, "steps") {
		bound := step
		if n := len(l.Bounds); n > 0 {
			bound += number(l.Bounds[n-1])
		}

		l.Bounds = append(l.Bounds, table.Key{strconv.Itoa(bound)})
	}
	return l
}

func number(k table.Key) int {
	n, _ := strconv.Atoi(k[0])
	return n
}

func contains(r table.Range, key int) bool {
	return (r.Lo == nil || key >= number(r.Lo)) && (r.Hi == nil || key < number(r.Hi))
}

func TestLayout_EveryKeyIsInExactlyOneChunkBlockAndBatch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := layout(rt)
		key := rapid.IntRange(-10, 1600).Draw(rt, "key")
		var chunks, batches []int
		for i := range l.Chunks() {
			if contains(l.Chunk(i), key) {
				chunks = append(chunks, i)
			}
		}

		for i := range l.Batches() {
			if contains(l.KeyRange(l.ChunksOfBatch(i)), key) {
				batches = append(batches, i)
			}
		}

		if len(chunks) != 1 || len(batches) != 1 {
			rt.Fatalf("key %d is in chunks %v and batches %v", key, chunks, batches)
		}
		if block := l.BlockOf(chunks[0]); block < 0 || block >= l.Blocks() || block/l.BlocksPerBatch != batches[0] {
			rt.Fatalf("chunk %d is in block %d of %d, but in batch %d", chunks[0], block, l.Blocks(), batches[0])
		}
	})
}

func TestLayout_BatchesCoverAllChunksInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := layout(rt)
		next := 0
		for i := range l.Batches() {
			from, to := l.ChunksOfBatch(i)
			if from != next || to <= from || to-from > l.ChunksPerBlock*l.BlocksPerBatch || from%l.ChunksPerBlock != 0 {
				rt.Fatalf("batch %d is chunks %d to %d, the batch before ends at %d", i, from, to, next)
			}

			next = to
		}

		if next != l.Chunks() {
			rt.Fatalf("the batches end at chunk %d of %d", next, l.Chunks())
		}
		if whole := l.KeyRange(0, l.Chunks()); whole.Lo != nil || whole.Hi != nil {
			rt.Fatalf("all chunks together are %v", whole)
		}
	})
}

func TestSizeFor_StaysWithinItsLimits(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.Int64Range(0, 1e12).Draw(rt, "rows")
		asked := rapid.Int64Range(1000, 1_000_000).Draw(rt, "block_rows")
		s := blockplan.SizeFor(rows, asked)
		if s.BlockRows < asked || rows > s.BlockRows*blockplan.MaxBlocks {
			rt.Fatalf("%d rows in blocks of %d", rows, s.BlockRows)
		}
		if rows <= asked*blockplan.MaxBlocks && s.BlockRows != asked {
			rt.Fatalf("block_rows %d became %d without need", asked, s.BlockRows)
		}
		if s.ChunkRows < 1 || s.ChunkRows > s.BlockRows || s.ChunksPerBlock < 1 || int64(s.ChunksPerBlock)*s.ChunkRows > s.BlockRows {
			rt.Fatalf("%d chunks of %d rows in a block of %d", s.ChunksPerBlock, s.ChunkRows, s.BlockRows)
		}

		if int64(s.ChunksPerBlock+1)*s.ChunkRows <= s.BlockRows {
			rt.Fatalf("a block of %d rows has only %d chunks of %d", s.BlockRows, s.ChunksPerBlock, s.ChunkRows)
		}
	})
}

func TestSizeFor_KeepsTheRequestedBlockRowsOfSmallTables(t *testing.T) {
	for _, tt := range []struct {
		rows, blockRows int64
		want            blockplan.Size
	}{
		{0, 10_000, blockplan.Size{BlockRows: 10_000, ChunkRows: 312, ChunksPerBlock: 32}},
		{1_000_000, 10_000, blockplan.Size{BlockRows: 10_000, ChunkRows: 312, ChunksPerBlock: 32}},
		{5_000, 1_000, blockplan.Size{BlockRows: 1_000, ChunkRows: 100, ChunksPerBlock: 10}},
		{1_000_000_000, 10_000, blockplan.Size{BlockRows: 10_000, ChunkRows: 10_000, ChunksPerBlock: 1}},
		{4_000_000_000, 10_000, blockplan.Size{BlockRows: 20_000, ChunkRows: 20_000, ChunksPerBlock: 1}},
	} {
		if got := blockplan.SizeFor(tt.rows, tt.blockRows); got != tt.want {
			t.Errorf("%d rows with block_rows %d: %+v, want %+v", tt.rows, tt.blockRows, got, tt.want)
		}
	}
}

func TestBlocksPerBatch_DividesBlocksAmongAllWorkers(t *testing.T) {
	for _, tt := range []struct{ blocks, batchSize, workers, want int }{
		{1, 50, 8, 1},
		{1000, 50, 2, 50},
		{1000, 50, 32, 8},
		{8, 50, 2, 1},
		{1000, 1, 1, 1},
		{100, 1000, 0, 25},
	} {
		if got := blockplan.BlocksPerBatch(tt.blocks, tt.batchSize, tt.workers); got != tt.want {
			t.Errorf("%d blocks, batch_size %d, %d workers: %d blocks in a batch, want %d", tt.blocks, tt.batchSize, tt.workers, got, tt.want)
		}
	}
}

func TestDividePages_CoversEveryPageOfEveryPartitionExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pages := rapid.SliceOfN(rapid.SliceOfN(rapid.Int64Range(0, 60), 0, 6), 1, 4).Draw(rt, "pages")
		units := rapid.IntRange(1, 30).Draw(rt, "units")
		grid := rapid.SampledFrom([]int64{0, 1, 2, 8, 64, 1024}).Draw(rt, "grid")
		spans := blockplan.DividePages(pages, units, grid)
		if len(spans) != units {
			rt.Fatalf("%d units instead of %d", len(spans), units)
		}

		for node, partitions := range pages {
			read := make([]int64, len(partitions))
			ends := make([]bool, len(partitions))
			for u, unit := range spans {
				for _, s := range unit[node] {
					if s.From != read[s.Partition] || ends[s.Partition] || s.To >= 0 && s.To <= s.From {
						rt.Fatalf("unit %d of node %d reads %+v, the pages before %d were read", u, node, s, read[s.Partition])
					}
					if grid > 0 && (s.From%grid != 0 || s.To >= 0 && s.To != s.From+grid || s.To < 0 && s.From > 0 && s.From >= partitions[s.Partition]) {
						rt.Fatalf("unit %d of node %d reads %+v of %d pages, which is not on the grid of %d", u, node, s, partitions[s.Partition], grid)
					}

					read[s.Partition] = s.To
					ends[s.Partition] = s.To < 0
				}
			}

			if slices.Contains(ends, false) {
				rt.Fatalf("node %d: which partitions are read to their open end: %v", node, ends)
			}
		}
	})
}

func TestDividePages_UnitsAreOfOneSize(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		partitions := rapid.SliceOfN(rapid.Int64Range(0, 1000), 1, 6).Draw(rt, "pages")
		units := rapid.IntRange(1, 30).Draw(rt, "units")
		var total int64
		for _, n := range partitions {
			total += n
		}

		for u, unit := range blockplan.DividePages([][]int64{partitions}, units, 0) {
			var read int64
			for _, s := range unit[0] {
				to := s.To
				if to < 0 {
					to = partitions[s.Partition]
				}

				read += to - s.From
			}

			if share := total / int64(units); read < share || read > share+1 {
				rt.Fatalf("unit %d reads %d of %d pages divided by %d", u, read, total, units)
			}
		}
	})
}

func TestGridPages_TablesOfEverySizeHaveAboutAsManyPageRanges(t *testing.T) {
	for pages := int64(0); pages < 1<<32; pages = pages*5/4 + 1 {
		grid := blockplan.GridPages(pages)
		if grid&(grid-1) != 0 || grid*48 < pages || grid > 1 && grid*24 >= pages {
			t.Errorf("%d pages have page ranges of %d", pages, grid)
		}
	}
}

func TestScanUnits_StaysWithinItsLimits(t *testing.T) {
	for _, tt := range []struct {
		rows, unitRows int64
		workers, want  int
	}{
		{0, 500_000, 1, 4},
		{10_000_000, 500_000, 2, 20},
		{10_000_000_000, 500_000, 2, 256},
		{1, 0, 0, 4},
		{1, 1, 1000, 256},
	} {
		if got := blockplan.ScanUnits(tt.rows, tt.unitRows, tt.workers); got != tt.want {
			t.Errorf("%d rows in units of %d for %d workers: %d units, want %d", tt.rows, tt.unitRows, tt.workers, got, tt.want)
		}
	}
}

// sampled draws the samples of some nodes: for each node, the number of rows per sample
// and the positions.
func sampled(rt *rapid.T, leafRows int64) (samples []blockplan.Sample, weights []float64) {
	for node := range rapid.IntRange(1, 4).Draw(rt, "nodes") {
		weights = append(weights, rapid.Float64Range(1, float64(2*leafRows)).Draw(rt, "weight"))
		ranks := rapid.SliceOfNDistinct(rapid.IntRange(0, 400), 0, 150, rapid.ID).Draw(rt, "ranks")
		for _, rank := range ranks {
			samples = append(samples, blockplan.Sample{Node: node, Rank: rank})
		}
	}
	return samples, weights
}

func TestCut_NoNodeHasMuchMoreThanAChunkBetweenTwoCuts(t *testing.T) {
	const chunkRows = 100
	rapid.Check(t, func(rt *rapid.T) {
		samples, weights := sampled(rt, chunkRows)
		cuts := blockplan.Cut(samples, weights, chunkRows)
		ranks := make([]int, len(cuts))
		for i, at := range cuts {
			ranks[i] = samples[at].Rank
			if i > 0 && ranks[i] <= ranks[i-1] {
				rt.Fatalf("boundaries do not ascend: %v", ranks)
			}
		}

		held := make([][]float64, len(cuts)+1)
		for i := range held {
			held[i] = make([]float64, len(weights))
		}

		for _, s := range samples {
			chunk, on := slices.BinarySearch(ranks, s.Rank)
			if on {
				chunk++
			}

			held[chunk][s.Node] += weights[s.Node]
		}

		for chunk, rows := range held {
			if slices.Max(rows) > 3*chunkRows {
				rt.Fatalf("chunk %d holds %v rows of the nodes", chunk, rows)
			}
			if chunk < len(cuts) && slices.Max(rows) < chunkRows*0.99 {
				rt.Fatalf("chunk %d holds %v rows of the nodes only", chunk, rows)
			}
		}
	})
}

func TestCut_EqualNodesAreNotCutMoreOftenThanOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		count := rapid.IntRange(2, 300).Draw(rt, "samples")
		nodes := rapid.IntRange(2, 5).Draw(rt, "nodes")
		shift := rapid.IntRange(0, 1).Draw(rt, "shift") // 0: the very same keys; 1: keys in between
		var samples []blockplan.Sample
		weights := make([]float64, nodes)
		for node := range nodes {
			weights[node] = 100
			for i := range count {
				samples = append(samples, blockplan.Sample{Node: node, Rank: i*nodes + node*shift})
			}
		}

		if cuts := len(blockplan.Cut(samples, weights, 100)); cuts > count {
			rt.Fatalf("%d nodes of %d chunks each are cut into %d", nodes, count, cuts+1)
		}
	})
}

func TestCut_NothingToCut(t *testing.T) {
	if cuts := blockplan.Cut(nil, []float64{1, 1}, 100); len(cuts) != 0 {
		t.Errorf("without samples the cuts are %v", cuts)
	}
	if cuts := blockplan.Cut([]blockplan.Sample{{Rank: 5}}, []float64{1000}, 100); len(cuts) != 0 {
		t.Errorf("the lowest key is a boundary: %v", cuts)
	}
}

func TestCorrelation_DistinguishesOrderFromDisorder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ordered := make([]int, 1000)
	for i := range ordered {
		ordered[i] = i
	}

	falling := slices.Clone(ordered)
	slices.Reverse(falling)
	rotated := slices.Concat(ordered[980:], ordered[:980])
	tests := []struct {
		name   string
		ranks  []int
		lo, hi float64
	}{
		{"ascending", ordered, 1, 1},
		{"descending", falling, 0.99, 1},
		{"random", random.Perm(1000), 0, 0.1},
		{"a few rows out of place", rotated, 0.8, 1},
		{"too few samples", random.Perm(9), 1, 1},
		{"none", nil, 1, 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			samples := make([]blockplan.Sample, len(tt.ranks))
			for i, rank := range tt.ranks {
				samples[i] = blockplan.Sample{Rank: rank}
			}

			if got := blockplan.Correlation(samples); got < tt.lo || got > tt.hi {
				t.Errorf("correlation is %.3f, want %.2f to %.2f", got, tt.lo, tt.hi)
			}
		})
	}
}

func TestCorrelation_MeasuresEachPartitionAndIgnoresUnknownOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var samples []blockplan.Sample
	for group := range 2 { // both partitions are in key order, and their ranks interleave
		for i := range 500 {
			samples = append(samples, blockplan.Sample{Group: group, Rank: 2*i + group})
		}
	}

	for _, rank := range random.Perm(5000) {
		samples = append(samples, blockplan.Sample{Group: -1, Rank: rank})
	}

	if got := blockplan.Correlation(samples); got != 1 {
		t.Errorf("correlation of two ordered partitions is %.3f, want 1", got)
	}
}
