package api

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// asExpression returns the regular expression that has the meaning of a pattern.
func asExpression(pattern string) *regexp.Regexp {
	text := regexp.QuoteMeta(pattern)
	text = strings.ReplaceAll(strings.ReplaceAll(text, `\*`, ".*"), `\?`, ".")
	return regexp.MustCompile("(?s)^" + text + "$")
}

func TestMatchesPattern_IsTheRegularExpression(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := func(letters ...string) *rapid.Generator[string] {
			return rapid.Map(rapid.SliceOfN(rapid.SampledFrom(letters), 0, 12), func(parts []string) string { return strings.Join(parts, "") })
		}
		pattern := of("a", "b", "é", ".", `\`, "*", "*", "?").Draw(t, "pattern")
		text := of("a", "b", "é", ".", `\`, "*", "?", "\n", "\xff").Draw(t, "text")
		if got, want := matchesPattern(pattern, text), asExpression(pattern).MatchString(text); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

// A comparison may match 1,000 patterns with the names of several hundred thousand
// objects.
func TestPatterns_MatchIsFast(t *testing.T) {
	t.Parallel()
	patterns := Patterns{strings.Repeat("a*", 20) + "b", "*_old", "audit.*"}
	name := TableName{Schema: "public", Name: strings.Repeat("a", 63)}
	begun := time.Now()
	for range 10_000 {
		if patterns.Match(name) {
			t.Fatal("it matches")
		}
	}
	// A matcher that tries every way to divide the name among the stars takes longer than
	// this for one name.
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("10,000 names took %s", took)
	}
}
