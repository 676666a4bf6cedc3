package bitmap_test

import (
	"testing"

	"pgregory.net/rapid"

	"ace/shared/bitmap"
)

func TestSet_HasTheNumbersThatWereAdded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s bitmap.Set
		in := map[int64]bool{}
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, 500)).Draw(t, "numbers") {
			s.Add(n)
			in[n] = true
		}
		for n := range int64(520) {
			if s.Has(n) != in[n] {
				t.Fatalf("%d is in: %v, want %v", n, s.Has(n), in[n])
			}
		}
	})
}
