// Package soak sets the budget and the seed of randomised tests. In `make test` the
// budget is small and the seed is always the same. `make soak` sets the full budget for
// each test and a new seed, and collects the reports of the tests.
//
// It is for tests only.
package soak

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// The environment variables that `make soak` sets.
const (
	EnvScale = "ACE_SOAK"      // the share of the full budget: 1 is all of it
	EnvSeed  = "ACE_SOAK_SEED" // the seed that replaces the fixed one
)

// Attribute is the name of the attribute that Report adds to a test's output.
const Attribute = "soak"

// Rounds returns the number of rounds that a test runs: few if ACE_SOAK is not set,
// otherwise the product of ACE_SOAK and full, but at least few.
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

// Seed returns the seed for random values: the value of ACE_SOAK_SEED, or 1 if that is
// not set.
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

// Report adds a line to the output of a test, with figures about what the test has tried.
func Report(t testing.TB, format string, figures ...any) {
	t.Helper()
	t.Attr(Attribute, fmt.Sprintf(format, figures...))
}
