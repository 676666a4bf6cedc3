package plan

import (
	"encoding/binary"
	"fmt"

	"ace/shared/table"
)

// KnownRanges returns the sums that the baseline has for the page ranges of a node.
func (p *Plan) KnownRanges(node int) map[table.PageRange]RangeSums {
	known := map[table.PageRange]RangeSums{}
	for _, s := range p.Known.Ranges[node] {
		known[s.PageRange] = s
	}
	return known
}

// coarseBuckets is the maximum number of hash buckets by which a page range is summed. A
// baseline stores a sum for each of these buckets.
const coarseBuckets = 256

// RangeSums holds the sums of one page range of one node in one snapshot. They are valid
// as long as the rows of this page range are unchanged; other ranges and other nodes do
// not matter. So a baseline also has page ranges in which rows differed between the
// nodes.
type RangeSums struct {
	table.PageRange
	Rows    int64  `json:"n"`
	Horizon int64  `json:"h"`              // the xmin of the snapshot; 0 (in a range without rows) means that the sums cannot be reused
	Sums    []byte `json:"s,omitempty"`    // sums of the coarse buckets, see PackSums
	Same    bool   `json:"same,omitempty"` // set in a part if the rows are unchanged since the baseline; then Sums is empty, because the baseline has the sums
}

// CoarseBuckets returns the number of buckets by which a page range is summed. A row's
// coarse bucket is its bucket of the plan modulo this number.
func (p *Plan) CoarseBuckets() int { return min(p.Buckets, coarseBuckets) }

// FineBuckets returns the buckets of the plan that make up the given coarse buckets.
func (p *Plan) FineBuckets(coarse []int) []int {
	wanted := make([]bool, p.CoarseBuckets())
	for _, bucket := range coarse {
		wanted[bucket] = true
	}

	var fine []int
	for bucket := range p.Buckets {
		if wanted[bucket%len(wanted)] {
			fine = append(fine, bucket)
		}
	}

	return fine
}

// PackSums encodes the sums of the groups that have rows. For each such group it writes
// the number of empty groups since the last group with rows, the row count, and the eight
// bytes of the digest.
func PackSums(sums []table.Sum) []byte {
	var packed []byte
	next := 0
	for group, sum := range sums {
		if sum.Rows == 0 {
			continue
		}

		packed = binary.AppendUvarint(packed, uint64(group-next))
		packed = binary.AppendUvarint(packed, uint64(sum.Rows))
		packed = binary.LittleEndian.AppendUint64(packed, uint64(sum.Digest))
		next = group + 1
	}
	return packed
}

// AddPacked adds packed sums to the sums of a node's groups and returns the number of
// rows in them.
func AddPacked(packed []byte, sums []table.Sum) (rows int64, err error) {
	group := 0
	for rest := packed; len(rest) > 0; group++ {
		skipped, a := binary.Uvarint(rest)
		if a <= 0 || skipped >= uint64(len(sums)) {
			return 0, fmt.Errorf("no group at byte %d of %d", len(packed)-len(rest), len(packed))
		}

		group += int(skipped)
		n, b := binary.Uvarint(rest[a:])
		if b <= 0 || n == 0 || n > maxPackedRows || len(rest) < a+b+8 || group >= len(sums) {
			return 0, fmt.Errorf("group %d of %d at byte %d of %d is damaged", group, len(sums), len(packed)-len(rest), len(packed))
		}

		sum := table.Sum{Rows: int64(n), Digest: int64(binary.LittleEndian.Uint64(rest[a+b:]))}
		sums[group] = sums[group].Add(sum)
		rows += sum.Rows
		rest = rest[a+b+8:]
	}

	return rows, nil
}

// maxPackedRows is more than the number of rows of any page range. A greater row count in
// packed sums means that the sums are damaged.
const maxPackedRows = 1 << 48
