package texts_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/texts"
)

func equal(a, b []*string) bool {
	return slices.EqualFunc(a, b, func(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) })
}

func TestLists_AreReadAsTheyWereWrittenAndAreJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var list []*string
		var key []string
		for range rapid.IntRange(0, 8).Draw(rt, "width") {
			text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-c"\\/<&\n\x00-\x1f\x{2028}\x{feff}]*`), rapid.Just("null"), rapid.Just(`\`), rapid.Just(`]`)).Draw(rt, "text")
			key = append(key, text)
			if rapid.IntRange(0, 4).Draw(rt, "null") == 0 {
				list = append(list, nil)
			} else {
				list = append(list, &text)
			}
		}
		raw := texts.Append(nil, list)
		got, rest, err := texts.Read(append(slices.Clip(raw), "rest"...))
		if err != nil || !equal(list, got) || string(rest) != "rest" {
			rt.Fatalf("%s: %v, rest %q, error %v", raw, got, rest, err)
		}
		var standard []*string
		if err := json.Unmarshal(raw, &standard); err != nil || !equal(list, standard) {
			rt.Fatalf("%s: encoding/json reads %v, error %v", raw, standard, err)
		}
		raw = texts.AppendKey(nil, key)
		if got, err := texts.ReadKey(raw); err != nil || !slices.Equal(key, got) {
			rt.Fatalf("%s: %v, error %v", raw, got, err)
		}
	})
}

func TestReadKey_TakesNothingButAList(t *testing.T) {
	for _, raw := range []string{``, `[`, `]`, `[]x`, `["a"`, `["a]`, `["a",]`, `[,"a"]`, `["a""b"]`, `["a" "b"]`, `[null]`, `["a",null]`, `[1]`, `{"a":1}`, `["\x"]`, "[\"\n\"]", `[nul]`} {
		if key, err := texts.ReadKey([]byte(raw)); err == nil {
			t.Errorf("%s is read as %q", raw, key)
		}
	}
}

// Whatever is read, encoding/json reads as the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{`[]`, `["a",null,"\u00e9"]`, `["a\"b","\\"]`, `["]"]`, `[null,]`, `["` + "\xff" + `"]`, `["\ud83d"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, rest, err := texts.Read(raw)
		if err != nil {
			return
		}
		read := raw[:len(raw)-len(rest)]
		var standard []*string
		if err := json.Unmarshal(read, &standard); err != nil || !equal(list, standard) {
			t.Fatalf("%q is %d texts, encoding/json reads %d, error %v", read, len(list), len(standard), err)
		}
		again, _, err := texts.Read(texts.Append(nil, list))
		if err != nil || !equal(list, again) || bytes.ContainsRune(texts.Append(nil, list), '\n') {
			t.Fatalf("%q is written as %q", read, texts.Append(nil, list))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	row := []*string{}
	for _, text := range []string{"1234567", "customer-1234567", "First name", "Last name", "A company of some sort", "A city", "A country", "+1-234-567-890", "", "somebody@example.org", "2021-05-06", "https://example.org/path"} {
		row = append(row, &text)
	}
	raw := texts.Append(nil, row)
	b.Run("texts", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = texts.Read(raw)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var list []*string
			_ = json.Unmarshal(raw, &list)
		}
	})
}
