package table

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// arrayText writes texts as PostgreSQL's array_out does: with quotes only where they are
// needed.
func arrayText(texts []string) string {
	var b strings.Builder
	for i, text := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		if text != "" && !strings.EqualFold(text, "NULL") && !strings.ContainsAny(text, "\"\\{}, \t\n\r\v\f") {
			b.WriteString(text)
			continue
		}
		b.WriteString(`"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(text) + `"`)
	}
	return "{" + b.String() + "}"
}

func TestKeysAt_ReturnsTheTextsOfTheArrays(t *testing.T) {
	text := rapid.OneOf(rapid.StringMatching(`["\\{},' A-Zé日]*`), rapid.String(), rapid.SampledFrom([]string{"", "NULL", "null", `\`, `"`, "{}", ",", "a,b"}))
	rapid.Check(t, func(rt *rapid.T) {
		count := rapid.IntRange(1, 12).Draw(rt, "rows")
		columns := [][]string{rapid.SliceOfN(text, count, count).Draw(rt, "first column"), rapid.SliceOfN(text, count, count).Draw(rt, "second column")}
		places := rapid.SliceOfNDistinct(rapid.IntRange(0, count-1), 0, count, rapid.ID[int]).Draw(rt, "places")
		slices.Sort(places)
		f := Fingerprint{KeyArrays: []string{arrayText(columns[0]), arrayText(columns[1])}}
		keys, err := f.KeysAt(places)
		if err != nil || len(keys) != len(places) {
			rt.Fatalf("%q at %v has the keys %q, error %v", f.KeyArrays, places, keys, err)
		}
		for i, place := range places {
			if want := (Key{columns[0][place], columns[1][place]}); !keys[i].Equal(want) {
				rt.Fatalf("%q at %d is %q, want %q", f.KeyArrays, place, keys[i], want)
			}
		}
	})
}

func TestKeysAt_RefusesMalformedAndTooShortArrays(t *testing.T) {
	for _, tt := range []struct {
		array  string
		places []int
	}{
		{"", []int{0}},
		{"{", []int{0}},
		{"a,b}", []int{0}},
		{"{}", []int{0}},
		{"{a,b}", []int{2}},
		{"{a,b", []int{1}},
		{`{"a`, []int{0}},
		{`{"a\"}`, []int{0}},
		{`{"a"b,c}`, []int{1}},
		{"{a,,b}", []int{1}},
		{"{NULL,b}", []int{0}},
		{"{a,b}", []int{-1}},
		{"{a,b}", []int{1, 0}},
		{"{a,b}", []int{1, 1}},
	} {
		if keys, err := (Fingerprint{KeyArrays: []string{tt.array}}).KeysAt(tt.places); err == nil {
			t.Errorf("%s at %v has the keys %q, want an error", tt.array, tt.places, keys)
		}
	}
}

func TestKeysAt_ReadsNoArrayIfNoPlaceIsRequested(t *testing.T) {
	for _, f := range []Fingerprint{{}, {KeyArrays: []string{""}}, {KeyArrays: []string{"{a}"}}} { // the first two: no rows
		if keys, err := f.KeysAt(nil); err != nil || len(keys) != 0 {
			t.Errorf("%+v has the keys %q, error %v", f, keys, err)
		}
	}
}

func FuzzKeysAt(f *testing.F) {
	for _, array := range []string{"", "{}", "{a,b}", `{"a\"b","\\",""}`, `{"`, `{"\`, `{"a"x}`, "{NULL}", "{{a},{b}}"} {
		f.Add(array, 0, 2)
	}
	f.Fuzz(func(t *testing.T, array string, first, second int) {
		places := []int{first, second}
		keys, err := Fingerprint{KeyArrays: []string{array}}.KeysAt(places)
		if err == nil && (len(keys) != 2 || len(keys[0]) != 1 || len(keys[1]) != 1) {
			t.Errorf("%q at %v has the keys %q", array, places, keys)
		}
	})
}
