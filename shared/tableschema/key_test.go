package tableschema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// keyed returns a table with the integer columns a, b, c and d and these indexes:
// "pk(a,b)" is a primary key, "id(b)" the replica identity, "!x(a)" an index that cannot
// serve as the key. Any other word is an index name.
func keyed(node string, indexes ...string) *table.Description {
	d := described(node, column("a", int4()), column("b", int4()), column("c", int4()), column("d", int4()))
	d.Indexes = nil
	for _, text := range indexes {
		name, columns, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
		index := table.Index{Name: strings.TrimPrefix(name, "!"), Primary: name == "pk", Identity: name == "id", Columns: keyColumns(strings.Split(columns, ",")...)}
		if strings.HasPrefix(name, "!") {
			index.Against = []string{"is partial"}
		}
		d.Indexes = append(d.Indexes, index)
	}
	return d
}

// Case T-P2, see docs/RELIABILITY.md.
func TestChooseKey_ReturnsTheBestKeyOfAllNodes(t *testing.T) {
	for _, tt := range []struct {
		name      string
		nodes     [][]string
		key       string
		unordered bool
	}{
		{"one primary key", [][]string{{"pk(a)"}, {"pk(a)"}}, "a", false},
		{"the primary key before a replica identity", [][]string{{"id(b)", "pk(a)"}, {"id(b)", "pk(a)"}}, "a", false},
		{"the primary key before an index of fewer columns", [][]string{{"pk(a,b)", "x(c)"}, {"pk(a,b)", "x(c)"}}, "a,b", false},
		{"a replica identity before others", [][]string{{"x(a)", "id(b,c)"}, {"x(a)", "id(b,c)"}}, "b,c", false},
		{"fewer columns before more", [][]string{{"a(a,b)", "b(c)"}, {"a(a,b)", "b(c)"}}, "c", false},
		{"the name", [][]string{{"y(a)", "x(b)"}, {"y(a)", "x(b)"}}, "b", false},
		{"the columns where names are swapped", [][]string{{"x(b)", "y(a)"}, {"y(b)", "x(a)"}}, "a", false},
		{"a primary key of one node", [][]string{{"pk(b)", "w(a)"}, {"x(a)", "y(b)"}}, "b", false},
		{"a primary key of two nodes before one of one", [][]string{{"pk(a)", "x(b)"}, {"pk(b)", "x(a)"}, {"pk(b)", "x(a)"}}, "b", false},
		{"a primary key and a replica identity on the same columns", [][]string{{"pk(a)", "x(b)"}, {"id(b)", "x(a)"}, {"pk(b)", "x(a)"}}, "b", false},
		{"one that the third node has too", [][]string{{"pk(a)", "x(d)"}, {"pk(a)", "x(d)"}, {"x(d)"}}, "d", false},
		{"not one that cannot serve on a node", [][]string{{"x(a)", "y(b)"}, {"!x(a)", "y(b)"}}, "b", false},
		{"an order that all have", [][]string{{"pk(a,b)", "x(b,a)"}, {"pk(b,a)"}}, "b,a", false},
		{"no common order", [][]string{{"pk(b,a)"}, {"pk(a,b)"}}, "a,b", true},
		{"a common order before none", [][]string{{"x(b,a)", "y(c,d)"}, {"x(a,b)", "z(c,d)"}}, "c,d", false},
		{"a primary key without a common order before another index", [][]string{{"pk(b,a)", "y(c,d)"}, {"pk(a,b)", "z(c,d)"}}, "a,b", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var nodes []*table.Description
			for i, indexes := range tt.nodes {
				nodes = append(nodes, keyed(fmt.Sprint("n", i+1), indexes...))
			}
			for range nodes { // in every rotation
				nodes = append(nodes[1:], nodes[0])
				c, err := Tables(nodes, nil, nil)
				if err != nil || strings.Join(c.Key, ",") != tt.key || c.Unordered != tt.unordered {
					t.Errorf("the key is %+v, %v; want %s, unordered %v", c, err, tt.key, tt.unordered)
				}
			}
		})
	}
}

func TestChooseKey_ExplainsForEachNodeWhyThereIsNoKey(t *testing.T) {
	many := make([]string, 10)
	for i := range many {
		many[i] = fmt.Sprintf("x%d(c)", i)
	}
	for _, tt := range []struct {
		name  string
		nodes []*table.Description
		says  string
	}{
		{"no index", []*table.Description{keyed("n1"), keyed("n2")}, `: node "n1" has no primary key and no unique index; node "n2" has no primary key and no unique index`},
		{"no index in common", []*table.Description{keyed("n1", "pk(a)"), keyed("n2", "x(b)", "!y(a)")},
			`: node "n1" has "pk" on (a) (node "n2" has no key on these columns); node "n2" has "x" on (b) (node "n1" has no key on these columns), "y" (is partial)`},
		{"no types in common", []*table.Description{keyed("n1", "pk(a)"), described("n2", column("a", text()))},
			`node "n1" has "pk" on (a) (key column "a" is int4 on node "n1" but text on node "n2": keys of these types cannot be matched)`},
		{"more indexes than the error lists", []*table.Description{keyed("n1", many...), keyed("n2")}, `"x7" on (c) (node "n2" has no key on these columns), and 2 more; node "n2"`},
		{"one node twice", []*table.Description{keyed("n1"), keyed("n1")}, `on every node: node "n1" has no primary key and no unique index`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, err := ChooseKey(tt.nodes)
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) || strings.Count(fault.PublicMessage(err), `node "n1" has`) > len(many) {
				t.Errorf("got %q, %v; want %s", key, err, tt.says)
			}
		})
	}
}

func TestTables_MatchesRowsByTheWantedKey(t *testing.T) {
	nodes := []*table.Description{keyed("n1", "pk(a)", "x(b,c)", "!y(d)"), keyed("n2", "pk(a)", "x(b,c)", "z(d)")}
	for _, tt := range []struct {
		wanted, key string
		unordered   bool
	}{{"a", "a", false}, {"b,c", "b,c", false}, {"c,b", "c,b", true}, {"d", "", false}, {"b", "", false}, {"a,a", "", false}, {"gone", "", false}} {
		c, err := Tables(nodes, nil, strings.Split(tt.wanted, ","))
		if tt.key == "" {
			if says := "on (" + strings.ReplaceAll(tt.wanted, ",", ", ") + "), by which rows were matched so far"; err == nil || !strings.Contains(fault.PublicMessage(err), says) {
				t.Errorf("wanted %s: got %+v, error %v; want %q", tt.wanted, c, err, says)
			}
			continue
		}
		if err != nil || strings.Join(c.Key, ",") != tt.key || c.Unordered != tt.unordered {
			t.Errorf("wanted %s: got %+v, error %v", tt.wanted, c, err)
		}
	}
	if got := KeyOrder(nodes, []string{"c", "b"}); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("the order of (c, b) is %q, want that of the index", got)
	}
	if got := KeyOrder(nodes, []string{"d", "c"}); !slices.Equal(got, []string{"d", "c"}) {
		t.Errorf("the order of (d, c), which is no key, is %q", got)
	}
}

func TestTables_WarnsIfTheKeyIsNotThePrimaryKey(t *testing.T) {
	c, err := Tables([]*table.Description{keyed("n1", "pk(a)", "x(b)"), keyed("n2", "y(b)"), keyed("n3", "pk(b)")}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`primary key "pk" of node n1 cannot serve on every node: unique index "x" serves as the key`,
		`the table has no primary key on node n2: unique index "y" serves as the key`,
	}
	if !slices.Equal(c.Warnings, want) {
		t.Errorf("warnings are %q, want %q", c.Warnings, want)
	}
}

// Key columns are in the key's order, each with its own operators, even if an index has
// another order.
func TestSource_HasTheKeyColumnsInOneOrderOnEveryNode(t *testing.T) {
	n1, n2 := keyed("n1", "pk(a,b)"), keyed("n2", "pk(b,a)")
	n2.Indexes[0].Columns[0].OpSchema = "ext" // the operators of column b
	for _, s := range sourcesOf(t, Reading{Schema: "public", Table: "t"}, n1, n2) {
		own := map[string]string{"n1": `OPERATOR("pg_catalog".=)`, "n2": `OPERATOR("ext".=)`}[s.Node]
		if !slices.Equal(s.Key, []string{`"t"."a"`, `"t"."b"`}) || !slices.Equal(s.KeyEqual, []string{`OPERATOR("pg_catalog".=)`, own}) {
			t.Errorf("node %s: key %q, equality %q", s.Node, s.Key, s.KeyEqual)
		}
	}
}

// The key does not depend on the order of the nodes, every node has it, and Tables finds
// it again.
func TestChooseKey_IsStableAndOnEveryNode(t *testing.T) {
	names := rapid.SampledFrom([]string{"pk", "id", "x", "y", "!z"})
	lists := rapid.SampledFrom([]string{"(a)", "(b)", "(c)", "(a,b)", "(b,a)", "(b,c)", "(c,b,a)", "(a,b,c)"})
	index := rapid.Custom(func(t *rapid.T) string { return names.Draw(t, "name") + lists.Draw(t, "columns") })
	rapid.Check(t, func(t *rapid.T) {
		var nodes []*table.Description
		for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
			nodes = append(nodes, keyed(fmt.Sprint("n", i+1), rapid.SliceOfN(index, 0, 5).Draw(t, "indexes")...))
		}
		key, err := ChooseKey(nodes)
		shuffled := rapid.Permutation(nodes).Draw(t, "order")
		again, errAgain := ChooseKey(shuffled)
		if !slices.Equal(key, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("the key is %q, %v; in another order of the nodes %q, %v", key, err, again, errAgain)
		}
		shared := slices.ContainsFunc(nodes[0].Indexes, func(i table.Index) bool { return onEvery(nodes, i) })
		if shared != (err == nil) {
			t.Fatalf("some index is on every node: %v, but the error is %v", shared, err)
		}
		if err != nil {
			return
		}
		c, err := Tables(shuffled, nil, KeyOrder(shuffled, key))
		if err != nil || !slices.Equal(c.Key, key) {
			t.Fatalf("the key %q is %+v when it is wanted: %v", key, c, err)
		}
	})
}

// onEvery reports whether every node has an index on the columns of this one that can
// serve as the key.
func onEvery(nodes []*table.Description, index table.Index) bool {
	for _, d := range nodes {
		if !slices.ContainsFunc(d.Indexes, func(i table.Index) bool {
			return len(i.Against) == 0 && sameColumns(columnsOf(i), columnsOf(index))
		}) {
			return false
		}
	}
	return true
}

// Case T-P3, see docs/RELIABILITY.md.
func TestTables_MatchesTypesAcrossSchemas(t *testing.T) {
	in := func(schema, name string, kind byte) rowdigest.Type {
		return rowdigest.Type{OID: 20000, Schema: schema, Name: name, SQL: schema + "." + name, Kind: kind}
	}
	of := func(extension string, t rowdigest.Type) rowdigest.Type {
		t.Extension = extension
		return t
	}
	array := func(elem rowdigest.Type) rowdigest.Type {
		return rowdigest.Type{OID: 20001, Schema: elem.Schema, Name: "_" + elem.Name, SQL: elem.SQL + "[]", Kind: 'b', Elem: &elem}
	}
	domain := func(schema string, t rowdigest.Type) rowdigest.Type {
		d := in(schema, "d", 'd')
		d.Base = &t
		return d
	}
	citext := func(schema string) rowdigest.Type { return of("citext", in(schema, "citext", 'b')) }
	for _, tt := range []struct {
		name          string
		first, second rowdigest.Type
		matched, same bool
	}{
		{"an extension", citext("public"), citext("ext"), true, true},
		{"two extensions", citext("public"), of("mytext", in("public", "citext", 'b')), false, false},
		{"an extension and a type without one", citext("public"), in("public", "citext", 'b'), false, false},
		{"two types of an extension", of("isn", in("public", "isbn", 'b')), of("isn", in("public", "issn", 'b')), false, false},
		{"arrays of an extension's type", array(citext("public")), array(citext("ext")), true, true},
		{"arrays of which one counts as the extension's", of("citext", array(citext("public"))), array(citext("ext")), true, true},
		{"domains over an extension's type", domain("public", citext("public")), domain("public", citext("ext")), true, true},
		{"enums", in("a", "mood", 'e'), in("b", "mood", 'e'), true, false},
		{"enums of two names", in("a", "mood", 'e'), in("a", "temper", 'e'), false, false},
		{"composite types", in("a", "pair", 'c'), in("b", "pair", 'c'), true, false},
		{"ranges", in("a", "spans", 'r'), in("b", "spans", 'r'), true, false},
		{"an enum and a composite type", in("a", "mood", 'e'), in("b", "mood", 'c'), false, false},
		{"domains", domain("a", text()), domain("b", text()), true, false},
		{"domains over other types", domain("a", text()), domain("a", int4()), false, false},
		{"arrays of domains over other types", array(domain("a", text())), array(domain("a", int4())), false, false},
		{"arrays of enums", array(in("a", "mood", 'e')), array(in("b", "mood", 'e')), true, false},
		{"base types without an extension", in("a", "int99", 'b'), in("b", "int99", 'b'), false, false},
		{"an extension's type in PostgreSQL's own schema", of("x", in("pg_catalog", "text", 'b')), text(), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nodes := []*table.Description{described("n1", column("id", tt.first)), described("n2", column("id", tt.second))}
			c, err := Tables(nodes, nil, nil)
			if (err == nil) != tt.matched {
				t.Fatalf("matched: %v, error %v", tt.matched, err)
			}
			if err != nil {
				return
			}
			if warned := slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "compared as text") }); warned == tt.same {
				t.Errorf("warnings are %q; the same type: %v", c.Warnings, tt.same)
			}
			for i, s := range sourcesOf(t, Reading{Schema: "public", Table: "t"}, nodes...) {
				if want := []rowdigest.Type{tt.first, tt.second}[i].Underlying().SQL; strings.TrimPrefix(s.KeyType[0], "pg_catalog.") != want {
					t.Errorf("keys of node %s are sent as %s, want its own type %s", s.Node, s.KeyType[0], want)
				}
			}
		})
	}
}
