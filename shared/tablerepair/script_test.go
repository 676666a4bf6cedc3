package tablerepair

import (
	"strings"
	"testing"
)

func TestDollarTag_IsNotInTheText(t *testing.T) {
	for text, want := range map[string]string{
		"": "$ace$", "x $ace$ y": "$ace1$", "$ace$$ace1$": "$ace2$", "$ace": "$ace$",
	} {
		if got := dollarTag(text); got != want || strings.Contains(text, got) {
			t.Errorf("the tag of %q is %s, want %s", text, got, want)
		}
	}
}

func TestPrintable_StaysInOneLine(t *testing.T) {
	if got, want := printable("a\nb\r\x00\u202e\u2028é\\"), "a\ufffdb\ufffd\ufffd\ufffd\ufffdé\\"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHasText_DistinguishesNullFromEmpty(t *testing.T) {
	empty, text := "", `it's`
	for _, tt := range []struct {
		text *string
		want string
	}{
		{nil, `pg_catalog.num_nulls(t.v) OPERATOR(pg_catalog.=) 1`},
		{&empty, `pg_catalog.concat(t.v) COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) '' AND pg_catalog.num_nulls(t.v) OPERATOR(pg_catalog.=) 0`},
		{&text, `pg_catalog.concat(t.v) COLLATE pg_catalog."C" OPERATOR(pg_catalog.=) 'it''s'`},
	} {
		if got := (&script{target: new(Target)}).hasText("t.v", tt.text); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

func TestLiteral_HasNoCharacterThatMisleads(t *testing.T) {
	for _, tt := range []struct{ encoding, text, want string }{
		{"UTF8", `plain 'é漢🙂\`, `'plain ''é漢🙂\'`},
		{"UTF8", "a\u202eb'\\", `E'a\u202eb''\\'`},
		{"UTF8", "\u009b\u2028\ufeff\u00ad7", `E'\u009b\u2028\ufeff\u00ad7'`},
		{"UTF8", "x\U000e00417", `E'x\U000e00417'`},
		{"LATIN1", "\u0085\x7f7", `E'\u0085\x7f7'`},
		{"LATIN1", "\xff", "'\xff'"}, // an escape would make another character of it
		{"SQL_ASCII", "\u202e'\xe9\x9b7", `E'\xe2\x80\xae''\xe9\x9b7'`},
		{"SQL_ASCII", "é\n", `E'é\x0a'`},
		{"", "\u202e", "'\u202e'"},
		{"", "\u202e\n\xff", "E'\u202e\\x0a\xff'"},
	} {
		if got := literalIn(tt.encoding, tt.text); got != tt.want {
			t.Errorf("%s: the literal of %q is %q, want %q", tt.encoding, tt.text, got, tt.want)
		}
	}
}
