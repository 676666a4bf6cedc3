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
		if got := hasText("t.v", tt.text); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}
