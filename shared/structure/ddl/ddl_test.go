package ddl_test

import (
	"slices"
	"testing"

	"ace/shared/structure/catalog"
	"ace/shared/structure/ddl"
)

func TestWidens_OnlyIfEveryValueFits(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"smallint", "bigint", true},
		{"bigint", "integer", false},
		{"integer", "integer", false},
		{"real", "double precision", true},
		{"double precision", "real", false},
		{"integer", "real", false},
		{"character varying(10)", "character varying(20)", true},
		{"character varying(20)", "character varying(10)", false},
		{"character varying(10)", "character varying", true},
		{"character varying(10)", "text", true},
		{"character varying", "text", true},
		{"text", "character varying", false},
		{"character(5)", "text", false},
		{"character(5)", "character(10)", false},
		{"numeric(10,2)", "numeric(12,2)", true},
		{"numeric(10,2)", "numeric(10,4)", false},
		{"numeric(10,2)", "numeric(12,4)", true},
		{"numeric(10,-2)", "numeric(10,2)", false},
		{"numeric(10,-2)", "numeric(14,2)", true},
		{"numeric(10,2)", "numeric", true},
		{"numeric", "numeric(10,2)", false},
		{"bit varying(5)", "bit varying", true},
		{"date", "timestamp without time zone", false},
	} {
		if got := ddl.Widens(catalog.Column, catalog.Type, c.from, c.to); got != c.want {
			t.Errorf("%s to %s: %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

// A name or a text can contain anything, and must not end a quotation.
func TestStatements_QuoteNamesAndTexts(t *testing.T) {
	o := catalog.Object{
		ID:         catalog.ID{Kind: catalog.Schema, Schema: `a"b; DROP`},
		Properties: map[catalog.Property]string{catalog.Comment: `it's \ "x"`, catalog.Owner: `o"w`, catalog.Grants: `{"r\"x":["USAGE*"]}`},
	}
	got := ddl.Create(ddl.Definition{Object: o, WithOwner: true, WithGrants: true})
	want := []string{
		`CREATE SCHEMA "a""b; DROP"`,
		`COMMENT ON SCHEMA "a""b; DROP" IS  E'it''s \\ "x"'`,
		`ALTER SCHEMA "a""b; DROP" OWNER TO "o""w"`,
		`GRANT USAGE ON SCHEMA "a""b; DROP" TO "r""x" WITH GRANT OPTION`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
