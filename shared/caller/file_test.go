package caller_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
)

const good = `callers:
  - name: ci
    token_sha256: 1111111111111111111111111111111111111111111111111111111111111111
    rights: [compare]
    clusters: [demo, shop]
  - {name: dba, token_sha256: ["2222222222222222222222222222222222222222222222222222222222222222", "3333333333333333333333333333333333333333333333333333333333333333"], rights: [read, compare, repair], clusters: "*"}
`

func TestParse_ReadsCallers(t *testing.T) {
	entries, err := caller.Parse("callers.yaml", []byte(good))
	if err != nil || len(entries) != 2 {
		t.Fatalf("got %+v, %v", entries, err)
	}
	ci, dba := entries[0], entries[1]
	if ci.Name != "ci" || !ci.May(api.RightCompare) || ci.May(api.RightRead) || ci.May(api.RightRepair) || !ci.Sees("shop") || ci.Sees("other") || ci.SeesAll() {
		t.Errorf("ci is %+v", ci)
	}
	if dba.Name != "dba" || !dba.May(api.RightRepair) || !dba.Sees("other") || len(dba.Tokens) != 2 {
		t.Errorf("dba is %+v", dba)
	}
	if none, err := caller.Parse("f", []byte("callers: []")); err != nil || len(none) != 0 {
		t.Errorf("an empty list returned %v, %v", none, err)
	}
}

func TestParse_ReportsEveryProblemAndNoHash(t *testing.T) {
	const hash = "4444444444444444444444444444444444444444444444444444444444444444"
	for name, tt := range map[string]struct{ text, says string }{
		"empty":                     {"", "callers.yaml: the file is empty"},
		"no YAML":                   {"callers: [" + hash, "callers.yaml: not valid YAML"},
		"two documents":             {"callers: []\n---\ncallers: []\n", "more than one YAML document"},
		"no callers":                {"{}", "callers is missing"},
		"another field":             {"callers: []\ntokens: []", "line 2: there is a field that is unknown"},
		"no list":                   {"callers: {}", "line 1: callers must be a list"},
		"no mapping":                {"callers: [" + hash + "]", "line 1, caller 1: this must be a mapping"},
		"no name":                   {"callers: [{token_sha256: " + hash + ", rights: [read], clusters: [a]}]", "name is missing"},
		"a bad name":                {"callers: [{name: 'a b', token_sha256: " + hash + ", rights: [read], clusters: [a]}]", `name is "a b"`},
		"a name of the service":     {"callers: [{name: schedule, token_sha256: " + hash + ", rights: [read], clusters: [a]}]", "which the service uses itself"},
		"no token":                  {"callers: [{name: a, rights: [read], clusters: [a]}]", "token_sha256 is missing"},
		"a token":                   {"callers: [{name: a, token_sha256: ace_" + hash + ", rights: [read], clusters: [a]}]", "caller a: token_sha256 must be the SHA-256"},
		"the hash of no token":      {"callers: [{name: a, token_sha256: " + caller.HashOf("").String() + ", rights: [read], clusters: [a]}]", "the hash of an empty token"},
		"the hash of an empty line": {"callers: [{name: a, token_sha256: " + caller.HashOf("\n").String() + ", rights: [read], clusters: [a]}]", "the hash of an empty token"},
		"a large hash":              {"callers: [{name: a, token_sha256: " + strings.Repeat("AB", 32) + ", rights: [read], clusters: [a]}]", "token_sha256 must be"},
		"an unknown right":          {"callers: [{name: a, token_sha256: " + hash + ", rights: [write], clusters: [a]}]", `rights has "write"`},
		"any":                       {"callers: [{name: a, token_sha256: " + hash + ", rights: [any], clusters: [a]}]", `rights has "any"`},
		"no right":                  {"callers: [{name: a, token_sha256: " + hash + ", rights: [], clusters: [a]}]", "rights is empty"},
		"a right twice":             {"callers: [{name: a, token_sha256: " + hash + ", rights: [read, read], clusters: [a]}]", "each once"},
		"no cluster":                {"callers: [{name: a, token_sha256: " + hash + ", rights: [read]}]", "clusters is missing"},
		"a bad cluster":             {"callers: [{name: a, token_sha256: " + hash + ", rights: [read], clusters: ['a*']}]", `clusters has "a*"`},
		"an empty cluster":          {"callers: [{name: a, token_sha256: " + hash + ", rights: [read], clusters: ['']}]", "clusters has an item that is no text"},
		"an alias":                  {"callers: [{name: a, token_sha256: " + hash + ", rights: &r [read], clusters: *r}]", "clusters has an item that is no text"},
		"a name twice": {"callers: [{name: a, token_sha256: " + hash + ", rights: [read], clusters: [a]}, {name: a, token_sha256: " + strings.Repeat("5", 64) +
			", rights: [read], clusters: [a]}]", `caller 2: name is "a"`},
		"a token twice": {"callers: [{name: a, token_sha256: " + hash + ", rights: [read], clusters: [a]}, {name: b, token_sha256: " + hash +
			", rights: [read], clusters: [a]}]", "caller b: token_sha256 is given twice; the caller a has it too"},
		"too many tokens": {"callers: [{name: a, token_sha256: [" + strings.Repeat(hash+",", 9) + "], rights: [read], clusters: [a]}]", "the maximum is 8"},
		"too large":       {"#" + strings.Repeat("x", caller.MaxFile), "the maximum is 65536"},
	} {
		_, err := caller.Parse("callers.yaml", []byte(tt.text))
		message := fault.PublicMessage(err)
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(message, tt.says) || strings.Contains(message, "4444") {
			t.Errorf("%s: got %v, want %s", name, err, tt.says)
		}
	}
}

func TestLine_IsReadAsTheCaller(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := caller.Caller{
			Name:     rapid.StringMatching(`x[A-Za-z0-9._-]{0,62}`).Draw(t, "name"),
			Rights:   rapid.SliceOfNDistinct(rapid.SampledFrom(api.Rights()), 1, 3, rapid.ID).Draw(t, "rights"),
			Clusters: rapid.SliceOfNDistinct(rapid.OneOf(rapid.Just("*"), rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9._-]{0,9}`)), 1, 4, rapid.ID).Draw(t, "clusters"),
		}
		token := caller.NewToken()
		line := caller.Line(want, token)
		entries, err := caller.Parse("f", []byte("callers:\n"+line+"\n"))
		if err != nil || len(entries) != 1 {
			t.Fatalf("%s: %v", line, err)
		}
		got, ok := caller.NewTokens(entries...).Find(token)
		if !ok || got.Name != want.Name || !slices.Equal(got.Rights, want.Rights) || !slices.Equal(got.Clusters, want.Clusters) {
			t.Errorf("%s returned %+v, want %+v", line, got, want)
		}
		if strings.Contains(line, token) {
			t.Errorf("%s contains the token", line)
		}
	})
}

func TestTokens_FindOnlyExactTokens(t *testing.T) {
	tokens := caller.NewTokens(
		caller.Entry{Caller: caller.Caller{Name: "a"}, Tokens: []caller.Hash{caller.HashOf("one"), caller.HashOf("two")}},
		caller.TokenEntry("three"))
	for token, want := range map[string]string{"one": "a", "two": "a", "three": "token", "": "", "One": "", "one ": "", "on": ""} {
		if got, ok := tokens.Find(token); got.Name != want || ok != (want != "") {
			t.Errorf("%q returned %+v, %v", token, got, ok)
		}
	}
	tokens.Replace(nil)
	if _, ok := tokens.Find("one"); ok {
		t.Error("a removed token was found")
	}
	if _, ok := new(caller.Tokens).Find(""); ok {
		t.Error("the zero value found a token")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add("callers: &a [*a]")
	f.Add("callers: [{name: a, token_sha256: x, rights: read, clusters: '*'}]")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := caller.Parse("f", []byte(text))
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "f") {
				t.Fatalf("%q returned %v", text, err)
			}
			return
		}
		names := map[string]bool{}
		for _, e := range entries {
			if e.Name == "" || names[e.Name] || len(e.Tokens) == 0 || len(e.Rights) == 0 || len(e.Clusters) == 0 || e.Tokens[0] == (caller.Hash{}) && !strings.Contains(text, strings.Repeat("0", 64)) {
				t.Fatalf("%q returned %+v", text, e)
			}
			names[e.Name] = true
		}
	})
}

func TestFind_NoTokenBelongsToNoCaller(t *testing.T) {
	if c, ok := caller.Single("").Find(""); ok {
		t.Errorf("a request without a token is from %s", c.Name)
	}
}
