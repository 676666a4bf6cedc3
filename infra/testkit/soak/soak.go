// Package soak decides how much randomised tests try. In `make test` they try little, and
// always the same. `make soak` requests the full budget of each test, from a seed of its
// own, and collects their reports.
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
	EnvScale = "ACE_SOAK"      // how much of the full budget: 1 is all of it
	EnvSeed  = "ACE_SOAK_SEED" // another seed than the usual one
)

// Attribute names what Report adds to a test's output.
const Attribute = "soak"

// Rounds returns how many rounds a test runs: few, or the share of full that ACE_SOAK
// names, but at least few.
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

// Report adds one line of figures on what a test has tried.
func Report(t testing.TB, format string, figures ...any) {
	t.Helper()
	t.Attr(Attribute, fmt.Sprintf(format, figures...))
}
