package visible_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"ace/shared/visible"
)

// hostile has the sequences that terminals and editors act upon.
var hostile = []string{
	"\x1b[2J", "\x1b]52;c;cm0gLXJmIC8K\x07", "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "a\rb", "a\b\bb", "\x7f", "\u009b2J", "\u009d52;c;x\u009c",
	"\u202egpj.exe", "\u2066x\u2069", "\u200b\u200d\ufeff", "\u2028x\u2029", "\U000e0041", "\x00", "line\nace: forged",
}

func TestLine_HasNoUnsafeCharacter(t *testing.T) {
	for _, text := range hostile {
		if got := visible.Line(text); strings.IndexFunc(got, visible.IsUnsafe) >= 0 || got == text {
			t.Errorf("Line(%q) = %q", text, got)
		}
	}
	const plain = "plain, Größe, 漢字, 🙂"
	if got := visible.Line(plain); got != plain {
		t.Errorf("Line(%q) = %q", plain, got)
	}
	if got, want := visible.Line("\xff\x1b\n"), `\ufffd\x1b\n`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestBlock_IndentsTheLinesAfterTheFirst(t *testing.T) {
	if got, want := visible.Block("a\rb\nace: forged\n  two\n", "  "), "a\\rb\n  ace: forged\n  two\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range hostile {
		raw, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := visible.JSON(raw)
		var want, have any
		if json.Unmarshal(raw, &want) != nil {
			return
		}
		if err := json.Unmarshal(got, &have); err != nil || !reflect.DeepEqual(have, want) {
			t.Errorf("JSON(%q) = %q, which means something else: %v", raw, got, err)
		}
		if i := strings.IndexFunc(string(got), func(r rune) bool { return r >= ' ' && visible.IsUnsafe(r) }); i >= 0 {
			t.Errorf("JSON(%q) = %q, which has an unsafe character at %d", raw, got, i)
		}
	})
}

// Wherever a text is split into writes, the writer writes the same.
func FuzzWriter(f *testing.F) {
	for i, text := range hostile {
		f.Add(text, uint8(i))
	}
	f.Fuzz(func(t *testing.T, text string, at uint8) {
		var out bytes.Buffer
		w := visible.NewWriter(&out)
		split := min(int(at), len(text))
		for _, part := range []string{text[:split], text[split:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if utf8.ValidString(text) && out.String() != visible.Block(text, "") {
			t.Errorf("split at %d, %q becomes %q", split, text, out.String())
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && r != '\t' && visible.IsUnsafe(r) }); i >= 0 {
			t.Errorf("%q becomes %q, which has an unsafe character at %d", text, out.String(), i)
		}
	})
}
