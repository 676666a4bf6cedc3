package render

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"ace/shared/difffile"
)

// shown returns the JSON of the pieces of two values.
func shown(m marker, a, b string) (first, second string) {
	p := m.mark([]value{{text: &a, version: 0, weight: 1}, {text: &b, version: 1, weight: 1}})
	return string(encodePieces(p[0])), string(encodePieces(p[1]))
}

func TestMark_MarksWordsOfTextsAndWholeGraphemeClusters(t *testing.T) {
	for _, tt := range []struct{ a, b, wantA, wantB string }{
		{"same start", "same end", `["same ",["start"]]`, `["same ",["end"]]`},
		{"Jon Doe", "John Doe", `[["Jon"]," Doe"]`, `[["John"]," Doe"]`},
		{"one two three four", "one 2 three 4", `["one ",["two"]," three ",["four"]]`, `["one ",["2"]," three ",["4"]]`},
		{"a b c d e", "a b X d e f", `["a b ",["c"]," d e",[""]]`, `["a b ",["X"]," d e",[" f"]]`},
		{"ada@example.com", "ada@example.org", `["ada@example.",["com"]]`, `["ada@example.",["org"]]`},
		{"costs 11.50 now", "costs 12.50 now", `["costs ",["11.50"]," now"]`, `["costs ",["12.50"]," now"]`},
		{"on 2024-03-15 12:07", "on 2024-03-16 12:07", `["on ",["2024-03-15"]," 12:07"]`, `["on ",["2024-03-16"]," 12:07"]`},
		{"first\nsecond line\nthird", "first\nsecond row\nthird", `["first\u000asecond ",["line"],"\u000athird"]`, `["first\u000asecond ",["row"],"\u000athird"]`},
		{"a\nb\nc", "a\nc", `["a\u000a",["b\u000a"],"c"]`, `["a\u000a",[""],"c"]`},
		{"x y", "x  y", `["x",[" "],"y"]`, `["x",["  "],"y"]`},
		{"", "x", `[[""]]`, `[["x"]]`},
		{"xe\u0301y z", "xe\u0300y z", "[[\"xe\u0301y\"],\" z\"]", "[[\"xe\u0300y\"],\" z\"]"},
		{"👩\u200d👧", "👩\u200d👦", `[["👩\u200d👧"]]`, `[["👩\u200d👦"]]`},
		{"!👍🏽", "!👍🏿", `["!",["👍🏽"]]`, `["!",["👍🏿"]]`},
		{"🇩🇪 x", "🇩🇰 x", `[["🇩🇪"]," x"]`, `[["🇩🇰"]," x"]`},
		{"a\r\nb", "a\nb", `["a",["\u000d\u000a"],"b"]`, `["a",["\u000a"],"b"]`},
		{strings.Repeat("f", 50) + "1" + strings.Repeat("e", 50), strings.Repeat("f", 50) + "2" + strings.Repeat("e", 50),
			`["` + strings.Repeat("f", 50) + `",["1"],"` + strings.Repeat("e", 50) + `"]`,
			`["` + strings.Repeat("f", 50) + `",["2"],"` + strings.Repeat("e", 50) + `"]`},
	} {
		if gotA, gotB := shown(byWord, tt.a, tt.b); strings.ReplaceAll(gotA, `\u200d`, "\u200d") != strings.ReplaceAll(tt.wantA, `\u200d`, "\u200d") ||
			strings.ReplaceAll(gotB, `\u200d`, "\u200d") != strings.ReplaceAll(tt.wantB, `\u200d`, "\u200d") {
			t.Errorf("%q and %q: got %s and %s, want %s and %s", tt.a, tt.b, gotA, gotB, tt.wantA, tt.wantB)
		}
	}
}

func TestMark_MarksNumbersDatesAndBooleansAsAWhole(t *testing.T) {
	for _, typeName := range []string{"numeric(12,2)", "bigint", "double precision", "date", "timestamp(3) with time zone", "boolean", "interval"} {
		if a, b := shown(markerOf(difffile.Column{Type: typeName}), "11.50", "12.50"); a != `[["11.50"]]` || b != `[["12.50"]]` {
			t.Errorf("%s: got %s and %s", typeName, a, b)
		}
	}
	for _, typeName := range []string{"text", "character varying(20)", "integer[]", "json", "shop.money"} {
		if m := markerOf(difffile.Column{Type: typeName}); m != byWord {
			t.Errorf("%s has the marker %d", typeName, m)
		}
	}
}

func TestMark_MarksJSONByKey(t *testing.T) {
	for _, tt := range []struct{ a, b, wantA, wantB string }{
		{`{"a": 1, "b": 2}`, `{"a": 1, "b": 3}`, `["{\"a\": 1, \"b\": ",["2"],"}"]`, `["{\"a\": 1, \"b\": ",["3"],"}"]`},
		{`{"a": {"x": "old word", "y": 1}}`, `{"a": {"x": "new word", "y": 1}}`, `["{\"a\": {\"x\": \"",["old"]," word\", \"y\": 1}}"]`, `["{\"a\": {\"x\": \"",["new"]," word\", \"y\": 1}}"]`},
		{`{"b": 2}`, `{"a": 1, "b": 2}`, `["{",[""],"\"b\": 2}"]`, `["{",["\"a\": 1"],", \"b\": 2}"]`},
		{`[1, 2, 3]`, `[1, 3]`, `["[1, ",["2"],", 3]"]`, `["[1",[""],", 3]"]`},
		{`[1, {"k": true}]`, `[1, {"k": false}]`, `["[1, {\"k\": ",["true"],"}]"]`, `["[1, {\"k\": ",["false"],"}]"]`},
		{`{"a": 1}`, `[1]`, `[["{\"a\": 1}"]]`, `[["[1]"]]`},
		{`{"a": "x"`, `{"a": "y"`, `["{\"a\": \"",["x"],"\""]`, `["{\"a\": \"",["y"],"\""]`}, // not JSON
	} {
		if gotA, gotB := shown(byKey, tt.a, tt.b); gotA != tt.wantA || gotB != tt.wantB {
			t.Errorf("%s and %s: got %s and %s, want %s and %s", tt.a, tt.b, gotA, gotB, tt.wantA, tt.wantB)
		}
	}
	long := `{"name": "` + strings.Repeat("x", 60) + `", "tags": ["a", "b"]}`
	want := `["{",-2,"\"name\": \"` + strings.Repeat("x", 60) + `\", ",-2,"\"tags\": [\"a\", \"b\"]",-1,"}"]`
	if got := string(encodePieces(whole(long, byKey.breaks(long)))); got != want {
		t.Errorf("on several lines: got %s, want %s", got, want)
	}
}

// The value that most nodes have is the reference.
func TestMark_ComparesEachValueWithTheMostFrequentOne(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, tt := range []struct {
		values []value
		want   []string
	}{
		{[]value{{text("red car"), 0, 1}, {text("blue car"), 1, 3}, {text("blue bus"), 2, 1}}, []string{`[["red"]," car"]`, `[["blue"]," ",["car"]]`, `["blue ",["bus"]]`}},
		{[]value{{nil, 0, 1}, {text("red"), 1, 2}}, []string{`""`, `[["red"]]`}},
		{[]value{{nil, 0, 2}, {text("red car"), 1, 1}}, []string{`""`, `[["red car"]]`}},
		{[]value{{text("red"), 0, 3}}, []string{`"red"`}},
	} {
		var got []string
		for _, p := range byWord.mark(tt.values) {
			got = append(got, string(encodePieces(p)))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// checkSpans checks that spans are in order, do not overlap and do not cut characters.
func checkSpans(t interface{ Fatalf(string, ...any) }, text string, spans []span) {
	last := 0
	for i, s := range spans {
		if s.from < last || s.to < s.from || s.to > len(text) || i > 0 && s.from == last && s.from == s.to {
			t.Fatalf("span %v of %.200q follows the position %d", s, text, last)
		}
		if last = s.to; !utf8.ValidString(text[:s.from]) && utf8.ValidString(text) {
			t.Fatalf("span %v cuts a character of %.200q", s, text)
		}
	}
}

// unmarked returns what remains of a text without its spans.
func unmarked(text string, spans []span) string {
	var out strings.Builder
	done := 0
	for _, s := range spans {
		out.WriteString(text[done:s.from])
		done = s.to
	}
	return out.String() + text[done:]
}

// FuzzMarks checks that two values without their marked parts are equal.
func FuzzMarks(f *testing.F) {
	for _, seed := range [][2]string{
		{"", "x"}, {"a b", "a c"}, {"a\nb\nc", "a\nc\nd"}, {`{"a": [1, {"b": "x y"}]}`, `{"a": [{"b": "x z"}], "c": null}`},
		{"11.50", "11.60"}, {"e\u0301 x", "e x"}, {`{"a": "\\\""}`, `{"a": "\\"}`}, {"[[[[", "[[["},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := textSpans(a, b)
		checkSpans(t, a, x)
		checkSpans(t, b, y)
		if unmarked(a, x) != unmarked(b, y) && a != b {
			t.Fatalf("%q and %q without %v and %v are not equal", a, b, x, y)
		}
		for _, m := range []marker{byWord, byValue, byKey} {
			x, y := m.compare(a, b)
			checkSpans(t, a, union(x))
			checkSpans(t, b, union(y))
			shown(m, a, b)
		}
	})
}

func TestMarks_OfHostileValuesAreFast(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	words := func(step int) string {
		var out strings.Builder
		for n := 0; out.Len() < size; n += step {
			out.WriteString(strconv.Itoa(n) + " ")
		}
		return out.String()
	}
	window := strings.Repeat("a b\n", maxWindow/10)
	for name, tt := range map[string]struct {
		m    marker
		a, b string
	}{
		"words of 1 MB":         {byWord, words(3), words(7)},
		"lines of 1 MB":         {byWord, strings.ReplaceAll(words(3), " ", "\n"), strings.ReplaceAll(words(7), " ", "\n")},
		"one word of 1 MB":      {byWord, strings.Repeat("x", size), strings.Repeat("y", size)},
		"a full window":         {byWord, window, "x" + strings.ReplaceAll(window, "a", "c") + "x"},
		"deep jsonb":            {byKey, strings.Repeat("[", size) + strings.Repeat("]", size), strings.Repeat(`{"a":`, size/5)},
		"wide jsonb":            {byKey, "[" + strings.ReplaceAll(words(3), " ", ",") + "0]", "[" + strings.ReplaceAll(words(7), " ", ",") + "0]"},
		"jsonb of many members": {byKey, `{"` + strings.ReplaceAll(words(3), " ", `": 1, "`) + `": 1}`, `{"` + strings.ReplaceAll(words(7), " ", `": 1, "`) + `": 1}`},
	} {
		start := time.Now()
		shown(tt.m, tt.a, tt.b)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: %s", name, took)
		}
	}
}

// drawText draws texts that form grapheme clusters of many kinds, often with long common
// parts.
func drawText() *rapid.Generator[string] {
	letters := []rune("ab \r\n\u0301\u200d\u200c👩👧🏽🇩🇪각가\u1100\u1161\u11a8\u0600<é")
	return rapid.OneOf(rapid.StringOf(rapid.SampledFrom(letters)), rapid.String())
}

func TestCommon_DoesNotOverlapOrCutClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		begin, end := drawText().Draw(t, "begin"), drawText().Draw(t, "end")
		a, b := begin+drawText().Draw(t, "a")+end, begin+drawText().Draw(t, "b")+end
		prefix, suffix := common(a, b)
		if prefix+suffix > min(len(a), len(b)) || a[:prefix] != b[:prefix] || a[len(a)-suffix:] != b[len(b)-suffix:] {
			t.Fatalf("%q and %q do not have %d bytes at the beginning and %d at the end in common", a, b, prefix, suffix)
		}
		for _, s := range []string{a, b} {
			if joined(s, prefix) || joined(s, len(s)-suffix) || !utf8.ValidString(s[prefix:len(s)-suffix]) {
				t.Fatalf("%q is cut within a character, at %d or %d", s, prefix, len(s)-suffix)
			}
		}
		if a == b && prefix != len(a) {
			t.Fatalf("%q is not equal to itself", a)
		}
	})
}

func TestCommon_FindsTheLongestCommonParts(t *testing.T) {
	letters := rapid.StringOf(rapid.SampledFrom([]rune("abcé日")))
	rapid.Check(t, func(t *rapid.T) {
		a, b := letters.Draw(t, "a"), letters.Draw(t, "b")
		prefix, suffix := common(a, b)
		a, b = a[prefix:len(a)-suffix], b[prefix:len(b)-suffix]
		if a == "" || b == "" {
			return
		}
		firstA, _ := utf8.DecodeRuneInString(a)
		firstB, _ := utf8.DecodeRuneInString(b)
		lastA, _ := utf8.DecodeLastRuneInString(a)
		lastB, _ := utf8.DecodeLastRuneInString(b)
		if firstA == firstB || lastA == lastB {
			t.Fatalf("%q and %q are left", a, b)
		}
	})
}

func TestCommon_IsFastWithHostileTexts(t *testing.T) {
	for unit, joins := range map[string]bool{"\u0301": true, "\u200d": true, "x": false} {
		long := strings.Repeat(unit, 1<<18)
		prefix, _ := common("y"+long+unit, "y"+long)
		_, suffix := common("a"+long, "b"+long)
		if joins && prefix+suffix > 0 || !joins && (prefix != 1+len(long) || suffix != len(long)) {
			t.Errorf("%q repeated: %d bytes at the beginning and %d at the end are common", unit, prefix, suffix)
		}
	}
}

func TestPieces_OfALongValueHoldTheDifferenceAndTheOmittedCount(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 500_000)
	a, b := shown(byWord, long+" é "+long, long+" è "+long)
	want := `[4999801,"` + long[len(long)-199:] + ` ",["é"]," ` + long[:199] + `",4999801]`
	if a != want {
		t.Errorf("got %.800s", a)
	}
	if b != strings.Replace(want, "é", "è", 1) {
		t.Errorf("got %.800s", b)
	}
	if got, want := string(encodePieces(whole(long, nil))), `["`+long[:8000]+`",4992000]`; got != want {
		t.Errorf("alone: got %.300s", got)
	}
	if got, want := string(encodePieces(marked(long, []span{{0, len(long)}}, nil))), `[["`+long[:8000]+`"],4992000]`; got != want {
		t.Errorf("all of it: got %.300s", got)
	}
}

func TestPieces_AddUpToTheValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fill := strings.Repeat(rapid.SampledFrom([]string{"x", "日", "e\u0301", "🇩🇪", "👩\u200d"}).Draw(t, "fill"), rapid.IntRange(0, 9000).Draw(t, "times"))
		a := drawText().Draw(t, "before") + fill + drawText().Draw(t, "after")
		b := drawText().Draw(t, "other before") + fill + drawText().Draw(t, "other after")
		marks := byWord.mark([]value{{text: &a, weight: 1}, {text: &b, version: 1, weight: 1}})
		if a == b {
			marks = []pieces{whole(a, nil), whole(b, nil)}
		}
		x, y := marks[0], marks[1]
		for value, shown := range map[string]pieces{a: x, b: y} {
			rest := value
			for _, p := range shown {
				if p.omitted > 0 {
					for range p.omitted {
						_, size := utf8.DecodeRuneInString(rest)
						rest = rest[size:]
					}
					continue
				}
				var ok bool
				if rest, ok = strings.CutPrefix(rest, p.text); !ok {
					t.Fatalf("%q is shown as %+v", value, shown)
				}
			}
			cut := slices.ContainsFunc(shown, func(p piece) bool { return p.omitted > 0 })
			if rest != "" || cut && utf8.RuneCountInString(value) <= maxShown {
				t.Fatalf("%q is missing of %q, shown as %+v", rest, value, shown)
			}
		}
	})
}

func TestText_IsJSONWithoutMarkupAndHiddenCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := drawText().Draw(t, "text") + rapid.SampledFrom([]string{"", "</script>", "<!--", "\u2028", "\u202e", "\x00", "\U000e0041", "\\", `"`}).Draw(t, "more")
		out := appendText(nil, text)
		var back string
		if err := json.Unmarshal(out, &back); err != nil || back != text {
			t.Fatalf("%s reads %q, error %v; want %q", out, back, err, text)
		}
		for _, r := range string(out) {
			if strings.ContainsRune("<>&", r) || r < ' ' || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Fatalf("%s has %U", out, r)
			}
		}
	})
}

func TestVisible_ShowsHiddenCharactersAsNumbers(t *testing.T) {
	for text, want := range map[string]string{
		"plain":              "plain",
		"<b>&\"'":            "&lt;b&gt;&amp;&#34;&#39;",
		"a\u202eb":           `a<span class="hidden">U+202E</span>b`,
		"\n\x7f":             `<span class="hidden">U+000A</span><span class="hidden">U+007F</span>`,
		"a\u200db":           `a<span class="hidden">U+200D</span>b`,
		"👩\u200d👧":           "👩\u200d👧",
		"می\u200cخواهم":      "می\u200cخواهم",
		"\ufeff\U000e0041":   `<span class="hidden">U+FEFF</span><span class="hidden">U+E0041</span>`,
		"\u2028\u00ad\u3164": `<span class="hidden">U+2028</span><span class="hidden">U+00AD</span><span class="hidden">U+3164</span>`,
	} {
		if got := string(visible(text)); got != want {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
	if got := plain("a\u202eb"); got != "a⟨U+202E⟩b" {
		t.Errorf("without markup: %s", got)
	}
}
