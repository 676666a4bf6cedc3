package diffkeys

import (
	"hash/maphash"

	"ace/shared/table"
)

// seen tells which keys of a chunk came before. The rows of the second node of a pair mostly follow those of the first, key by
// key: so the key behind the latest one that was known is looked at first. A key that it misses costs only memory: keys
// that are sorted come out once.
type seen struct {
	seed maphash.Seed
	at   map[uint64]int32 // by the hash of a key's text, its place in the chunk
	next int              // the place behind the latest known key
	hash uint64           // of the key that was asked for last
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed(), at: map[uint64]int32{}} }

// has says whether the chunk has a key.
func (s *seen) has(chunk []table.Key, key table.Key) bool {
	if s.next < len(chunk) && chunk[s.next].Equal(key) {
		s.next++
		return true
	}
	s.hash = s.sum(key)
	place, ok := s.at[s.hash]
	if !ok || !chunk[place].Equal(key) {
		return false
	}
	s.next = int(place) + 1
	return true
}

// add says where the key was put that the chunk was just found not to have.
func (s *seen) add(place int) { s.at[s.hash] = int32(place) }

func (s *seen) clear() {
	clear(s.at)
	s.next = 0
}

// sum is the hash of a key. Texts of PostgreSQL's contain no NUL.
func (s *seen) sum(key table.Key) uint64 {
	if len(key) == 1 {
		return maphash.String(s.seed, key[0])
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, text := range key {
		_, _ = h.WriteString(text)
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}
