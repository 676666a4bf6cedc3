package api_test

import (
	"testing"

	"ace/shared/api"
)

func TestRepset_NamesASystemOrNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[api.Repset][3]string{
		"orders":                  {"", "orders", "repset:orders"},
		"repset:orders":           {"", "orders", "repset:orders"},
		"publication:Or ders":     {"publication", "Or ders", "publication:Or ders"},
		"pglogical:default":       {"pglogical", "default", "pglogical:default"},
		"publication:spock:x":     {"publication", "spock:x", "publication:spock:x"},
		"Publication:x":           {"", "Publication:x", "repset:Publication:x"},
		"publication:":            {"", "publication:", "repset:publication:"},
		"repset:publication:x":    {"", "publication:x", "repset:publication:x"},
		`x"."y`:                   {"", `x"."y`, `repset:x"."y`},
		"publication:repset:some": {"publication", "repset:some", "publication:repset:some"},
	} {
		system, name := text.Split()
		req := api.RepsetDiffRequest{Repset: text}
		if got := [3]string{system, name, req.Name()}; got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
		if _, err := api.ParseTableName(req.Name()); err == nil {
			t.Errorf("%s could be the name of a table", req.Name())
		}
	}
}
