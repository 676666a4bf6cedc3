// Package soak decides how much randomised tests try. In `make test` that is a little,
// and always the same; `make soak` asks for as much as each of them calls full, from a
// seed of its own, and collects what they report.
//
// It is for tests only and knows nothing of what they do.
package soak

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// The environment variables that `make soak` sets.
const (
	EnvScale = "ACE_SOAK"      // how much of the full budget: 1 is all of it
	EnvSeed  = "ACE_SOAK_SEED" // another seed than the usual one
)

// Attribute names what Report adds to a test's output.
const Attribute = "soak"

// Rounds returns how many rounds a test is to run: few, or as much of full as ACE_SOAK
// says, but never fewer.
func Rounds(t testing.TB, few, full int) int {
	t.Helper()
	text, set := os.LookupEnv(EnvScale)
	if !set {
		return few
	}
	scale, err := strconv.ParseFloat(text, 64)
	if err != nil || scale < 0 {
		t.Fatalf("%s is %q; allowed is a number from 0, such as 1", EnvScale, text)
	}
	return max(few, int(scale*float64(full)))
}

// Seed returns the seed to draw from.
func Seed(t testing.TB) uint64 {
	t.Helper()
	text, set := os.LookupEnv(EnvSeed)
	if !set {
		return 1
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q; allowed is a whole number from 0", EnvSeed, text)
	}
	return seed
}

// Report says what a test has tried, in figures, on one line.
func Report(t testing.TB, format string, figures ...any) {
	t.Helper()
	t.Attr(Attribute, fmt.Sprintf(format, figures...))
}
