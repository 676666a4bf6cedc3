package tablediff

import (
	"testing"

	"ace/shared/tablediff/plan"
)

func TestBlocksPerUnit_EachWorkerHasUnitsThatFitOneStatement(t *testing.T) {
	for _, tt := range []struct {
		keys    int64
		workers int
		want    int
	}{
		{0, 1, 1}, {1, 1, 1}, {plan.BlockKeys, 1, 1}, {8 * plan.BlockKeys, 1, 2}, {100_000, 1, 2}, {100_000, 4, 1},
		{800_000, 4, 5}, {100_000_000, 4, unitBlocks}, {100_000_000, 100_000, 1},
	} {
		if got := blocksPerUnit(tt.keys, tt.workers); got != tt.want {
			t.Errorf("%d keys and %d workers: %d blocks, want %d", tt.keys, tt.workers, got, tt.want)
		}
	}
}
