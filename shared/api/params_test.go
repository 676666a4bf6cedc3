package api

import (
	"net/url"
	"strings"
	"testing"
)

func TestFormProblem_NamesTheReason(t *testing.T) {
	for text, want := range map[string]string{
		"a=%zz": "two hexadecimal digits", "a=1;b=2": "separated by &", strings.Repeat("a&", 10_000): "more than 10000 parameters",
	} {
		if _, err := url.ParseQuery(text); err == nil {
			t.Errorf("%.20s is accepted", text)
		}
		if got := formProblem(text); !strings.Contains(got, want) {
			t.Errorf("%.20s: %s", text, got)
		}
	}
}
