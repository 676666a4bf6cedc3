package render

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCompare_MarksWholeGraphemeClusters(t *testing.T) {
	for _, tt := range []struct{ a, b, wantA, wantB string }{
		{"same start", "same end", `["same ",["start"]]`, `["same ",["end"]]`},
		{"11.50", "12.50", `["1",["1"],".50"]`, `["1",["2"],".50"]`},
		{"ab", "aab", `["a",[""],"b"]`, `["a",["a"],"b"]`},
		{"", "x", `[[""]]`, `[["x"]]`},
		{"aaa", "aa", `["aa",["a"]]`, `["aa",[""]]`},
		{"e", "e\u0301", `[["e"]]`, "[[\"e\u0301\"]]"},
		{"xe\u0301y", "xe\u0300y", "[\"x\",[\"e\u0301\"],\"y\"]", "[\"x\",[\"e\u0300\"],\"y\"]"},
		{"é", "è", `[["é"]]`, `[["è"]]`},
		{"日本", "日木", `["日",["本"]]`, `["日",["木"]]`},
		{"👩\u200d👧", "👩\u200d👦", `[["👩\u200d👧"]]`, `[["👩\u200d👦"]]`},
		{"a👍🏽", "a👍🏿", `["a",["👍🏽"]]`, `["a",["👍🏿"]]`},
		{"🇩🇪 x", "🇩🇰 x", `[["🇩🇪"]," x"]`, `[["🇩🇰"]," x"]`},
		{"\uac01", "\uac00", "[[\"\uac01\"]]", "[[\"\uac00\"]]"}, // composed syllables
		{"\u1100\u1161\u11a8", "\u1100\u1161", "[[\"\u1100\u1161\u11a8\"]]", "[[\"\u1100\u1161\"]]"},
		{"a\r\nb", "a\nb", `["a",["\u000d\u000a"],"b"]`, `["a",["\u000a"],"b"]`},
		{"1.0", "1.00", `["1.0",[""]]`, `["1.0",["0"]]`},
	} {
		a, b := compare(tt.a, tt.b)
		gotA, gotB := string(appendPieces(nil, a)), string(appendPieces(nil, b))
		if gotA != tt.wantA || gotB != tt.wantB {
			t.Errorf("%q and %q: got %s and %s, want %s and %s", tt.a, tt.b, gotA, gotB, tt.wantA, tt.wantB)
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
	a, b := compare(long+"é"+long, long+"è"+long)
	want := `[4999800,"` + long[:200] + `",["é"],"` + long[:200] + `",4999800]`
	if got := string(appendPieces(nil, a)); got != want {
		t.Errorf("got %.300s", got)
	}
	if got := string(appendPieces(nil, b)); got != strings.Replace(want, "é", "è", 1) {
		t.Errorf("got %.300s", got)
	}
	if got, want := string(appendPieces(nil, whole(long))), `["`+long[:2000]+`",4998000]`; got != want {
		t.Errorf("alone: got %.300s", got)
	}
	if got, want := string(appendPieces(nil, parts(long, 0, 0))), `[["`+long[:1600]+`"],4998400]`; got != want {
		t.Errorf("all of it: got %.300s", got)
	}
}

func TestPieces_AddUpToTheValue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fill := strings.Repeat(rapid.SampledFrom([]string{"x", "日", "e\u0301", "🇩🇪", "👩\u200d"}).Draw(t, "fill"), rapid.IntRange(0, 3000).Draw(t, "times"))
		a := drawText().Draw(t, "before") + fill + drawText().Draw(t, "after")
		b := drawText().Draw(t, "other before") + fill + drawText().Draw(t, "other after")
		x, y := compare(a, b)
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

func TestNumber_GroupsDigits(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -100: "-100", -1000: "-1,000"} {
		if got := number(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
