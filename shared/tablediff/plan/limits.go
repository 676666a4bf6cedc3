package plan

const (
	// scannedBlocks is how many blocks of rows one pass lists at most.
	maxScanBlocks = 10
	// onePass is how many pages one statement reads at most (32 GB): more might take longer than a statement may.
	maxScanPages = 4 << 20
	// SplitAbove: a range that holds this many times block_rows is split before any of its rows are listed.
	SplitAbove = 4
	// LookupKeys is how many keys one statement looks up.
	LookupKeys = 10_000
	// MaxInFlight bounds the keys of one unit that are waited for; the rest is reported as unsettled at once.
	MaxAwaitedKeys = 50_000
	// BlockKeys is how many keys make a block of a rerun.
	BlockKeys = LookupKeys
	// StatementBlocks is of how many blocks one statement of a hostdb rerun looks the keys up: what it sends and gets stays in
	// memory.
	StatementBlocks = 10
)

// ScanListLimit is how many rows of the differing buckets one pass over the whole of every node's table may list. Where no
// index follows the order of the leaves, there is no other way than such passes.
func (p *Plan) ScanListLimit() int64 {
	if p.ByText {
		return MaxScanListed
	}
	for _, source := range p.Sources {
		var pages int64
		for _, partition := range source.Leaves {
			pages += partition.Pages
		}
		if pages > maxScanPages {
			return 0
		}
	}
	return min(maxScanBlocks*p.BlockRows, MaxScanListed)
}

// MaxScanListed bounds the rows listed by one pass over a table.
const MaxScanListed = 100_000
