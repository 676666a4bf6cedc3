package tableschema

import (
	"slices"
	"strings"
	"testing"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// typed returns a table whose key is one column of a built-in type.
func typed(node, name string) *table.Description {
	return described(node, column("id", builtin(name, 100)))
}

func TestKeyHash_ExistsForTypesWithPortableHashes(t *testing.T) {
	r := Reading{Schema: "public", Table: "t", Seeds: rowdigest.Seeds{Inner: -5, Outer: 7}}
	for _, name := range hashedTypes {
		sources := sourcesOf(t, r, typed("n1", name), typed("n2", name), typed("n3", name))
		want := `pg_catalog.hash_record_extended(ROW("t"."id"), '-5'::bigint)`
		if function, ok := hashFunctions[name]; ok {
			want = `pg_catalog.` + function + `("t"."id", '-5'::bigint)`
		}
		for _, s := range sources {
			if s.KeyHash != want {
				t.Errorf("a key of %s is hashed by %q on node %s, want %q", name, s.KeyHash, s.Node, want)
			}
		}
	}
	for _, name := range []string{"float4", "float8", "interval", "timetz", "inet", "cidr", "macaddr", "money", "int4range", "varbit", "xid8", "pg_lsn", "oidvector", "char"} {
		if s := sourcesOf(t, r, typed("n1", name), typed("n2", name))[0]; s.KeyHash != "" || s.KeyDigest == "" {
			t.Errorf("a key of %s is hashed by %q and digested by %q, want no hash", name, s.KeyHash, s.KeyDigest)
		}
	}
}

func TestKeyHash_IsAbsentIfHashesMayDiffer(t *testing.T) {
	uuid := func() table.Column { return column("id", builtin("uuid", 2950)) }
	domain := func(schema string) table.Column {
		base := builtin("uuid", 2950)
		return column("id", rowdigest.Type{OID: 20005, Schema: schema, Name: "code", SQL: schema + ".code", Kind: 'd', Base: &base})
	}
	words := func(locale, version string) table.Column { return collated(column("id", text()), locale, version) }
	loose := words("und", "1")
	loose.Collation.Provider, loose.Collation.Deterministic = "i", false
	array := builtin("uuid", 2950)
	for name, tt := range map[string]struct {
		first, second table.Column
		change        func(d *table.Description) // changes the description of the second node
		sha256, hash  bool
	}{
		"uuids":                                {first: uuid(), second: uuid(), hash: true},
		"texts of one collation":               {first: words("en_US.UTF-8", "2.36"), second: words("en_US.UTF-8", "2.36"), hash: true},
		"texts under C":                        {first: words("C", ""), second: words("POSIX", ""), hash: true},
		"a domain on both nodes":               {first: domain("public"), second: domain("public"), hash: true},
		"a domain on one node only":            {first: uuid(), second: domain("public")},
		"integers of two widths":               {first: column("id", int4()), second: column("id", int8())},
		"text and varchar":                     {first: words("C", ""), second: collated(column("id", builtin("varchar", 1043)), "C", "")},
		"texts that the nodes sort unlike":     {first: words("en_US.UTF-8", "2.36"), second: words("en_US.UTF-8", "2.31"), hash: true}, // by their text
		"labels that the nodes sort unlike":    {first: enum("a", "b"), second: enum("b", "a"), hash: true},
		"the same in two encodings":            {first: enum("a", "b"), second: enum("b", "a"), change: func(d *table.Description) { d.Encoding = "LATIN1" }},
		"a collation that folds case":          {first: loose, second: loose},
		"texts in databases of two encodings":  {first: words("C", ""), second: words("C", ""), change: func(d *table.Description) { d.Encoding = "LATIN1" }},
		"an index with user-defined operators": {first: uuid(), second: uuid(), change: func(d *table.Description) { d.Indexes[0].Columns[0].OpSchema = "ext" }},
		"enums":                                {first: enum("a", "b"), second: enum("a", "b")},
		"a user-defined type with the name uuid": {
			first:  column("id", rowdigest.Type{OID: 20006, Schema: "public", Name: "uuid", SQL: "public.uuid", Kind: 'b'}),
			second: column("id", rowdigest.Type{OID: 20006, Schema: "public", Name: "uuid", SQL: "public.uuid", Kind: 'b'}),
		},
		"an array": {
			first:  column("id", rowdigest.Type{OID: 2951, Schema: "pg_catalog", Name: "_uuid", SQL: "uuid[]", Kind: 'b', Elem: &array}),
			second: column("id", rowdigest.Type{OID: 2951, Schema: "pg_catalog", Name: "_uuid", SQL: "uuid[]", Kind: 'b', Elem: &array}),
		},
		"rows digested with sha256": {first: uuid(), second: uuid(), sha256: true},
	} {
		second := described("n2", tt.second)
		if tt.change != nil {
			tt.change(second)
		}
		for _, s := range sourcesOf(t, Reading{Schema: "public", Table: "t", SHA256: tt.sha256}, described("n1", tt.first), second) {
			if (s.KeyHash != "") != tt.hash || (s.KeyDigest != "") == tt.sha256 {
				t.Errorf("%s: on node %s the key is hashed by %q and digested by %q", name, s.Node, s.KeyHash, s.KeyDigest)
			}
		}
	}
}

func TestKeyHash_HashesTheTextOfColumnsOrderedByText(t *testing.T) {
	want := `pg_catalog.hashtextextended(pg_catalog.concat("t"."id") COLLATE pg_catalog."C", '9'::bigint)`
	r := Reading{Schema: "public", Table: "t", Seeds: rowdigest.Seeds{Inner: 9}}
	for _, s := range sourcesOf(t, r, described("n1", enum("a", "b")), described("n2", enum("b", "a"))) {
		if s.KeyHash != want {
			t.Errorf("on node %s the key is hashed by %q, want %q", s.Node, s.KeyHash, want)
		}
	}
}

func TestKeyHash_NeedsAHashForEveryColumn(t *testing.T) {
	keyed := func(node string, columns ...table.Column) *table.Description {
		d := described(node, columns...)
		d.Indexes[0].Columns = nil
		for _, c := range slices.Backward(columns) { // not in the table's order
			d.Indexes[0].Columns = append(d.Indexes[0].Columns, keyColumns(c.Name)...)
		}
		return d
	}
	uuid, number, time := column("a", builtin("uuid", 2950)), column("b", int4()), column("b", builtin("interval", 1186))
	r := Reading{Schema: "public", Table: "t"}
	s := sourcesOf(t, r, keyed("n1", uuid, number), keyed("n2", uuid, number))[1]
	if want := `pg_catalog.hash_record_extended(ROW("t"."b", "t"."a"), '0'::bigint)`; s.KeyHash != want {
		t.Errorf("two columns are hashed by %q, want %q", s.KeyHash, want)
	}
	if !strings.Contains(s.KeyDigest, "to_hex") { // the digest of a row; otherwise swapped values of two columns could cancel
		t.Errorf("two columns are digested by %q", s.KeyDigest)
	}
	if s := sourcesOf(t, r, keyed("n1", uuid, time), keyed("n2", uuid, time))[0]; s.KeyHash != "" {
		t.Errorf("a key of which one column has no hash is hashed by %q", s.KeyHash)
	}
}

func TestKeyDigest_UsesTheExpressionsOfTheRowDigest(t *testing.T) {
	nodes := []*table.Description{
		described("n1", column("id", int4()), column("v", text())), described("n2", column("id", int8()), column("v", text())),
	}
	for _, s := range sourcesOf(t, Reading{Schema: "public", Table: "t"}, nodes...) {
		if !strings.Contains(s.KeyDigest, `textsend(pg_catalog.concat("t"."id"))`) || strings.Contains(s.KeyDigest, `"v"`) {
			t.Errorf("on node %s keys of two types are digested by %q, want their text", s.Node, s.KeyDigest)
		}
	}
}
