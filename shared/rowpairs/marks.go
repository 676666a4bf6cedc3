package rowpairs

import (
	"cmp"
	"hash/maphash"
	"slices"

	"ace/shared/bitmap"
	"ace/shared/difffile"
)

const (
	// maxMarks bounds the keys that are held at once: 32 MB of them, those of a million rows on both nodes.
	maxMarks = 2 << 20
	// maxParts bounds how often a section is read. Keys that even so many parts cannot tell apart are one key.
	maxParts = 1 << 16
)

// mark is the key of one row. There can be millions, so that row and side share a word.
type mark struct {
	hash uint64
	at   int64 // twice the number of the row, plus the side: which node of the pair
}

func newMark(hash uint64, side int, row int64) mark { return mark{hash, 2*row + int64(side)} }

func (m mark) side() int64 { return m.at % 2 }
func (m mark) row() int64  { return m.at / 2 }

// marks find the keys that both nodes of a pair have. Of too many keys only those are held whose hash has a certain
// remainder: then the rows have to be read once for each.
type marks struct {
	list  []mark
	max   int
	part  uint64 // the remainder
	parts uint64
}

// add notes the key of a row. When there are too many it gives up half of them, to be read again as a part of their
// own. Parts after the first are as large as that, give or take a little.
func (m *marks) add(k mark) {
	if k.hash%m.parts != m.part {
		return
	}
	m.list = append(m.list, k)
	if m.part == 0 && len(m.list) > m.max && m.parts < maxParts {
		m.parts *= 2
		m.list = slices.DeleteFunc(m.list, func(k mark) bool { return k.hash%m.parts != 0 })
	}
}

// match notes the rows of the part whose key the other node has too, and gives their number. It gives false if one
// node has a key twice.
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

// hasher hashes keys. Each has a seed of its own, so that nobody can make up keys that only seem to be the same.
type hasher struct {
	hash maphash.Hash
}

func (h *hasher) of(key difffile.Row) uint64 {
	h.hash.Reset()
	for _, value := range key {
		if value != nil {
			_, _ = h.hash.WriteString(*value) // a hash never fails
		}
		_ = h.hash.WriteByte(0) // which no text of PostgreSQL's contains
	}
	return h.hash.Sum64()
}
