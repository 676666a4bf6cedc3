// Package bitmap implements sets of small numbers. A set needs one bit of memory for each
// number from 0 to its largest member.
package bitmap

// Set is a set of numbers that are not negative. The zero value is empty.
type Set []uint64

// Add adds a number to the set.
func (s *Set) Add(n int64) {
	for int64(len(*s)) <= n/64 {
		*s = append(*s, 0)
	}
	(*s)[n/64] |= 1 << (n % 64)
}

// Has reports whether a number is in the set.
func (s Set) Has(n int64) bool {
	return n/64 < int64(len(s)) && s[n/64]&(1<<(n%64)) != 0
}
