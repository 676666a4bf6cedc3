package rowpairs

import (
	"cmp"
	"hash/maphash"
	"slices"

	"ace/shared/bitmap"
	"ace/shared/difffile"
)

const (
	// maxMarks bounds the marks in memory. They need 32 MB, and are enough for a million
	// rows on each node of a pair.
	maxMarks = 2 << 20
	// maxShares is the maximum number of shares (see marks). The rows are read once for
	// each share. More shares would not help: they would be needed only if very many marks
	// had the same hash, and marks with the same hash are always in one share.
	maxShares = 1 << 16
)

// mark is the hash of one row's key, with the row's number and side. The side is the
// index of the row's node in the pair. There can be millions of marks, so the number and
// the side share one integer.
type mark struct {
	hash uint64
	at   int64 // twice the number of the row, plus its side
}

func newMark(hash uint64, side int, row int64) mark { return mark{hash, 2*row + int64(side)} }

func (m mark) side() int64 { return m.at % 2 }
func (m mark) row() int64  { return m.at / 2 }

// marks finds the keys that both nodes of a pair have. If the marks do not fit into
// memory, they are divided into shares by the remainder of their hash, and the rows are
// read once for each share.
type marks struct {
	list   []mark
	max    int
	share  uint64 // the current share: the remainder of the hashes that are in memory
	shares uint64 // the number of shares: the divisor of the hashes
}

// add adds the mark of a row, if it belongs to the current share. If the first share
// becomes too large, add doubles the number of shares and removes the marks that now
// belong to another share. The rows of the removed marks are read again later. Only the
// first share is checked, because all shares are about equally large.
func (m *marks) add(k mark) {
	if k.hash%m.shares != m.share {
		return
	}

	m.list = append(m.list, k)
	if m.share == 0 && len(m.list) > m.max && m.shares < maxShares {
		m.shares *= 2
		m.list = slices.DeleteFunc(m.list, func(k mark) bool { return k.hash%m.shares != 0 })
	}
}

// match finds the keys of the current share that are on both nodes, and returns their
// number. both has one set of row numbers per node. For each of the keys, match adds the
// number of the row on each node to the set of that node. It returns false if one node
// has a key twice.
func (m *marks) match(both *[2]bitmap.Set) (n int64, ok bool) {
	slices.SortFunc(m.list, func(a, b mark) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.side(), b.side()))
	})
	for i := 1; i < len(m.list); i++ {
		a, b := m.list[i-1], m.list[i]
		switch {
		case a.hash != b.hash:
		case a.side() == b.side():
			return n, false
		default:
			both[a.side()].Add(a.row())
			both[b.side()].Add(b.row())
			n++
		}
	}
	return n, true
}

// hasher hashes keys. Each hasher has its own random seed, so that a document cannot be
// prepared to have collisions.
type hasher struct {
	hash maphash.Hash
}

// of returns the hash of a key.
func (h *hasher) of(key difffile.Row) uint64 {
	h.hash.Reset()
	for _, value := range key {
		if value != nil {
			_, _ = h.hash.WriteString(*value) // writing to a hash never fails
		}
		_ = h.hash.WriteByte(0) // no PostgreSQL text contains this byte
	}
	return h.hash.Sum64()
}
