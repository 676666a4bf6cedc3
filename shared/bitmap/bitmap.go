// Package bitmap has sets of small numbers: a bit each, up to the largest one that is in.
package bitmap

// Set is a set of numbers from 0. The zero value is empty.
type Set []uint64

// Add puts a number in.
func (s *Set) Add(n int64) {
	for int64(len(*s)) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

// Has says whether a number is in.
func (s Set) Has(n int64) bool {
	return n/64 < int64(len(s)) && s[n/64]&(1<<(n%64)) != 0
}
