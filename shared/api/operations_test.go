package api_test

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/fault"
)

func TestOperations_DescribeWhatRequestsAccept(t *testing.T) {
	ofTask := refusal(api.DecodeTask)
	decoders := map[string]func(api.Params) error{
		"table-diff": refusal(api.DecodeTableDiff), "table-rerun": refusal(api.DecodeTableRerun),
		"table-repair": refusal(api.DecodeTableRepair), "table-undo": refusal(api.DecodeTableUndo), "replication-diff": refusal(api.DecodeReplicationDiff),
		"task-status/{task_id}": ofTask, "task-cancel/{task_id}": ofTask, "tasks": refusal(api.DecodeTasks),
		"diffs": refusal(api.DecodeDiffs), "POST diffs": refusal(api.DecodeImport), "diffs/{task_id}": refusal(api.DecodeDiff),
		"reports/{task_id}": refusal(api.DecodeReport), "before-images/{task_id}": ofTask,
		"schema-diff": refusal(api.DecodeSchemaDiff), "repset-diff": refusal(api.DecodeRepsetDiff),
		"rules": refusal(api.DecodeRules), "POST rules": refusal(api.DecodeAddRules),
		"schedules": refusal(api.DecodeSchedules), "audit": refusal(api.DecodeAudit), "backup": refusal(api.DecodeBackup), "openapi.json": refusal(api.DecodeOpenAPI),
		"/healthz": refusal(api.DecodeHealth), "/readyz": refusal(api.DecodeHealth),
		"clusters": refusal(api.DecodeClusters), "cluster-check": refusal(api.DecodeClusterCheck), "tables": refusal(api.DecodeTables),
	}
	described := map[api.Route]bool{}
	for _, operation := range api.Operations() {
		described[operation.Route] = true
		key := strings.TrimPrefix(string(operation.Route), "/ace/")
		if operation.Upload {
			key = "POST " + key
		}
		decode := decoders[key]
		if delete(decoders, key); decode == nil {
			t.Errorf("there is no decoder of %s, or %s is described twice", key, key)
			continue
		}
		var names []string
		for _, p := range operation.Params {
			names = append(names, p.Name)
		}
		if want := allowed(t, decode); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
			t.Errorf("%s is described with the parameters %v, want %v", operation.Name, names, want)
		}
		if path := strings.TrimPrefix(operation.Route.Path(""), "/ace"); strings.Trim(path, "/") != operation.Name {
			t.Errorf("%s has the route %s", operation.Name, operation.Route)
		}
		if takesArg := strings.Contains(string(operation.Route), "{"); takesArg != (operation.Arg != nil) {
			t.Errorf("%s has the argument %v", operation.Route, operation.Arg)
		}
		for _, p := range operation.Params {
			checkDescription(t, operation, p, decode)
		}
	}
	for key := range decoders {
		t.Errorf("%s is not described", key)
	}
	for _, route := range api.Routes() {
		if !described[route] {
			t.Errorf("%s is not described", route)
		}
	}
}

// checkDescription compares the description of a parameter with what decode accepts and
// with the errors that it returns.
func checkDescription(t *testing.T, operation api.Operation, p api.Param, decode func(api.Params) error) {
	t.Helper()
	problem := func(values url.Values) string {
		params, err := api.ParseParams(values.Encode(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		return fault.PublicMessage(decode(params.WithArg("td_20240315_123456")))
	}

	absent := problem(url.Values{})
	if required := strings.Contains(absent, p.Name+" is required"); required != p.Required {
		t.Errorf("%s of %s is required: %t, described as %t", p.Name, operation.Name, required, p.Required)
	}
	if p.Default != "" {
		if text := problem(url.Values{p.Name: {p.Default}}); text != absent {
			t.Errorf("the default of %s of %s is refused: %s", p.Name, operation.Name, text)
		}
	}
	if p.Default == "" && p.Example == "" {
		t.Errorf("%s of %s has neither a default nor an example", p.Name, operation.Name)
	}
	if p.Example != "" {
		text := problem(url.Values{p.Name: {p.Example}, "format": {"sql"}}) // some parameters are only for scripts
		if strings.Contains(text, p.Name+" is") && !strings.Contains(text, p.Name+" is required") ||
			strings.Contains(text, p.Name+" names") {
			t.Errorf("the example of %s of %s is refused: %s", p.Name, operation.Name, text)
		}
	}
	checkValues(t, operation, p, problem)
	if p.Allowed != "" {
		errors := problem(url.Values{p.Name: {"\x01"}}) + problem(url.Values{p.Name: {"a,a"}})
		if !strings.Contains(errors, p.Allowed) {
			t.Errorf("%s of %s is described as %q; the errors are %s", p.Name, operation.Name, p.Allowed, errors)
		}
	}
	if p.Purpose == "" || strings.HasSuffix(p.Purpose, ".") {
		t.Errorf("%s of %s has the purpose %q", p.Name, operation.Name, p.Purpose)
	}
}

// checkValues compares the machine-readable values of a parameter with what decode
// accepts: decode must accept every word of OneOf and both ends of a range, but not the
// numbers next to the ends.
func checkValues(t *testing.T, operation api.Operation, p api.Param, problem func(url.Values) string) {
	t.Helper()
	accepts := func(value string) bool {
		return !strings.Contains(problem(url.Values{p.Name: {value}}), p.Name+` is "`)
	}
	want := func(value string, accepted bool) {
		if accepts(value) != accepted {
			t.Errorf("%s=%s of %s is accepted: %t, want %t", p.Name, value, operation.Name, !accepted, accepted)
		}
	}
	for _, word := range p.Values.OneOf {
		want(word, true)
		want(word+"x", false)
	}
	if from := p.Values.From; from != "" {
		want(from, true)
		want(neighbour(t, from, -1), false)
	}
	if to := p.Values.To; to != "" {
		want(to, true)
		want(neighbour(t, to, 1), false)
	}
	if above := p.Values.Above; above != "" {
		want(above, false)
		want(above+".001", true)
	}
	if p.Values.Pattern == "" {
		return
	}
	pattern := regexp.MustCompile(p.Values.Pattern)
	for _, value := range []string{p.Default, p.Example} {
		if value != "" && !pattern.MatchString(value) {
			t.Errorf("%s=%s of %s does not match %s", p.Name, value, operation.Name, pattern)
		}
	}
	for _, value := range notations() {
		matches, accepted := pattern.MatchString(value), accepts(value)
		noBounds := matches && (p.Name == "after" || strings.HasPrefix(value, "11m") || strings.HasPrefix(value, "1969") || strings.HasPrefix(value, "2024-13")) // the patterns of cursors, times and delays have no bounds
		if matches != accepted && !noBounds {
			t.Errorf("%s=%q of %s is accepted: %t, but matches %s: %t", p.Name, value, operation.Name, accepted, pattern, matches)
		}
	}
}

// neighbour returns the whole number next to a number.
func neighbour(t *testing.T, number string, by int) string {
	t.Helper()
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(n + by)
}

// notations returns values of every kind, valid and invalid, so that each pattern is
// compared with each of them.
func notations() []string {
	return []string{
		"demo", "-demo", ".demo", "d.e_m-o", strings.Repeat("n", 63), strings.Repeat("n", 64), "dé", "demo\n",
		"public.users", "users", `"My Schema"."a.b"`, `public."a""b"`, `public."`, `public.""`, "a.b.c", ".b", "a.", "1a.b", "a$1.b_2", "$a.b", "ü.ß",
		"a b.c", `"a"b.c`, "a;b.c", `"` + strings.Repeat("q", 63) + `".t`, "a[.b", "a`.b", "a{.b", "a\x7f.b", " a.b", "a.b ",
		"a,b", "a, b", "a,,b", ",a", "a,", `"a,b",c`, `a b`,
		"td_20240315_123456", "tr_20240315_123456", "tu_20240315_123456_x1y2z3", "td_20240315", "td_20240315_123456\n", "tx_20240315_123456",
		"diffs/2024-03-15/td_20240315_123456.json", "diffs/2024-03-15/td_20240315_123456.xml", "imports/" + strings.Repeat("0a", 32) + ".json",
		"s3://bucket/diffs/2024-03-15/td_20240315_123456.html", "s3://bucket/a/b/diffs/2024-03-15/td_20240315_123456.html", "s3://bucket", "s3:///x", "/path/to/diff.json",
		"path/to/diff.json", "none", "last", "newest", "new", strings.Repeat("A2", 13), strings.Repeat("A1", 13),
		"0", "1s", "500ms", "1m30s", "2.5", ".5", "1.", "+1s", "-1s", "soon", "1 s", "11m", "1e3s", "5µs",
		"2024-03-15", "2024-03-15T12:34:56Z", "2024-03-15T12:34:56.789+02:00", "2024-3-15", "2024-03-15 12:34:56", "2024-13-15", "1969-01-01", "noon",
	}
}
