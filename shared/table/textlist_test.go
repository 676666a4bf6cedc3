package table_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"ace/shared/table"
)

func sameTexts(a, b []*string) bool {
	return slices.EqualFunc(a, b, func(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) })
}

func TestRowAndKey_RoundTripAsJSON(t *testing.T) {
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
		raw := table.AppendRow(nil, list)
		got, rest, err := table.ReadRow(append(slices.Clip(raw), "rest"...))
		if err != nil || !sameTexts(list, got) || string(rest) != "rest" {
			rt.Fatalf("%s: %v, rest %q, error %v", raw, got, rest, err)
		}
		var standard []*string
		if err := json.Unmarshal(raw, &standard); err != nil || !sameTexts(list, standard) {
			rt.Fatalf("%s: encoding/json reads %v, error %v", raw, standard, err)
		}
		raw = table.AppendKey(nil, key)
		if got, err := table.ReadKey(raw); err != nil || !slices.Equal(key, got) {
			rt.Fatalf("%s: %v, error %v", raw, got, err)
		}
	})
}

func TestReadKey_AcceptsOnlyAListOfStrings(t *testing.T) {
	for _, raw := range []string{``, `[`, `]`, `[]x`, `["a"`, `["a]`, `["a",]`, `[,"a"]`, `["a""b"]`, `["a" "b"]`, `[null]`, `["a",null]`, `[1]`, `{"a":1}`, `["\x"]`, "[\"\n\"]", `[nul]`} {
		if key, err := table.ReadKey([]byte(raw)); err == nil {
			t.Errorf("%s is read as %q", raw, key)
		}
	}
}

// encoding/json must read every list that ReadRow accepts, with the same result.
func FuzzReadRow(f *testing.F) {
	for _, seed := range []string{`[]`, `["a",null,"\u00e9"]`, `["a\"b","\\"]`, `["]"]`, `[null,]`, `["` + "\xff" + `"]`, `["\ud83d"]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, rest, err := table.ReadRow(raw)
		if err != nil {
			return
		}
		read := raw[:len(raw)-len(rest)]
		var standard []*string
		if err := json.Unmarshal(read, &standard); err != nil || !sameTexts(list, standard) {
			t.Fatalf("%q is %d texts, encoding/json reads %d, error %v", read, len(list), len(standard), err)
		}
		again, _, err := table.ReadRow(table.AppendRow(nil, list))
		if err != nil || !sameTexts(list, again) || bytes.ContainsRune(table.AppendRow(nil, list), '\n') {
			t.Fatalf("%q is written as %q", read, table.AppendRow(nil, list))
		}
	})
}

// benchRow is a row of twelve texts, as a part has them.
func benchRow() (row table.Row, raw []byte) {
	for _, text := range []string{
		"1234567", "customer-1234567", "First name", "Last name", "A company of some sort", "A city", "A country",
		"+1-234-567-890", "", "ann@example.org", "2021-05-06", "https://example.org/path",
	} {
		row = append(row, &text)
	}
	return row, table.AppendRow(nil, row)
}

// The benchmarks compare this package with two libraries. BENCHMARKS.md has the figures.
func BenchmarkReadRow(b *testing.B) {
	_, raw := benchRow()
	b.Run("ReadRow", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = table.ReadRow(raw)
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.ReportAllocs()
		decoder := jsontext.NewDecoder(bytes.NewReader(nil)) // reused, which a function without state cannot do
		for b.Loop() {
			_ = libraryReadRow(decoder, raw)
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

// libraryReadRow reads a row with jsontext, with few allocations.
func libraryReadRow(decoder *jsontext.Decoder, raw []byte) table.Row {
	decoder.Reset(bytes.NewBuffer(raw)) // a Buffer is read without a copy
	_, _ = decoder.ReadToken()
	row := make(table.Row, 0, 16)
	var scratch [256]byte
	for decoder.PeekKind() != ']' {
		value, err := decoder.ReadValue()
		if err != nil {
			return nil
		}
		if value.Kind() == 'n' {
			row = append(row, nil)
			continue
		}
		unquoted, err := jsontext.AppendUnquote(scratch[:0], value)
		if err != nil {
			return nil
		}
		text := string(unquoted)
		row = append(row, &text)
	}
	_, _ = decoder.ReadToken()
	return row
}

func BenchmarkAppendRow(b *testing.B) {
	row, out := benchRow()
	b.Run("AppendRow", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out = table.AppendRow(out[:0], row)
		}
	})
	b.Run("jsontext", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			out = append(out[:0], '[')
			for i, text := range row {
				if i > 0 {
					out = append(out, ',')
				}
				out, _ = jsontext.AppendQuote(out, *text)
			}
			out = append(out, ']')
		}
	})
}
