package tablediff

import (
	"math"
	"slices"
	"testing"
)

func TestWithUsefulSizes_ChangesOnlyUselessOnesAndSaysSo(t *testing.T) {
	const (
		rowsRaised, rowsLowered = "block_rows was raised to 1000, the smallest useful value", "block_rows was lowered to 1000000, the largest useful value"
		sizeLowered             = "batch_size was lowered to 1000, the largest useful value"
	)
	for _, tt := range []struct {
		rows, size         int
		wantRows, wantSize int
		warnings           []string
	}{
		{10_000, 50, 10_000, 50, nil},
		{1_000, 1, 1_000, 1, nil},
		{1_000_000, 1_000, 1_000_000, 1_000, nil},
		{1, 1, 1_000, 1, []string{rowsRaised}},
		{999, 1_001, 1_000, 1_000, []string{rowsRaised, sizeLowered}},
		{1_000_001, 50, 1_000_000, 50, []string{rowsLowered}},
		{math.MaxInt, math.MaxInt, 1_000_000, 1_000, []string{rowsLowered, sizeLowered}},
	} {
		got := Request{BlockRows: tt.rows, BatchSize: tt.size}.withUsefulSizes()
		if got.BlockRows != tt.wantRows || got.BatchSize != tt.wantSize || !slices.Equal(got.sizeWarnings, tt.warnings) {
			t.Errorf("%d and %d become %d and %d with %q", tt.rows, tt.size, got.BlockRows, got.BatchSize, got.sizeWarnings)
		}
		if again := got.withUsefulSizes(); len(again.sizeWarnings) > 0 {
			t.Errorf("%d and %d are changed once more: %q", got.BlockRows, got.BatchSize, again.sizeWarnings)
		}
	}
}
