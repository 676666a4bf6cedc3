package rowdigest_test

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/rowdigest"
)

func base(name, sql string) rowdigest.Type {
	return rowdigest.Type{OID: 1, Schema: "pg_catalog", Name: name, SQL: sql, Kind: 'b'}
}

func arrayOf(elem rowdigest.Type) rowdigest.Type {
	return rowdigest.Type{OID: 2, Schema: "pg_catalog", Name: "_" + elem.Name, SQL: elem.SQL + "[]", Kind: 'b', Elem: &elem}
}

func domainOver(t rowdigest.Type) rowdigest.Type {
	return rowdigest.Type{OID: 20000, Schema: "public", Name: "d", SQL: "public.d", Kind: 'd', Base: &t}
}

func TestExpr_FollowsTheTypeLists(t *testing.T) {
	const asText = "CASE WHEN a IS DISTINCT FROM NULL THEN pg_catalog.textsend(pg_catalog.concat(a)) END"
	plain := rowdigest.Options{SameEncoding: true}
	int4, text, int8 := base("int4", "integer"), base("text", "text"), base("int8", "bigint")
	enum := rowdigest.Type{OID: 20001, Schema: "public", Name: "mood", SQL: "public.mood", Kind: 'e'}
	impostor := rowdigest.Type{OID: 20002, Schema: "public", Name: "int4", SQL: "public.int4", Kind: 'b'}
	intruder := rowdigest.Type{OID: 20003, Schema: "pg_catalog", Name: "bool", SQL: "bool", Kind: 'b'}
	vector := base("int2vector", "int2vector")
	vector.Elem = &int4

	tests := []struct {
		name        string
		t           rowdigest.Type
		insensitive bool
		o           rowdigest.Options
		method      rowdigest.Method
		want        string
	}{
		{"a type that hashes by identity", int4, false, plain, rowdigest.Self, "a"},
		{"a type that hashes by less", int8, false, plain, rowdigest.Send, "pg_catalog.int8send(a)"},
		{"text", text, false, plain, rowdigest.Self, "a"},
		{"text under a collation of equals", text, true, plain, rowdigest.Send, "pg_catalog.textsend(a)"},
		{"text in two encodings", text, false, rowdigest.Options{}, rowdigest.Self, "pg_catalog.textsend(a)"},
		{"a name in two encodings", base("name", "name"), false, rowdigest.Options{}, rowdigest.Self, "pg_catalog.namesend(a)"},
		{"an integer in two encodings", int4, false, rowdigest.Options{}, rowdigest.Self, "a"},
		{"two types", int4, false, rowdigest.Options{SameEncoding: true, ForceText: true}, rowdigest.Self, asText},
		{"an array", arrayOf(text), false, plain, rowdigest.Send, `pg_catalog.set_byte(pg_catalog.array_send(a), 7, 0)`},
		{"an array of enums", arrayOf(enum), false, plain, rowdigest.Text, asText},
		{"an array of a domain", arrayOf(domainOver(int4)), false, plain, rowdigest.Text, asText},
		{"a vector is no array", vector, false, plain, rowdigest.Text, asText},
		{"an array of vectors", arrayOf(vector), false, plain, rowdigest.Text, asText},
		{"an enum", enum, false, plain, rowdigest.Text, asText},
		{"a domain", domainOver(int4), false, plain, rowdigest.Self, "(a)::integer"},
		{"a domain over a domain", domainOver(domainOver(int8)), false, plain, rowdigest.Send, "pg_catalog.int8send((a)::bigint)"},
		{"a domain over an array", domainOver(arrayOf(int4)), false, plain, rowdigest.Send, `pg_catalog.set_byte(pg_catalog.array_send((a)::integer[]), 7, 0)`},
		{"a domain over text of equals", domainOver(text), true, plain, rowdigest.Send, "pg_catalog.textsend((a)::text)"},
		{"a domain over an enum", domainOver(enum), false, plain, rowdigest.Text, asText},
		{"a foreign type of a known name", impostor, false, plain, rowdigest.Text, asText},
		{"a foreign type in pg_catalog", intruder, false, plain, rowdigest.Text, asText},
		{"an unknown type", base("int99", "int99"), false, plain, rowdigest.Text, asText},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := rowdigest.Column{Type: tt.t, Deterministic: !tt.insensitive}
			if got := rowdigest.MethodOf(c); got != tt.method {
				t.Errorf("MethodOf = %q, want %q", got, tt.method)
			}
			if diff := cmp.Diff(tt.want, rowdigest.Expr("a", c, tt.o)); diff != "" {
				t.Errorf("Expr (-want +got):\n%s", diff)
			}
		})
	}
}

// A change of this text needs a new RowVersion. Otherwise rows would be compared with
// digests that were stored before the change.
func TestRow_HasBothSeedsAndTheOuterHash(t *testing.T) {
	got := rowdigest.Row([]string{"a", "b"}, rowdigest.Seeds{Inner: math.MinInt64, Outer: 7})
	want := "pg_catalog.hashtextextended(pg_catalog.to_hex(pg_catalog.hash_record_extended(ROW(a, b)," +
		` '-9223372036854775808'::bigint)) COLLATE pg_catalog."C", '7'::bigint)`
	if got != want || rowdigest.RowVersion != 2 {
		t.Errorf("Row = %s\nwant  %s, as version 2", got, want)
	}
}

func TestRowSHA256_HasBothSeeds(t *testing.T) {
	got := rowdigest.RowSHA256([]string{"a"}, rowdigest.Seeds{Inner: -1, Outer: 7})
	if !strings.Contains(got, `'\xffffffffffffffff0000000000000007'`) {
		t.Errorf("RowSHA256 = %s: the seeds are missing", got)
	}
}

func TestDrawSeeds_NeverRepeat(t *testing.T) {
	if a, b := rowdigest.DrawSeeds(), rowdigest.DrawSeeds(); a == b || a.Inner == a.Outer {
		t.Errorf("drew %+v and %+v", a, b)
	}
}
