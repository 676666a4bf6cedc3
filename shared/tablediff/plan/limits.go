package plan

const (
	// maxScanBlocks is the maximum number of rows that one pass over the pages lists, as a
	// multiple of block_rows.
	maxScanBlocks = 10
	// maxScanPages is the maximum number of pages (32 GB) that one statement reads; more
	// might exceed the statement timeout.
	maxScanPages = 4 << 20
	// SplitAbove determines which ranges are split before their rows are listed: those with
	// more than SplitAbove * block_rows rows.
	SplitAbove = 4
	// LookupKeys is the number of keys that one statement looks up.
	LookupKeys = 10_000
	// MaxAwaitedKeys is the maximum number of in-flight keys that one unit waits for.
	// Further in-flight keys are reported as unsettled at once.
	MaxAwaitedKeys = 50_000
	// BlockKeys is the number of keys in a block of a rerun.
	BlockKeys = LookupKeys
	// StatementBlocks is the number of blocks whose keys one statement of a rerun looks up,
	// if the behavior of the rerun is hostdb. It is bounded because the keys and digests of
	// one statement must fit in memory.
	StatementBlocks = 10
)

// ScanListLimit returns how many rows of the differing buckets may be listed in one pass
// over the whole table of every node. 0 means that such a pass would take too long. If no
// index has the order of the chunks (ByText), such passes are the only way to list rows.
// Then the result is never 0.
func (p *Plan) ScanListLimit() int64 {
	if p.ByText {
		return MaxScanListed
	}

	for _, source := range p.Sources {
		var pages int64
		for _, partition := range source.Partitions {
			pages += partition.Pages
		}

		if pages > maxScanPages {
			return 0
		}
	}

	return min(maxScanBlocks*p.BlockRows, MaxScanListed)
}

// MaxScanListed is the maximum number of rows that one pass over a table lists, however
// large block_rows is.
const MaxScanListed = 100_000
