package diffkeys

import (
	"hash/maphash"

	"ace/shared/table"
)

// seen finds keys that are already in the buffer. The second node of a pair mostly has
// the same keys as the first, in the same order. So seen first compares a key with the
// key in the buffer after the one that it found last. If seen misses a duplicate, this
// only costs memory, because sorting removes the duplicate.
type seen struct {
	seed maphash.Seed
	at   map[uint64]int32 // from the hash of a key's text to its index in the buffer
	next int              // the index after the key that was found last
	hash uint64           // the hash that the last call of has computed
}

func newSeen() *seen { return &seen{seed: maphash.MakeSeed(), at: map[uint64]int32{}} }

// has reports whether chunk, which is the buffer, contains a key. If two keys have the
// same hash, has may return false for a key that the buffer contains.
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

// add records the index that a key will have in the buffer. The caller must have called
// has for this key just before, with the result false, since add uses the hash from that
// call.
func (s *seen) add(place int) { s.at[s.hash] = int32(place) }

func (s *seen) clear() {
	clear(s.at)
	s.next = 0
}

// sum returns the hash of a key. It hashes a NUL after each text, which no text of
// PostgreSQL contains, so that keys like (a, bc) and (ab, c) have different hashes.
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
