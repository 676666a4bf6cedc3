package tablediff

import (
	"testing"

	"ace/shared/blockplan"
	"ace/shared/tablediff/plan"
)

// A sequential scan samples at most 1,024 pages if shared_buffers is 128 MB.
func TestBaseline_OfASequentialScanFitsTheKeyRangesOfTheSameTable(t *testing.T) {
	for _, rows := range []int64{100_000, 2_000_000, 10_000_000, 100_000_000, 1_000_000_000} {
		size := blockplan.SizeFor(rows, 10_000)
		p := &plan.Plan{Strategy: plan.KeyRanges, BlockRows: size.BlockRows, ChunkRows: size.ChunkRows}
		for _, chunks := range []int{1024, 3072} {
			b := &Baseline{Settings: "s", Size: size.Coarsen(rows, chunks)}
			if why := b.mismatch(p, "s"); why != "" {
				t.Errorf("with %d rows in at most %d chunks: %s", rows, chunks, why)
			}
		}
	}
}

func TestBaseline_DoesNotFitATableThatHasGrownMuch(t *testing.T) {
	b := &Baseline{Settings: "s", Size: blockplan.SizeFor(5_000_000, 10_000)}
	for rows, want := range map[int64]string{
		20_000_000:    "",
		40_000_000:    "the table's size requires other blocks",
		4_000_000_000: "the table's size requires other blocks",
	} {
		size := blockplan.SizeFor(rows, 10_000)
		p := &plan.Plan{Strategy: plan.KeyRanges, BlockRows: size.BlockRows, ChunkRows: size.ChunkRows}
		if why := b.mismatch(p, "s"); why != want {
			t.Errorf("with %d rows: %q, want %q", rows, why, want)
		}
	}
}

// The stored sums of page ranges are compared with newly computed sums, so both must be
// computed alike.
func TestBaseline_OfPagesIsUsedOnlyIfItsRowsWereDigestedInTheSameWay(t *testing.T) {
	const other = "another version of ACE, which digests rows in another way, made the baseline of task td_1"
	for _, tt := range []struct {
		name             string
		checksum         string
		baseline, digest int
		want             string
	}{
		{"the same version", "", 2, 2, ""},
		{"a baseline of an earlier version", "", 0, 2, other},
		{"a plan of an earlier version that is resumed", "", 2, 0, other},
		{"a digest that has not changed", ChecksumSHA256, 0, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &Baseline{TaskID: "td_1", Settings: "s", Pages: &PagesBaseline{Digest: tt.baseline, Grid: 8}}
			p := &plan.Plan{Strategy: plan.Pages, Grid: 8, Digest: tt.digest, Checksum: tt.checksum}
			if why := b.mismatch(p, "s"); why != tt.want {
				t.Errorf("%q, want %q", why, tt.want)
			}
		})
	}
}
