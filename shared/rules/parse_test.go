package rules_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"ace/shared/fault"
	"ace/shared/rules"
	"ace/shared/table"
)

const valid = `
version: 1
rules:
  - name: closed orders
    when:
      kind: different
      nodes: [n1, n2]
      columns: [status, closed_at]
      where: n1.status = 'closed' AND n2.status <> 'closed'
    take: {node: n1}
  - when:
      kind: missing
      on: [n3]
      keys: [[7, a], [008, '']]
      written: {after: 2026-11-29T02:00:00Z, before: 2026-11-30T02:00:00+01:00, origin: '', on: [n1]}
    take:
      columns: {stock: min, price: {node: n2}, note: non_null, seen: max}
      default: newest
otherwise: skip
`

func parsed() *rules.Document {
	local := ""
	return &rules.Document{
		Rules: []rules.Rule{
			{Number: 1, Line: 4, Name: "closed orders", When: rules.Selectors{
				Nodes: []string{"n1", "n2"}, Kind: rules.Different, Columns: []string{"status", "closed_at"},
				Where: "n1.status = 'closed' AND n2.status <> 'closed'",
			}, Take: rules.Action{Kind: rules.OfNode, Node: "n1"}},
			{Number: 2, Line: 11, When: rules.Selectors{
				Kind: rules.Missing, On: []string{"n3"}, Keys: []table.Key{{"7", "a"}, {"008", ""}},
				Written: &rules.Written{
					After: time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC), Before: time.Date(2026, 11, 30, 1, 0, 0, 0, time.UTC), Origin: &local, On: []string{"n1"},
				},
			}, Take: rules.Action{Kind: rules.ByColumn, Columns: []rules.Column{
				{Name: "stock", Choice: rules.Choice{Kind: rules.Min}}, {Name: "price", Choice: rules.Choice{Kind: rules.ValueOfNode, Node: "n2"}},
				{Name: "note", Choice: rules.Choice{Kind: rules.NonNull}}, {Name: "seen", Choice: rules.Choice{Kind: rules.Max}},
			}, Default: &rules.Choice{Kind: rules.NewestValue}}},
		},
		Otherwise: rules.Rule{Line: 19, Take: rules.Action{Kind: rules.Skip}},
	}
}

var sameMoment = cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })

func TestParse_ReadsYAML(t *testing.T) {
	got, err := rules.Parse([]byte(valid))
	if diff := cmp.Diff(parsed(), got, sameMoment); err != nil || diff != "" {
		t.Errorf("error %v\n%s", err, diff)
	}
}

func TestParse_ReadsJSON(t *testing.T) {
	var tree any
	if err := yaml.Unmarshal([]byte(strings.Replace(valid, "008", "'008'", 1)), &tree); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(tree, "", "\t") // YAML does not allow tabs
	if err != nil {
		t.Fatal(err)
	}

	got, err := rules.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := parsed()
	want.Otherwise.Line, want.Rules[0].Line, want.Rules[1].Line = got.Otherwise.Line, got.Rules[0].Line, got.Rules[1].Line
	want.Rules[1].Take.Columns = got.Rules[1].Take.Columns // MarshalIndent sorts the members
	if diff := cmp.Diff(want, got, sameMoment); diff != "" || len(got.Rules[1].Take.Columns) != 4 {
		t.Errorf("%s", diff)
	}
	if lines := strings.Split(string(text), "\n"); strings.TrimSpace(lines[got.Rules[0].Line-1]) != "{" || !strings.Contains(lines[got.Otherwise.Line-1], "otherwise") {
		t.Errorf("rule 1 is on line %d, otherwise on line %d of\n%s", got.Rules[0].Line, got.Otherwise.Line, text)
	}
}

func TestParse_ReadsTheExamplesOfTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(manual, -1)
	if len(blocks) == 0 {
		t.Error("docs/RULES.md has no example")
	}
	for _, block := range blocks {
		if _, err := rules.Parse(block[1]); err != nil {
			t.Errorf("%v in\n%s", err, block[1])
		}
	}
}

func TestParse_ReportsLineRuleValueAndAllowedValues(t *testing.T) {
	rule := func(fields string) string { return "version: 1\nrules:\n  - {" + fields + "}" }
	when := func(selectors string) string { return rule("when: {" + selectors + "}, take: newest") }
	take := func(action string) string { return rule("when: {kind: different}, take: " + action) }
	const allowedAction = "it must be newest, majority, union, fill_nulls, delete, skip, undecided, {node: n1}, or columns with their choices"
	tests := []struct{ name, document, want string }{
		{"nothing", "", "rules: the document is empty; write version: 1 and rules: [...]"},
		{"a comment only", "# nothing", "rules: the document is empty"},
		{"not YAML", "rules: [", "rules: not valid YAML or JSON: yaml: line 1: did not find expected node content"},
		{"broken JSON", "{\"version\": 1,\n\t\"rules\": [}", "rules: not valid YAML or JSON"},
		{"not UTF-8", "version: \xff", "rules: the document is not valid UTF-8"},
		{"a list", "[1]", "rules, line 1: the document must be a mapping with the members version, rules, otherwise"},
		{"two documents", valid + "---\nversion: 1", "rules: the text has more than one YAML document"},
		{"a huge document", strings.Repeat("#", rules.MaxSize+1), "rules: the document has 262145 bytes; the maximum is 262144"},
		{"an alias", "version: &v 1\nrules: *v", "rules, line 1: anchors and aliases are not supported"},
		{"a tag", "version: !int 1\nrules: []", `rules, line 1: the tag "!int" is not supported`},
		{"a merge", "version: 1\nrules: []\n<<: {otherwise: skip}", `rules, line 3: unknown member "<<" of the document; the members are version, rules, otherwise`},
		{"null", "version: 1\nrules: []\notherwise:", "rules, line 3: a value is missing or null"},
		{"null in JSON", "{\"version\": 1,\n\"rules\": null}", "rules, line 2: a value is missing or null"},
		{"NUL", "version: 1\nrules: []\notherwise: \"\\0\"", "rules, line 3: a text contains the character NUL"},
		{"half of a surrogate pair", "{\"version\": 1, \"rules\": [],\n \"otherwise\": \"\\ud83d\\ude00 \\ufffd \\uFFFD \uFFFD \\ud800\"}", "rules: line 2: a text contains half of a surrogate pair"},
		{"surrogate pairs", "{\"version\": 1, \"rules\": [],\n \"otherwise\": \"\\ud83d\\ude00 \\ufffd \\uFFFD \uFFFD\"}", "rules, line 2, otherwise: otherwise is \"😀 \ufffd \ufffd \ufffd\"; it must be"},
		{"no version", "rules: []", "rules: version is missing; write version: 1"},
		{"another version", "version: 2\nrules: []", `rules, line 1: version is "2"; it must be 1`},
		{"no rules", "version: 1", "rules: rules is missing; write rules: [...]"},
		{"rules is no list", "version: 1\nrules: {}", "rules, line 2: rules must be a list of rules"},
		{"nothing to decide", "version: 1\nrules: []", "rules, line 2: rules is empty and otherwise is missing"},
		{"an unknown member", "version: 1\nrule: []", `rules, line 2: unknown member "rule" of the document; the members are version, rules, otherwise`},
		{"a member twice", "version: 1\nversion: 1\nrules: []", `rules, line 2: "version" is given twice; give it once`},
		{"a member twice in JSON", "{\"version\": 1,\n \"version\": 1, \"rules\": []}", `rules, line 2: "version" is given twice; give it once`},
		{"too many rules", "version: 1\nrules: [" + strings.Repeat("{},", 1001) + "]", "rules, line 2: the document has 1001 rules; the maximum is 1000"},

		{"a rule is no mapping", "version: 1\nrules: [7]", "rules, line 2, rule 1: a rule must be a mapping with the members name, when, take"},
		{"a bad name", rule("name: '!', when: {kind: different}, take: skip"), `rules, line 3, rule 1: name is "!"; it must be at most 64 letters`},
		{"a name twice", rule("name: a, when: {kind: different}, take: skip") + "\n  - {name: a, when: {kind: different}, take: skip}", `rules, line 4, rule 2: name is "a"; it must be at most 64 letters, digits, spaces, dots, underscores and hyphens, the first a letter or digit, once in the document`},
		{"no selector", rule("take: newest"), "rules, line 3, rule 1: when is missing: a rule needs a selector"},
		{"an empty selector", when(""), "rules, line 3, rule 1: when is empty: a rule needs a selector, one of nodes, kind, on, columns, keys, written, where"},
		{"when is a text", rule("when: always, take: newest"), "rules, line 3, rule 1: when must be a mapping with the members nodes, kind"},
		{"no action", rule("when: {kind: different}"), "rules, line 3, rule 1: take is missing; " + allowedAction},

		{"an unknown selector", when("table: t"), `rules, line 3, rule 1: unknown member "table" of when; the members are nodes, kind`},
		{"a bad kind", when("kind: differs"), `rules, line 3, rule 1: when.kind is "differs"; it must be different or missing`},
		{"one node", when("nodes: [n1]"), "rules, line 3, rule 1: when.nodes must be a list of at least 2"},
		{"a node twice", when("nodes: [n1, n1]"), `rules, line 3, rule 1: when.nodes names "n1" twice; name it once`},
		{"an empty node", when("nodes: [n1, '']"), "rules, line 3, rule 1: when.nodes is empty; give it a value"},
		{"a text for a list", when("columns: status"), "rules, line 3, rule 1: when.columns must be a list of at least 1"},
		{"a list in a list", when("columns: [[a]]"), "rules, line 3, rule 1: when.columns must be one value, not a list or a mapping"},
		{"on without a kind", when("on: [n1]"), "rules, line 3, rule 1: when.on needs kind: missing"},
		{"on among others", when("nodes: [n1, n2], kind: missing, on: [n3]"), `rules, line 3, rule 1: when.on names "n3"; it must be one of when.nodes: n1, n2`},
		{"no keys", when("keys: []"), "rules, line 3, rule 1: when.keys must be a list of keys, such as [7, 9]"},
		{"a mapping as a key", when("keys: [{id: 7}]"), "rules, line 3, rule 1: when.keys must be a list of keys"},
		{"keys of two lengths", when("keys: [[1, 2], 3]"), "rules, line 3, rule 1: when.keys has a key of 1 values; all keys must have the same number of values"},
		{"an empty key", when("keys: [[]]"), "rules, line 3, rule 1: when.keys has a key of 0 values"},
		{"too many keys", when("keys: [" + strings.Repeat("1,", 10001) + "]"), "rules, line 3, rule 1: the document has more than 10000 keys"},
		{"written is empty", when("written: {on: [n1]}"), "rules, line 3, rule 1: when.written needs before, after or origin"},
		{"a time without an offset", when("written: {before: 2026-11-29T02:00:00}"), `rules, line 3, rule 1: when.written.before is "2026-11-29T02:00:00"; it must be a time with its offset from UTC, such as 2026-11-29T02:00:00Z`},
		{"a date", when("written: {after: 2026-11-29}"), `rules, line 3, rule 1: when.written.after is "2026-11-29"; it must be a time`},
		{"no time is between", when("written: {before: 2026-11-29T02:00:00Z, after: 2026-11-29T02:00:00Z}"), "rules, line 3, rule 1: when.written.before is not later than after"},
		{"a list of origins", when("written: {origin: [a]}"), "rules, line 3, rule 1: when.written.origin must be the name of a replication origin"},
		{"a blank where", when(`where: " \n"`), "rules, line 3, rule 1: when.where is blank; it must be one boolean SQL expression"},
		{"an empty where", when(`where: ''`), "rules, line 3, rule 1: when.where is empty; give it a value"},
		{"a long where", when("where: '" + strings.Repeat("x", 8193) + "'"), "rules, line 3, rule 1: when.where has 8193 bytes; the maximum is 8192"},

		{"an unknown action", take("n1"), `rules, line 3, rule 1: take is "n1"; ` + allowedAction},
		{"a bad otherwise", "version: 1\nrules: []\notherwise: none", `rules, line 3, otherwise: otherwise is "none"; ` + allowedAction},
		{"source_of_truth is no action", take("source_of_truth"), `rules, line 3, rule 1: take is "source_of_truth"; ` + allowedAction},
		{"an empty action", take("{}"), "rules, line 3, rule 1: take must be newest, majority"},
		{"a list of actions", take("[newest]"), "rules, line 3, rule 1: take must be newest, majority"},
		{"node and columns", take("{node: n1, default: min}"), "rules, line 3, rule 1: take has node and 1 other members; write node alone"},
		{"an unknown member of an action", take("{from: n1}"), `rules, line 3, rule 1: unknown member "from" of take; the members are node, columns, default`},
		{"no columns", take("{columns: {}}"), "rules, line 3, rule 1: take.columns is empty"},
		{"columns is a list", take("{columns: [a]}"), "rules, line 3, rule 1: take.columns must be a mapping with the members that are columns, each with its choice"},
		{"a bad choice", take("{columns: {a: sum}}"), `rules, line 3, rule 1: take.columns.a is "sum"; it must be newest, non_null, min, max or {node: n1}`},
		{"a bad default", take("{default: {nodes: n1}}"), `rules, line 3, rule 1: unknown member "nodes" of take.default; the members are node`},
		{"a column twice", take("{columns: {a: min, a: max}}"), `rules, line 3, rule 1: "a" is given twice; give it once`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rules.Parse([]byte(tt.document))
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// YAML ends a plain text before a comment, and joins the lines of most texts. # is an
// operator in SQL, and -- begins a comment that ends with the line.
func TestParse_RefusesAWhereOfWhichYAMLLosesAPart(t *testing.T) {
	const comment, joined = "when.where ends before \"# 3\", which is a comment in YAML", "when.where contains --"
	for _, tt := range []struct{ where, want string }{
		{"\n      where: n1.a = n1.b # 3\n    take: skip", comment},
		{"\n      where: n1.a = n1.b # 3\n\n    # more\n    take: skip", comment},
		{"{where: n1.a = n1.b # 3\n      }\n    take: skip", comment},
		{"{where: n1.a = n1.b # 3\n      , kind: missing}\n    take: skip", comment},
		{"\n      kind: missing\n      where: n1.a = n1.b # 3\n    take: skip", comment},
		{"\n      where:\n        n1.a AND\n        n1.a = n1.b # 3\n      kind: missing\n    take: skip", comment},
		{"\n      where: n1.a = n1.b#3\n    take: skip", ""},
		{"\n      where: 'n1.a = n1.b # 3' # a comment\n    take: skip", ""},
		{"\n      # a comment\n      where: n1.a = n1.b\n      # a comment\n    take: skip", ""},
		{"\n      where: | # a comment\n        n1.a = n1.b # 3\n        AND n1.b\n    take: skip", ""},

		{"\n      where: >\n        n1.a -- only a\n        AND n1.b\n    take: skip", joined},
		{"\n      where: n1.a -- only a\n        AND n1.b\n    take: skip", joined},
		{"\n      where: 'n1.a -- only a\n        AND n1.b'\n    take: skip", joined},
		{"\n      where: \"n1.a -- only a\n        AND n1.b\"\n    take: skip", joined},
		{"\n      where: |\n        n1.a -- only a\n        AND n1.b\n    take: skip", ""},
		{"\n      where: >\n        n1.a /* only a */\n        AND n1.b\n    take: skip", ""},
	} {
		document := "version: 1\nrules:\n  - when: " + tt.where + "\n"
		_, err := rules.Parse([]byte(document))
		if tt.want == "" && err != nil || tt.want != "" && (fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want)) {
			t.Errorf("error %v, want %q for\n%s", err, tt.want, document)
		}
	}
	if _, err := rules.Parse([]byte(`{"version": 1, "rules": [{"when": {"where": "n1.a # 3 > 0 -- only a\nAND n1.b"}, "take": "skip"}]}`)); err != nil {
		t.Errorf("JSON: %v", err)
	}
}

func TestParse_ReportsEverythingAtOnce(t *testing.T) {
	_, err := rules.Parse([]byte("version: 1\nrules: [{when: {kind: x, columns: y}, take: z}, {}]\notherwise: w"))
	if lines := strings.Count(fault.PublicMessage(err), "\n") + 1; lines != 6 {
		t.Errorf("%d lines: %v", lines, err)
	}
}

func TestCheck_ReportsUnknownNodesAndColumns(t *testing.T) {
	d, err := rules.Parse([]byte(`
version: 1
rules:
  - when: {nodes: [n1, n9], columns: [a, x], keys: [[1, 2]], written: {origin: o, on: [n8]}}
    take: {columns: {id: min, y: {node: n7}}, default: {node: n6}}
  - when: {kind: missing, on: [n5]}
    take: skip
otherwise: {node: n4}`))
	if err != nil {
		t.Fatal(err)
	}
	err = d.Check(rules.Table{Nodes: []string{"n1", "n2"}, Columns: []string{"id", "a"}, Key: []string{"id"}})
	want := strings.Join([]string{
		`rules, line 4, rule 1: when.nodes names "n9"; the nodes of this repair are n1, n2`,
		`rules, line 4, rule 1: when.columns names "x"; the compared columns are id, a`,
		`rules, line 4, rule 1: when.keys has keys of 2 values, but the key of the table has 1: id`,
		`rules, line 4, rule 1: when.written.on names "n8"; the nodes of this repair are n1, n2`,
		`rules, line 4, rule 1: take.columns.id is a column of the key, which is equal in all versions; leave it out`,
		`rules, line 4, rule 1: take.columns names "y"; the compared columns are id, a`,
		`rules, line 4, rule 1: take.columns.y.node names "n7"; the nodes of this repair are n1, n2`,
		`rules, line 4, rule 1: take.default.node names "n6"; the nodes of this repair are n1, n2`,
		`rules, line 6, rule 2: when.on names "n5"; the nodes of this repair are n1, n2`,
		`rules, line 8: otherwise.node names "n4"; the nodes of this repair are n1, n2`,
	}, "\n")
	if diff := cmp.Diff(want, fault.PublicMessage(err)); diff != "" || fault.CodeOf(err) != fault.Invalid {
		t.Errorf("code %s\n%s", fault.CodeOf(err), diff)
	}
	if err := parsed().Check(rules.Table{Nodes: []string{"n1", "n2", "n3"}, Columns: strings.Split("id,c,status,closed_at,stock,price,note,seen", ","), Key: []string{"id", "c"}}); err != nil {
		t.Errorf("a document that fits: %v", err)
	}
}

func TestLabel_HasNumberAndName(t *testing.T) {
	d := parsed()
	if got := []string{d.Label(1), d.Label(2), d.Label(3)}; !reflect.DeepEqual(got, []string{"1 closed orders", "2", "otherwise"}) {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte(`{"version": 1, "rules": [{"when": {"keys": [1, "a"]}, "take": {"default": "min"}}]}`))
	f.Add([]byte("a: &a [*a]\nrules: *a"))
	f.Add([]byte("{\"version\":1,\"rules\":[],\"otherwise\":\"skip\"}\n{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := rules.Parse(data)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) == "" {
				t.Errorf("the error is %v", err)
			}
			return
		}
		for i, rule := range append(d.Rules, d.Otherwise) {
			if i < len(d.Rules) && (rule.Number != i+1 || rule.Line < 1 || reflect.DeepEqual(rule.When, rules.Selectors{})) || rule.Take.Kind == "" {
				t.Errorf("accepted %+v", rule)
			}
		}
		_ = fmt.Sprint(d.Check(rules.Table{Nodes: []string{"n1"}, Columns: []string{"id"}, Key: []string{"id"}})) // must not panic
	})
}
