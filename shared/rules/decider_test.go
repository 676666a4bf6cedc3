package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/resolve"
	"ace/shared/rules"
	"ace/shared/table"
)

// row returns a version with the columns id, a and b that was written second seconds
// after noon. "-" is NULL, and a negative second means that the time is unknown.
func row(second int, a, b string) resolve.Version {
	v := resolve.Version{Present: true, Row: table.Row{value("7"), value(a), value(b)}}
	for _, c := range a + "|" + b {
		v.Digest = v.Digest*31 + int64(c)
	}
	if second >= 0 {
		v.Time = noon.Add(time.Duration(second) * time.Second)
	}
	return v
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func from(origin string, v resolve.Version) resolve.Version {
	v.Origin = origin
	return v
}

func value(text string) *string {
	if text == "-" {
		return nil
	}
	return &text
}

var none resolve.Version // a node lacks the row

func options(server rules.Server) rules.Options {
	return rules.Options{
		Table:  rules.Table{Nodes: []string{"n1", "n2", "n3"}, Columns: []string{"id", "a", "b"}, Key: []string{"id"}},
		Newest: resolve.NewestOptions{Skew: time.Second, TieBreaker: resolve.NoTieBreaker, Missing: resolve.MissingInsert},
		Server: server,
	}
}

// text describes a decision: the verdict, and the winner or the reason.
func text(d resolve.Decision) string {
	switch {
	case d.Verdict == resolve.Undecided:
		return "undecided: " + d.Reason
	case d.Verdict == resolve.Leave:
		return "leave"
	case d.Verdict == resolve.Absent:
		return "absent"
	case d.Node != resolve.Composed:
		return fmt.Sprintf("n%d", d.Node+1)
	}
	texts := make([]string, len(d.Row))
	for i, v := range d.Row {
		if texts[i] = "-"; v != nil {
			texts[i] = *v
		}
	}
	return "row " + strings.Join(texts, " ")
}

// decide returns the decisions of a document, each as its rule and its text. The rule of
// rows that are the same on all nodes is 0.
func decide(t *testing.T, document string, o rules.Options, cases ...resolve.Case) []string {
	t.Helper()
	d, err := rules.Parse([]byte("version: 1\n" + document))
	if err != nil {
		t.Fatal(err)
	}
	decider, err := rules.NewDecider(t.Context(), d, o)
	if err != nil {
		t.Fatal(err)
	}
	decisions, err := decider.Decide(t.Context(), cases)
	if err != nil || len(decisions) != len(cases) {
		t.Fatalf("%d decisions, error %v", len(decisions), err)
	}
	texts := make([]string, len(decisions))
	for i, decision := range decisions {
		label := "0"
		if decision.Rule > 0 {
			label = d.Label(decision.Rule)
		}
		texts[i] = label + " " + text(decision)
	}
	return texts
}

// Equal keys can have different texts, such as 1.0 and 1.00. No node's text wins unless
// the rule says so.
func TestDecider_ChoosesTheTextOfTheKeyLikeAnyOther(t *testing.T) {
	keyed := func(key, a string) resolve.Version {
		v := row(0, a, "1")
		v.Row[0], v.Digest = &key, v.Digest+int64(len(key))
		return v
	}
	versions := []resolve.Version{keyed("7.0", "x"), keyed("7.00", "x"), keyed("7.00", "y")}
	for action, want := range map[string]string{
		"{columns: {a: {node: n3}}}":                      `otherwise undecided: column "id" differs, and the rule has no choice for it`,
		"{columns: {a: {node: n3}}, default: non_null}":   `otherwise undecided: column "id": the values that are not NULL differ`,
		"{columns: {a: {node: n1}}, default: {node: n2}}": "otherwise n2",
		"{columns: {a: {node: n3}}, default: {node: n1}}": "otherwise row 7.0 y 1",
		"{default: {node: n3}}":                           "otherwise n3",
	} {
		if got := decide(t, "rules: []\notherwise: "+action, options(nil), resolve.Case{Versions: versions}); got[0] != want {
			t.Errorf("%s: %s, want %s", action, got[0], want)
		}
	}
}

func TestDecider_DecidesByTheFirstRuleThatMatches(t *testing.T) {
	x, y, z := row(0, "x", "1"), row(10, "y", "1"), row(20, "z", "1")
	rule := func(when string) string { return "rules: [{when: {" + when + "}, take: delete}]\notherwise: skip" }
	take := func(action string) string { return "rules: []\notherwise: " + action }
	const matches, other = "1 absent", "otherwise leave"
	for _, tt := range []struct {
		name, document string
		versions       []resolve.Version
		want           string
	}{
		{"equal rows are left, whatever the rules say", take("delete"), list(x, x, x), "0 leave"},
		{"without otherwise a row is undecided", "rules: [{when: {kind: missing}, take: delete}]", list(x, y, z), "otherwise undecided: no rule matches"},
		{"the first of two rules", "rules: [{when: {kind: different}, take: {node: n2}}, {when: {columns: [a]}, take: {node: n3}}]", list(x, y, z), "1 n2"},
		{"the second of two rules", "rules: [{when: {kind: missing}, take: {node: n2}}, {when: {columns: [a]}, take: {node: n3}}]", list(x, y, z), "2 n3"},
		{"a rule that finds no winner is not followed by the next", "rules: [{when: {kind: different}, take: majority}, {when: {columns: [a]}, take: {node: n3}}]", list(x, y, z),
			"1 undecided: no version has a majority: at most 1 of 3 nodes agree"},
		{"all selectors must match", rule("kind: different, columns: [b]"), list(x, y, z), other},

		{"kind different", rule("kind: different"), list(x, x, y), matches},
		{"kind different, a row is missing", rule("kind: different"), list(x, none, y), other},
		{"kind missing", rule("kind: missing"), list(x, none, x), matches},
		{"kind missing, nothing is missing", rule("kind: missing"), list(x, x, y), other},
		{"missing on", rule("kind: missing, on: [n2]"), list(x, none, none), matches},
		{"missing on both", rule("kind: missing, on: [n2, n3]"), list(x, none, none), matches},
		{"missing on one of them", rule("kind: missing, on: [n2, n3]"), list(x, none, x), other},
		{"missing elsewhere", rule("kind: missing, on: [n2]"), list(none, x, x), other},
		{"among nodes", rule("nodes: [n1, n2]"), list(x, y, y), matches},
		{"not among nodes", rule("nodes: [n1, n2]"), list(x, x, y), other},
		{"kind among nodes", rule("nodes: [n1, n2], kind: different"), list(x, y, none), matches},
		{"kind among nodes, missing elsewhere", rule("nodes: [n1, n2], kind: missing"), list(x, y, none), other},
		{"columns among nodes", rule("nodes: [n1, n2], columns: [b]"), list(x, y, row(0, "x", "2")), other},
		{"one of the columns", rule("columns: [b, a]"), list(x, x, y), matches},
		{"another column", rule("columns: [b]"), list(x, x, y), other},
		{"a NULL differs from a value", rule("columns: [b]"), list(x, x, row(0, "x", "-")), matches},
		{"NULLs are equal", rule("columns: [b]"), list(row(0, "x", "-"), row(0, "x", "-"), row(0, "y", "-")), other},
		{"the columns of a missing row do not differ", rule("columns: [a]"), list(x, none, x), other},
		{"the columns of one row do not differ", rule("columns: [a]"), list(x, none, none), other},

		{"written before", rule("written: {before: 2026-11-29T12:00:01Z}"), list(x, y, z), matches},
		{"not before", rule("written: {before: 2026-11-29T12:00:00Z}"), list(x, y, z), other},
		{"written after", rule("written: {after: 2026-11-29T13:00:19+01:00}"), list(x, y, z), matches},
		{"not after", rule("written: {after: 2026-11-29T12:00:20Z}"), list(x, y, z), other},
		{"on a node", rule("written: {after: 2026-11-29T12:00:19Z, on: [n1, n2]}"), list(x, y, z), other},
		{"one version must match all", rule("written: {after: 2026-11-29T12:00:11Z, origin: o}"), list(x, from("o", y), z), other},
		{"by an origin", rule("written: {origin: o}"), list(x, from("o", y), z), matches},
		{"by another origin", rule("written: {origin: p}"), list(x, from("o", y), z), other},
		{"by the node itself", rule("written: {origin: '', on: [n2]}"), list(x, y, z), matches},
		{"not by the node itself", rule("written: {origin: '', on: [n2]}"), list(x, from("o", y), z), other},
		{"an unknown time matches nothing", rule("written: {before: 2027-01-01T00:00:00Z, on: [n2]}"), list(x, row(-1, "y", "1"), z), other},
		{"an unknown origin is not the node itself", rule("written: {origin: '', on: [n2]}"), list(x, row(-1, "y", "1"), z), other},
		{"a missing row was not written", rule("written: {origin: '', on: [n2]}"), list(x, none, z), other},

		{"newest", take("newest"), list(x, y, z), "otherwise n3"},
		{"majority", take("majority"), list(x, none, none), "otherwise absent"},
		{"union", take("union"), list(x, none, x), "otherwise n1"},
		{"fill_nulls", take("fill_nulls"), list(row(0, "x", "-"), row(0, "-", "1"), row(0, "-", "-")), "otherwise row 7 x 1"},
		{"a node", take("{node: n2}"), list(x, y, z), "otherwise n2"},
		{"delete", take("delete"), list(x, y, z), "otherwise absent"},
		{"skip", take("skip"), list(x, y, z), "otherwise leave"},
		{"undecided", take("undecided"), list(x, y, z), "otherwise undecided: no rule matches"},
		{"a rule says undecided", "rules: [{when: {kind: different}, take: undecided}]", list(x, y, z), "1 undecided: rule 1 leaves the row undecided"},

		{"columns of nodes", take("{columns: {a: {node: n1}, b: {node: n2}}}"), list(x, row(0, "y", "2"), z), "otherwise row 7 x 2"},
		{"columns of the newest", take("{columns: {a: {node: n1}}, default: newest}"), list(x, y, row(20, "z", "3")), "otherwise row 7 x 3"},
		{"the newest is not known", take("{default: newest}"), list(x, row(0, "y", "1"), x), `otherwise undecided: column "a": written at 2026-11-29T12:00:00.000000Z on n1, n3 and at 2026-11-29T12:00:00.000000Z on n2: less than 1s apart`},
		{"a column that agrees needs no choice", take("{columns: {a: {node: n2}}}"), list(x, y, z), "otherwise n2"},
		{"a column without a choice", take("{columns: {a: {node: n2}}}"), list(x, row(0, "y", "2"), z), `otherwise undecided: column "b" differs, and the rule has no choice for it`},
		{"a composed row that a node has", take("{default: {node: n3}}"), list(x, y, z), "otherwise n3"},
		{"the value that is not NULL", take("{default: non_null}"), list(row(0, "x", "-"), row(0, "-", "2"), row(0, "x", "-")), "otherwise row 7 x 2"},
		{"values that are not NULL differ", take("{default: non_null}"), list(row(0, "x", "-"), row(0, "y", "-"), row(0, "-", "-")), `otherwise undecided: column "a": the values that are not NULL differ`},
		{"a NULL of a node is its value", take("{default: {node: n3}}"), list(row(0, "x", "1"), row(0, "x", "1"), row(0, "-", "1")), "otherwise n3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := decide(t, tt.document, options(nil), resolve.Case{Key: table.Key{"7"}, Versions: tt.versions}); got[0] != tt.want {
				t.Errorf("got %s, want %s", got[0], tt.want)
			}
		})
	}
}

func list(versions ...resolve.Version) []resolve.Version { return versions }

func TestDecider_MissingRows(t *testing.T) {
	x, y := row(0, "x", "1"), row(10, "y", "1")
	for _, tt := range []struct {
		action                string
		versions              []resolve.Version
		insert, deleted, skip string
	}{
		{"newest", list(none, x, y), "otherwise n3", "otherwise absent", "otherwise leave"},
		{"{node: n3}", list(none, x, y), "otherwise n3", "otherwise n3", "otherwise leave"},
		{"{node: n1}", list(none, x, y), "otherwise undecided: n1 lacks the row; only delete, or missing=delete, deletes rows", "otherwise absent", "otherwise leave"},
		{"{default: {node: n3}}", list(none, x, y), "otherwise n3", "otherwise absent", "otherwise leave"},
		{"{default: {node: n1}}", list(none, x, y), `otherwise undecided: column "a": n1 lacks the row`, "otherwise absent", "otherwise leave"},
		{"{default: newest}", list(none, x, x), "otherwise n2", "otherwise absent", "otherwise leave"},
		{"{default: newest}", list(none, x, y), "otherwise n3", "otherwise absent", "otherwise leave"},
		{"union", list(none, x, x), "otherwise n2", "otherwise n2", "otherwise n2"},
		{"majority", list(none, x, none), "otherwise absent", "otherwise absent", "otherwise absent"},
		{"delete", list(none, x, y), "otherwise absent", "otherwise absent", "otherwise absent"},
		{"{node: n1}", list(x, y, y), "otherwise n1", "otherwise n1", "otherwise n1"},
		{"{default: {node: n1}}", list(x, y, y), "otherwise n1", "otherwise n1", "otherwise n1"},
	} {
		for missing, want := range map[resolve.Missing]string{resolve.MissingInsert: tt.insert, resolve.MissingDelete: tt.deleted, resolve.MissingSkip: tt.skip} {
			o := options(nil)
			o.Newest.Missing = missing
			if got := decide(t, "rules: []\notherwise: "+tt.action, o, resolve.Case{Versions: tt.versions}); got[0] != want {
				t.Errorf("%s with missing=%s: got %s, want %s", tt.action, missing, got[0], want)
			}
		}
	}
}

func TestDecider_DecidesManyRowsByManyRules(t *testing.T) {
	x, y := row(0, "x", "1"), row(10, "y", "1")
	got := decide(t, `
rules:
  - when: {kind: missing, on: [n1]}
    take: {node: n2}
  - when: {columns: [b]}
    take: skip
  - when: {kind: different}
    take: newest
`, options(nil), cases(list(x, x, y), list(none, y, x), list(x, x, row(0, "x", "2")), list(x, x, x), list(x, none, x))...)
	if diff := cmp.Diff([]string{"3 n3", "1 n2", "2 leave", "0 leave", "otherwise undecided: no rule matches"}, got); diff != "" {
		t.Error(diff)
	}
}

func cases(versions ...[]resolve.Version) []resolve.Case {
	list := make([]resolve.Case, len(versions))
	for i, v := range versions {
		list[i] = resolve.Case{Key: table.Key{fmt.Sprint(i)}, Versions: v}
	}
	return list
}

func TestDecider_NeedsOnlyWhatItsRulesRead(t *testing.T) {
	for document, want := range map[string]resolve.Needs{
		"rules: [{when: {kind: missing}, take: {node: n1}}]":                 {},
		"rules: [{when: {kind: missing}, take: majority}]\notherwise: union": {},
		"rules: [{when: {kind: missing}, take: newest}]":                     {Times: true},
		"rules: []\notherwise: newest":                                       {Times: true},
		"rules: [{when: {written: {origin: o}}, take: skip}]":                {Times: true},
		"rules: [{when: {columns: [a]}, take: skip}]":                        {Texts: true},
		"rules: []\notherwise: fill_nulls":                                   {Texts: true},
		"rules: []\notherwise: {default: {node: n1}}":                        {Texts: true},
		"rules: []\notherwise: {columns: {a: newest}, default: {node: n1}}":  {Texts: true, Times: true},
		"rules: []\notherwise: {columns: {a: {node: n1}}, default: newest}":  {Texts: true, Times: true},
	} {
		d, err := rules.Parse([]byte("version: 1\n" + document))
		if err != nil {
			t.Fatal(err)
		}
		decider, err := rules.NewDecider(t.Context(), d, options(nil))
		if err != nil || decider.Needs() != want {
			t.Errorf("%s: needs %+v, error %v, want %+v", document, decider.Needs(), err, want)
		}
	}
}

func TestNewDecider_RefusesNodesThatTheRepairDoesNotHave(t *testing.T) {
	d, err := rules.Parse([]byte("version: 1\nrules: []\notherwise: {node: n4}"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.NewDecider(t.Context(), d, options(nil)); err == nil || !strings.Contains(err.Error(), `otherwise.node names "n4"; the nodes of this repair are n1, n2, n3`) {
		t.Errorf("error %v", err)
	}
}
