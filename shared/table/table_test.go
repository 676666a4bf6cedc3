package table_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/table"
)

func TestSum_PartsAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digests := rapid.SliceOf(rapid.Int64()).Draw(rt, "digests")
		parts := make([]table.Sum, rapid.IntRange(1, 8).Draw(rt, "parts"))
		var whole table.Sum
		for _, digest := range digests {
			row := table.Sum{Rows: 1, Digest: digest}
			whole = whole.Add(row)
			at := rapid.IntRange(0, len(parts)-1).Draw(rt, "part")
			parts[at] = parts[at].Add(row)
		}
		rand.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		var sum table.Sum
		for _, part := range parts {
			sum = sum.Add(part)
		}
		if sum != whole {
			rt.Fatalf("the parts add up to %+v, the whole is %+v", sum, whole)
		}
	})
}

func TestKey_StringQuotesAndShortensTexts(t *testing.T) {
	for _, tt := range []struct {
		key  table.Key
		want string
	}{
		{table.Key{"7"}, `('7')`},
		{table.Key{"7", "O'Brien"}, `('7', 'O''Brien')`},
		{table.Key{""}, `('')`},
		{table.Key{strings.Repeat("ü", 64)}, `('` + strings.Repeat("ü", 64) + `')`},
		{table.Key{strings.Repeat("ü", 65)}, `('` + strings.Repeat("ü", 64) + `...')`},
	} {
		if got := tt.key.String(); got != tt.want {
			t.Errorf("%q is written %s, want %s", []string(tt.key), got, tt.want)
		}
	}
}

func TestRow_NULLEqualsOnlyNULL(t *testing.T) {
	empty, null, text, other := "", "NULL", "a", "b"
	values := []*string{nil, &empty, &null, &text, &other}
	for i, a := range values {
		for j, b := range values {
			if got := (table.Row{a}).Equal(table.Row{b}); got != (i == j) {
				t.Errorf("values %d and %d are equal: %v", i, j, got)
			}
		}
		if i > 0 {
			same := *a
			if !table.SameValue(a, &same) {
				t.Errorf("value %d does not equal its copy", i)
			}
		}
	}
	if (table.Row{nil}).Equal(table.Row{nil, nil}) {
		t.Error("a row equals a longer one")
	}
}

func TestCollation_SameOrderNeedsEvidence(t *testing.T) {
	libc := func(locale, version string) *table.Collation {
		return &table.Collation{Provider: "c", Locale: locale, Deterministic: true, Version: version}
	}
	icu := &table.Collation{Provider: "i", Locale: "en-US", Deterministic: true, Version: "153.120"}
	loose := *icu
	loose.Deterministic = false
	builtin := &table.Collation{Provider: "b", Locale: "C.UTF-8", Deterministic: true, Version: "1"}
	tests := []struct {
		name string
		a, b *table.Collation
		want bool
	}{
		{"neither type has a collation", nil, nil, true},
		{"only one type has one", nil, libc("C", ""), false},
		{"C and POSIX", libc("C", ""), libc("POSIX", ""), true},
		{"C of libc and C of the server itself", libc("C", ""), &table.Collation{Provider: "b", Locale: "C", Deterministic: true}, true},
		{"C and the server's own C.UTF-8", libc("C", ""), builtin, true},
		{"C and libc's C.UTF-8", libc("C", ""), libc("C.UTF-8", "2.36"), false},
		{"the same library", libc("en_US.UTF-8", "2.36"), libc("en_US.UTF-8", "2.36"), true},
		{"another version", libc("en_US.UTF-8", "2.36"), libc("en_US.UTF-8", "2.31"), false},
		{"versions unknown", libc("en_US.UTF-8", ""), libc("en_US.UTF-8", ""), false},
		{"one version unknown", libc("en_US.UTF-8", ""), libc("en_US.UTF-8", "2.36"), false},
		{"another locale", libc("en_US.UTF-8", "2.36"), libc("de_DE.UTF-8", "2.36"), false},
		{"another provider", libc("en-US", "153.120"), icu, false},
		{"ICU and itself", icu, icu, true},
		{"deterministic or not", icu, &loose, false},
		{"ICU that calls itself C", &table.Collation{Provider: "i", Locale: "C", Deterministic: true}, libc("C", ""), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, back := tt.a.SameOrder(tt.b), tt.b.SameOrder(tt.a); got != tt.want || back != tt.want {
				t.Errorf("same order: %v, with arguments swapped %v, want %v", got, back, tt.want)
			}
		})
	}
}

func TestName_QuotesOnlyWhatSQLRequires(t *testing.T) {
	for _, tt := range []struct{ schema, name, want string }{
		{"public", "users_1", `public.users_1`},
		{"public", "Users", `public."Users"`},
		{"my schema", `a"b`, `"my schema"."a""b"`},
		{"public", "1st", `public."1st"`},
		{"öffentlich", "", `"öffentlich".""`},
	} {
		if got := table.Name(tt.schema, tt.name); got != tt.want {
			t.Errorf("%q in %q is written %s, want %s", tt.name, tt.schema, got, tt.want)
		}
	}
}

func TestDescription_FindsColumnsAndNamesTheRelation(t *testing.T) {
	d := table.Description{Columns: []table.Column{{Name: "id"}, {Name: "Id", NotNull: true}}}
	if c, ok := d.Column("Id"); !ok || !c.NotNull {
		t.Errorf(`column "Id" is %+v, found %v`, c, ok)
	}
	if _, ok := d.Column("ID"); ok {
		t.Error(`a column "ID" was found`)
	}
	if got := d.Relation("s", `t"x`); got != `"s"."t""x"` {
		t.Errorf("the relation is %s", got)
	}
	d.Kind = "r"
	if got := d.Relation("s", "t"); got != `ONLY "s"."t"` {
		t.Errorf("the table that is not partitioned is %s", got)
	}
}
