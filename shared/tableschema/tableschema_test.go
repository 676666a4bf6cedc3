package tableschema

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

func builtin(name string, oid uint32) rowdigest.Type {
	return rowdigest.Type{OID: oid, Schema: "pg_catalog", Name: name, SQL: name, Kind: 'b'}
}

func column(name string, t rowdigest.Type) table.Column {
	return table.Column{Name: name, Declared: t.SQL, Type: t}
}

// described returns a table of one node whose key is its first column.
func described(node string, columns ...table.Column) *table.Description {
	return &table.Description{
		Node: node, ServerVersion: 150018, Encoding: "UTF8", Kind: "r", Columns: columns,
		Indexes: []table.Index{{Name: "t_pkey", Primary: true, Columns: keyColumns(columns[0].Name)}},
	}
}

func keyColumns(names ...string) []table.KeyColumn {
	columns := make([]table.KeyColumn, len(names))
	for i, name := range names {
		columns[i] = table.KeyColumn{Name: name, OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="}
	}
	return columns
}

// int4, int8 and text return types that most tables have.
func int4() rowdigest.Type { return builtin("int4", 23) }
func int8() rowdigest.Type { return builtin("int8", 20) }
func text() rowdigest.Type { return builtin("text", 25) }

func collated(c table.Column, locale, version string) table.Column {
	c.Collation = &table.Collation{Provider: "c", Locale: locale, Deterministic: true, Version: version}
	return c
}

func enum(labels ...string) table.Column {
	c := column("id", rowdigest.Type{OID: 20000, Schema: "public", Name: "mood", SQL: "public.mood", Kind: 'e'})
	c.Labels = labels
	return c
}

func TestTables_RefusesTablesThatCannotBeCompared(t *testing.T) {
	id, v, w := column("id", int4()), column("v", text()), column("w", text())
	tests := []struct {
		name    string
		nodes   []*table.Description
		ignored []string
		says    string
	}{
		{"a column missing on one node", []*table.Description{described("n1", id, v, w), described("n2", id, v)}, nil, `node "n1" has "w", node "n2" does not`},
		{"a column more on one node", []*table.Description{described("n1", id), described("n2", id, v)}, nil, `node "n2" has "v", node "n1" does not`},
		{"a column missing on the third node only", []*table.Description{described("n1", id, v), described("n2", id, v), described("n3", id)}, nil, `node "n3" does not`},
		{"names that differ in case", []*table.Description{described("n1", id, v), described("n2", id, column("V", text()))}, nil, `"V"`},
		{"an ignored column that is not there", []*table.Description{described("n1", id, v), described("n2", id, v)}, []string{"x"}, `"x"`},
		{"an ignored column of the key", []*table.Description{described("n1", id, v), described("n2", id, v)}, []string{"id"}, "part of the key"},
		{"another key", []*table.Description{described("n1", id, v), described("n2", v, id)}, nil, `node "n1" has "t_pkey" on (id) (node "n2" has no key on these columns); node "n2" has "t_pkey" on (v) (node "n1" has no key on these columns)`},
		{"keys of types that cannot be matched", []*table.Description{described("n1", id), described("n2", column("id", text()))}, nil, "cannot be matched"},
		{"keys of base types of one name in two schemas", []*table.Description{described("n1", column("id", rowdigest.Type{Schema: "a", Name: "t", Kind: 'b'})), described("n2", column("id", rowdigest.Type{Schema: "b", Name: "t", Kind: 'b'}))}, nil, "cannot be matched"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Tables(tt.nodes, tt.ignored, nil)
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("got %+v, error %v; want %q", c, err, tt.says)
			}
		})
	}
}

func TestTables_MatchesColumnsByNameInTheFirstNodesOrder(t *testing.T) {
	id, v, w := column("id", int4()), column("v", text()), column("w", text())
	other := described("n2", id, w, v, column("local", text()))
	c, err := Tables([]*table.Description{described("n1", id, v, w), other}, []string{"local"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, col := range c.Columns {
		names = append(names, col.Name)
	}
	if !slices.Equal(names, []string{"id", "v", "w"}) || !slices.Equal(c.Key, []string{"id"}) || len(c.Warnings) != 0 {
		t.Errorf("columns %v, key %v, warnings %v", names, c.Key, c.Warnings)
	}
}

func TestTables_ColumnsOfDifferentTypesAreComparedAsText(t *testing.T) {
	nodes := []*table.Description{
		described("n1", column("id", int4()), column("v", int4()), column("w", int4())),
		described("n2", column("id", int8()), column("v", int4()), column("w", text())),
	}
	c, err := Tables(nodes, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		same bool
		doc  string
	}{{false, "bigint"}, {true, "int4"}, {false, "text"}} {
		first, second := c.digests[i](0, "x").expr, c.digests[i](1, "x").expr
		if first != second || (first == "x") != want.same || c.Columns[i].Type != want.doc {
			t.Errorf("column %s (%s) is digested as %s and %s", c.Columns[i].Name, c.Columns[i].Type, first, second)
		}
	}
	if len(c.Warnings) != 2 {
		t.Errorf("warnings are %q, want one for each of two columns", c.Warnings)
	}
}

func TestTables_EncodingAndCollationOfOneNodeAffectAll(t *testing.T) {
	plain := func(node string) *table.Description {
		return described(node, column("id", int4()), collated(column("v", text()), "C", ""))
	}
	latin, loose := plain("n2"), plain("n2")
	latin.Encoding = "LATIN1"
	loose.Columns[1].Collation.Deterministic = false
	for name, tt := range map[string]struct {
		other *table.Description
		self  bool
	}{"the same": {plain("n2"), true}, "another encoding": {latin, false}, "a collation that is not deterministic": {loose, false}} {
		c, err := Tables([]*table.Description{plain("n1"), tt.other}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if first, second := c.digests[1](0, "x").expr, c.digests[1](1, "x").expr; first != second || (first == "x") != tt.self {
			t.Errorf("%s: the text is digested as %s and %s", name, first, second)
		}
	}
}

func TestTables_OrdersKeysByTextIfNodesOrderThemDifferently(t *testing.T) {
	citext := func(locale, named string) table.Column {
		c := collated(column("id", rowdigest.Type{OID: 20002, Schema: "ext", Name: "citext", SQL: "ext.citext", Kind: 'b'}), locale, "")
		c.CollName = named
		return c
	}
	multirange := column("id", rowdigest.Type{OID: 20003, Schema: "public", Name: "spans", SQL: "public.spans", Kind: 'm'})
	composite := column("id", rowdigest.Type{OID: 20001, Schema: "public", Name: "pair", SQL: "public.pair", Kind: 'c'})
	en := func(version string) table.Column { return collated(column("id", text()), "en_US.UTF-8", version) }
	for name, tt := range map[string]struct {
		a, b   table.Column
		byText bool
	}{
		"integers":                            {column("id", int4()), column("id", int8()), false},
		"texts of one collation":              {en("2.36"), en("2.36"), false},
		"texts of another library":            {en("2.36"), en("2.31"), true},
		"texts with an unknown version":       {en(""), en(""), true},
		"texts under C":                       {collated(column("id", text()), "C", ""), collated(column("id", text()), "POSIX", ""), false},
		"enums":                               {enum("a", "b"), enum("a", "b"), false},
		"enums of another order":              {enum("a", "b"), enum("b", "a"), true},
		"enums of more labels":                {enum("a", "b"), enum("a", "b", "c"), true},
		"composite types, even if the same":   {composite, composite, true},
		"multiranges of a user-defined range": {multirange, multirange, true},
		"citext in databases of C":            {citext("C", ""), citext("C", ""), false},
		"citext, sorted alike, folded not":    {citext("C", ""), citext("POSIX", ""), true},
		"citext under C in any database":      {citext("C", `pg_catalog."C"`), citext("C", `pg_catalog."C"`), true},
		"jsonb, whose collation is unknown":   {column("id", builtin("jsonb", 3802)), column("id", builtin("jsonb", 3802)), true},
	} {
		c, err := Tables([]*table.Description{described("n1", tt.a), described("n2", tt.b)}, nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if warned := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "ordered by its text") }); c.ByText[0] != tt.byText || warned != tt.byText {
			t.Errorf("%s: by text %v, warnings %q; want %v", name, c.ByText[0], c.Warnings, tt.byText)
		}
	}
}

func TestTables_WarnsOfInheritanceAndTypes(t *testing.T) {
	n1, n2 := described("n1", column("id", int4())), described("n2", column("id", int4()))
	n1.Only, n2.Indexes[0].Primary, n2.Indexes[0].Name = true, false, "by_id"
	c, err := Tables([]*table.Description{n1, n2}, nil, nil)
	if err != nil || len(c.Warnings) != 2 || !strings.Contains(c.Warnings[0], "inheritance children on node n1") || !strings.Contains(c.Warnings[1], `"by_id" serves as the key`) {
		t.Errorf("warnings are %q, error %v", c.Warnings, err)
	}
}

// sourcesOf returns the source of each description.
func sourcesOf(t *testing.T, r Reading, nodes ...*table.Description) []table.Source {
	t.Helper()
	c, err := Tables(nodes, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sources []table.Source
	for i, d := range nodes {
		sources = append(sources, c.Source(d, i, r))
	}
	return sources
}

func TestSource_QuotesEveryNameAndQualifiesEveryOperator(t *testing.T) {
	r := Reading{Schema: `My "S"`, Table: "T"}
	d := described("n1", column(`I"d`, int4()), column("v", text()))
	d.Partitions = []table.Partition{{Relation: `"My ""S""."T"`, Pages: 3}}
	got := sourcesOf(t, r, d)[0]
	want := table.Source{
		Node: "n1", Relation: `ONLY "My ""S"""."T"`, Alias: `"T"`, SearchPath: "pg_catalog, pg_temp",
		Key: []string{`"T"."I""d"`}, KeyType: []string{"bigint"}, KeyParse: []table.Parse{table.ParseArray}, KeyEqual: []string{`OPERATOR("pg_catalog".=)`},
		Order: []string{`"T"."I""d"`}, OrderType: []string{"bigint"}, ScalarOrder: true, Collate: []string{""},
		Less: `OPERATOR("pg_catalog".<)`, AtLeast: `OPERATOR("pg_catalog".>=)`,
		Columns: []string{`"T"."I""d"`, `"T"."v"`}, Partitions: d.Partitions,
		KeyDigest: `pg_catalog.hash_record_extended(ROW("T"."I""d"), '0'::bigint)`,
		KeyHash:   `pg_catalog.hash_record_extended(ROW("T"."I""d"), '0'::bigint)`,
		KeyIndex:  `"My ""S""".t_pkey`,
		Digest:    rowdigest.Row([]string{`"T"."I""d"`, `"T"."v"`}, rowdigest.Seeds{}),
	}
	if diff := cmp.Diff(want, got); diff != "" && !strings.Contains(got.Digest, "hash_record_extended") {
		t.Errorf("source (-want +got):\n%s", diff)
	}
	want.Digest = got.Digest // the tests of package rowdigest check the digest
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("source (-want +got):\n%s", diff)
	}
}

func TestSource_FilterWithObjectNameColumnHasTheSafePath(t *testing.T) {
	name := builtin("regclass", 2205)
	array := rowdigest.Type{OID: 2210, Schema: "pg_catalog", Name: "_regclass", SQL: "pg_catalog._regclass", Kind: 'b', Elem: &name}
	composite := rowdigest.Type{OID: 99999, Schema: "app", Name: "pair", SQL: "app.pair", Kind: 'c'}
	for _, of := range []rowdigest.Type{name, array, composite} {
		d := described("n1", column("id", int4()), column("r", of))
		d.UserPath = "app"
		if got := sourcesOf(t, Reading{Schema: "public", Table: "t", Filter: "id > 1"}, d)[0].SearchPath; got != safePath {
			t.Errorf("%s: the path is %s, want %s", of.Name, got, safePath)
		}
	}
}

func TestSource_UsesTheRolesPathOnlyForAFilter(t *testing.T) {
	d := described("n1", column("id", int4()))
	d.UserPath = `app, "Ext"`
	for filter, want := range map[string]string{"": `pg_catalog, pg_temp`, "id > 1": `pg_catalog, "public", app, "Ext", pg_temp`} {
		if got := sourcesOf(t, Reading{Schema: "public", Table: "t", Filter: filter}, d)[0].SearchPath; got != want {
			t.Errorf("with the filter %q the path is %s, want %s", filter, got, want)
		}
	}
}

func TestSource_QualifiesOperatorsOfAnExtension(t *testing.T) {
	citext := column("id", rowdigest.Type{OID: 20002, Schema: "ext", Name: "citext", SQL: "ext.citext", Kind: 'b'})
	citext = collated(citext, "C", "")
	d := described("n1", citext, column("n", int4()))
	d.Indexes[0].Columns[0].OpSchema = "ext"
	one := sourcesOf(t, Reading{Schema: "public", Table: "t"}, d)[0]
	if one.Less != `OPERATOR("ext".<)` || one.AtLeast != `OPERATOR("ext".>=)` || one.SearchPath != `pg_catalog, pg_temp` {
		t.Errorf("one column: %s %s, path %s", one.Less, one.AtLeast, one.SearchPath)
	}
	d.Indexes[0].Columns = append(d.Indexes[0].Columns, keyColumns("n")...)
	two := sourcesOf(t, Reading{Schema: "public", Table: "t"}, d)[0]
	if two.Less+two.AtLeast != "" || two.ScalarOrder || two.SearchPath != safePath || two.KeyEqual[0] != `OPERATOR("ext".=)` || two.KeyEqual[1] != `OPERATOR("pg_catalog".=)` {
		t.Errorf("two columns: %s, scalar %v, equality %v, path %s", two.Less, two.ScalarOrder, two.KeyEqual, two.SearchPath)
	}
	want := []table.OrderGroup{
		{Columns: 1, Less: `OPERATOR("ext".<)`, AtLeast: `OPERATOR("ext".>=)`, Equal: `OPERATOR("ext".=)`},
		{Columns: 1, Less: `OPERATOR("pg_catalog".<)`, AtLeast: `OPERATOR("pg_catalog".>=)`, Equal: `OPERATOR("pg_catalog".=)`},
	}
	if diff := cmp.Diff(want, two.OrderGroups); diff != "" {
		t.Errorf("the operators of two columns (-want +got):\n%s", diff)
	}
}

func TestSource_OrdersTextUnderC(t *testing.T) {
	for _, s := range sourcesOf(t, Reading{Schema: "public", Table: "t"}, described("n1", enum("a", "b")), described("n2", enum("b", "a"))) {
		if s.Order[0] != `pg_catalog.concat("t"."id") COLLATE pg_catalog."C"` || s.OrderType[0] != "pg_catalog.text" || s.Collate[0] != `pg_catalog."C"` || s.KeyParse[0] != table.ParseArray || s.KeyType[0] != "public.mood" {
			t.Errorf("node %s is ordered by %s of type %s", s.Node, s.Order, s.OrderType)
		}
	}
}

func TestSource_OrdersTextOfTwoEncodingsByUTF8Bytes(t *testing.T) {
	d := described("n1", column("id", int4()), collated(column("k", text()), "C", ""))
	d.Indexes[0].Columns = keyColumns("id", "k")
	other := described("n2", d.Columns...)
	d.Encoding, other.Encoding, other.Indexes = "UTF8", "LATIN1", d.Indexes
	for _, s := range sourcesOf(t, Reading{Schema: "public", Table: "t"}, d, other) {
		want := table.Source{
			Order: []string{`"t"."id"`, `pg_catalog.textsend(("t"."k")::pg_catalog.text)`}, OrderType: []string{"bigint", "pg_catalog.bytea"},
			OrderText: []string{"", `("t"."k")::pg_catalog.text`}, Collate: []string{"", ""},
		}
		got := table.Source{Order: s.Order, OrderType: s.OrderType, OrderText: s.OrderText, Collate: s.Collate}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("node %s (-want +got):\n%s", s.Node, diff)
		}
	}
}

func TestParseOf_CastsNoTypeThatAUserCanCreate(t *testing.T) {
	mood := rowdigest.Type{OID: 20001, Schema: "public", Name: "mood", SQL: "public.mood", Kind: 'e'}
	arrayOf := func(elem rowdigest.Type) rowdigest.Type {
		return rowdigest.Type{Schema: elem.Schema, Name: "_" + elem.Name, SQL: elem.SQL + "[]", Kind: 'b', Elem: &elem}
	}
	domainOver := func(of rowdigest.Type) rowdigest.Type {
		return rowdigest.Type{Schema: "public", Name: "d", SQL: "public.d", Kind: 'd', Base: &of}
	}
	as := func(kind byte) rowdigest.Type {
		return rowdigest.Type{Schema: "public", Name: "x", SQL: "public.x", Kind: kind}
	}
	for _, tt := range []struct {
		of   rowdigest.Type
		want table.Parse
	}{
		{text(), table.ParseArray}, {mood, table.ParseArray}, {as('c'), table.ParseRecord}, {as('r'), table.ParseArray},
		{as('m'), table.ParseArray}, {domainOver(mood), table.ParseArray}, {as('b'), table.ParseCast},
		{arrayOf(text()), table.ParseCast}, {arrayOf(mood), table.ParseRecord}, {domainOver(arrayOf(mood)), table.ParseRecord},
		{arrayOf(domainOver(text())), table.ParseRecord}, {rowdigest.Type{Schema: "pg_catalog", Name: "box", Kind: 'b'}, table.ParseCast},
	} {
		if got := ParseOf(tt.of); got != tt.want {
			t.Errorf("ParseOf(%+v) = %q, want %q", tt.of, got, tt.want)
		}
	}
}

func TestSource_OmitsHiddenPartitions(t *testing.T) {
	d := described("n1", column("id", int4()))
	d.Partitions, d.PartitionsHidden = []table.Partition{{Relation: "x"}}, true
	if s := sourcesOf(t, Reading{Schema: "public", Table: "t"}, d)[0]; s.Partitions != nil {
		t.Errorf("the partitions are %v", s.Partitions)
	}
}

func TestSource_FilterMayUseAnyUnversionedIndex(t *testing.T) {
	d := described("n1", column("id", int4()), column("v", text()))
	d.IndexOrders = []table.IndexOrder{{Index: "by_v", Column: "v", Collation: table.Collation{Provider: "c", Locale: "en_US.utf8", Deterministic: true}}}
	for filter, want := range map[string]bool{"": false, "v > 'a'": true} {
		if got := sourcesOf(t, Reading{Schema: "public", Table: "t", Filter: filter}, d)[0].Unversioned; got != want {
			t.Errorf("with the filter %q the source is unversioned: %t, want %t", filter, got, want)
		}
	}
}
