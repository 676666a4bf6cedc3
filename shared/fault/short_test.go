package fault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ace/shared/fault"
)

// longest is the maximum length of a message in bytes: sixteen kilobytes and the note
// about the omitted rest.
const longest = 16<<10 + 40

// word is a named type of text.
type word string

// named is a value with a String method.
type named struct{ text string }

func (n named) String() string { return n.text }

func TestNew_ShortensAValueToAKilobyte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.SampledFrom([]string{"x", "é", "☃", "\x00", `"`, "\xff", "a b", "\n"}).Draw(t, "unit")
		text := strings.Repeat(unit, rapid.IntRange(0, 5000).Draw(t, "times"))
		arg := rapid.SampledFrom([]any{
			text, word(text), []byte(text), []string{text, text}, errors.New(text), named{text}, &named{text}, map[string]string{"a": text},
			fault.New(fault.Invalid, "it is %s", text), [2]string{text, text},
		}).Draw(t, "argument")
		verb := rapid.SampledFrom([]string{"%s", "%v", "%q"}).Draw(t, "verb")
		err := fault.Wrap(errors.New(text), fault.Invalid, "node %s: the key is "+verb+", want %d", "n1", arg, 7)

		message := err.Message
		// A quoted byte has at most four bytes: \x00.
		if limit := 5*1024 + 100; len(message) > limit {
			t.Fatalf("the message has %d bytes: %.200s", len(message), message)
		}
		if !strings.HasPrefix(message, "node n1: the key is ") || !strings.HasSuffix(message, ", want 7") {
			t.Fatalf("the message is %.100s", message)
		}
		if plain := fmt.Sprintf(verb, arg); len(plain) < 1000 && !strings.Contains(message, plain) {
			t.Fatalf("a short value is changed: %s", message)
		}
		if utf8.ValidString(text) && !utf8.ValidString(message) {
			t.Fatal("a character is cut")
		}
		if log := err.Error(); len(log) > len(message)+1100 {
			t.Fatalf("the text for the log has %d bytes", len(log))
		}
		if all := fault.New(fault.Invalid, "%s", strings.Repeat(text, 10)).Message; len(all) > longest {
			t.Fatalf("a message as a whole has %d bytes", len(all))
		}
	})
}

func TestShort_ContainsTheLength(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "short": "short", strings.Repeat("x", 1024): strings.Repeat("x", 1024),
		strings.Repeat("x", 1025): strings.Repeat("x", 1024) + "... (1025 bytes)",
		strings.Repeat("☃", 1000): strings.Repeat("☃", 341) + "... (3000 bytes)",
	} {
		if got := fault.Short(text); got != want {
			t.Errorf("%d bytes become %d: %.40s", len(text), len(got), got)
		}
	}
}

func TestError_OfManyFaultsIsBounded(t *testing.T) {
	err := error(fault.New(fault.Invalid, "key %s", strings.Repeat("x", 1<<20)))
	for range 100 {
		err = fault.Wrap(err, fault.Internal, "again %s", strings.Repeat("y", 1<<20))
	}
	if text := err.Error(); len(text) > longest+1200 {
		t.Errorf("the text for the log has %d bytes", len(text))
	}
}
