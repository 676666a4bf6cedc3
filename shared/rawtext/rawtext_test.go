package rawtext_test

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ace/shared/rawtext"
)

func TestText_EscapesInvalidBytes(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                       "",
		"café":                   "café",
		"caf\xe9":                "caf\uFDD0e9",
		"\xff\x00\x80":           "\uFDD0ff\x00\uFDD080",
		"a\xe2\x82":              "a\uFDD0e2\uFDD082",
		"\xed\xa0\x80":           "\uFDD0ed\uFDD0a0\uFDD080", // half of a surrogate pair
		"x\uFDD0e9":              "x\uFDD0ef\uFDD0b7\uFDD090e9",
		"\uFDD1\uFFFD\U0010FFFF": "\uFDD1\uFFFD\U0010FFFF",
	} {
		if got := rawtext.Text([]byte(raw)); got != want {
			t.Errorf("Text(%q) = %q, want %q", raw, got, want)
		}
		if got := rawtext.Bytes(want); got != raw {
			t.Errorf("Bytes(%q) = %q, want %q", want, got, raw)
		}
	}
}

func TestBytes_KeepsAMarkWithoutDigits(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"\uFDD0", "\uFDD0e", "a\uFDD0xy", "\uFDD0E9", "\uFDD0\uFDD0"} {
		if got := rawtext.Bytes(text); got != text {
			t.Errorf("Bytes(%q) = %q", text, got)
		}
	}
}

func TestText_RoundTripsAnyBytes(t *testing.T) {
	t.Parallel()
	piece := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Just([]byte(rawtext.Mark)), rapid.Just([]byte("e9")),
		rapid.Map(rapid.String(), func(s string) []byte { return []byte(s) }))
	rapid.Check(t, func(t *rapid.T) {
		raw := bytes.Join(rapid.SliceOf(piece).Draw(t, "pieces"), nil)
		text := rawtext.Text(raw)
		if !utf8.ValidString(text) || rawtext.Bytes(text) != string(raw) {
			t.Fatalf("%q became %q, which is %q", raw, text, rawtext.Bytes(text))
		}
		if rawtext.IsPlain(raw) != (text == string(raw)) {
			t.Fatalf("IsPlain(%q) = %t, but the text is %q", raw, rawtext.IsPlain(raw), text)
		}
	})
}
