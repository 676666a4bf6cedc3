package soak_test

import (
	"testing"

	"ace/infra/testkit/soak"
)

func TestRounds_AreFewUnlessTheyAreAskedFor(t *testing.T) {
	for scale, want := range map[string]int{"1": 20, "0.5": 10, "0": 2, "0.01": 2, "3": 60} {
		t.Setenv(soak.EnvScale, scale)
		if got := soak.Rounds(t, 2, 20); got != want {
			t.Errorf("%s of 20, but 2 at least, are %d, want %d", scale, got, want)
		}
	}
}

func TestSeed_IsTheOneAskedFor(t *testing.T) {
	t.Setenv(soak.EnvSeed, "77")
	if got := soak.Seed(t); got != 77 {
		t.Errorf("the seed is %d, want 77", got)
	}
}
