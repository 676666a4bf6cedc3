package diffkeys

import (
	"hash/maphash"

	"ace/shared/table"
)

// seen finds keys that the buffer contains already. The rows of the second node of a pair
// mostly follow those of the first, key by key, so the key after the latest known one is
// compared first. A duplicate that seen misses only costs memory, since sorting removes
// it.
type seen struct {
	seed maphash.Seed
	at   map[uint64]int32 // by the hash of a key's text: its index in the buffer
	next int              // the index after the latest known key
	hash uint64           // of the key that has was last called with
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed(), at: map[uint64]int32{}} }

// has reports whether the buffer contains a key.
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

// add records the index of the key that has just missed.
func (s *seen) add(place int) { s.at[s.hash] = int32(place) }

func (s *seen) clear() {
	clear(s.at)
	s.next = 0
}

// sum returns the hash of a key. Texts of PostgreSQL contain no NUL.
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
