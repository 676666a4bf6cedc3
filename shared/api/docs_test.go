package api_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/fault"
)

// TestDocs_NameEveryParameter compares the table of operations in docs/API.md, and the
// section of each operation, with the parameters that requests accept.
func TestDocs_NameEveryParameter(t *testing.T) {
	reference := text(t, "../../docs/API.md")
	for operation, decode := range map[string]func(api.Params) error{
		"table-diff":       refusal(api.DecodeTableDiff),
		"table-rerun":      refusal(api.DecodeTableRerun),
		"table-repair":     refusal(api.DecodeTableRepair),
		"table-undo":       refusal(api.DecodeTableUndo),
		"schema-diff":      refusal(api.DecodeSchemaDiff),
		"repset-diff":      refusal(api.DecodeRepsetDiff),
		"replication-diff": refusal(api.DecodeReplicationDiff),
		"tasks":            refusal(api.DecodeTasks),
		"diffs":            refusal(api.DecodeDiffs),
		"clusters":         refusal(api.DecodeClusters),
		"cluster-check":    refusal(api.DecodeClusterCheck),
		"tables":           refusal(api.DecodeTables),
		"audit":            refusal(api.DecodeAudit),
	} {
		want := allowed(t, decode)
		row := regexp.MustCompile(`(?m)^\| \[` + operation + `\]\([^)]*\) \| ([^|]*) \|`).FindStringSubmatch(reference)
		if row == nil {
			t.Fatalf("the table of operations in docs/API.md has no %s", operation)
		}
		got := strings.Split(strings.ReplaceAll(row[1], "*", ""), ", ")
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("docs/API.md lists for %s the parameters %v, want %v", operation, got, want)
		}
		_, section, found := strings.Cut(reference, "\n## GET /ace/"+operation+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, name := range want {
			if !found || !strings.Contains(section, "`"+name+"`") {
				t.Errorf("docs/API.md does not describe %s of %s", name, operation)
			}
		}
	}
}

// TestDocs_HaveTheDefaultsAndWordsOfTheDeclarations compares the tables of parameters in
// docs/API.md with the declarations.
func TestDocs_HaveTheDefaultsAndWordsOfTheDeclarations(t *testing.T) {
	reference := text(t, "../../docs/API.md")
	compared := 0
	for _, operation := range api.Operations() {
		if len(operation.Params) == 0 || operation.Upload {
			continue
		}
		_, section, _ := strings.Cut(reference, "\n## GET "+strings.ReplaceAll(string(operation.Route), "{task_id}", "<task_id>")+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\| ([^|]*) \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
			for name := range strings.SplitSeq(strings.ReplaceAll(row[1], "`", ""), ", ") {
				compared++
				checkRow(t, operation, name, strings.ReplaceAll(row[2], "`", ""), row[3])
			}
		}
	}
	if compared < 40 {
		t.Errorf("only %d rows were compared", compared)
	}
}

// checkRow compares a row of a table, which may have several parameters, with the
// declaration of one of them.
func checkRow(t *testing.T, operation api.Operation, name, byDefault, words string) {
	t.Helper()
	for _, p := range operation.Params {
		if p.Name != name {
			continue
		}
		const asElsewhere = "" // the row refers to another operation
		switch {
		case byDefault == asElsewhere, byDefault == "all others" && p.Default == "all":
		case p.Required != (byDefault == "required"), p.Default != "" && !slices.Contains(strings.Split(byDefault, ", "), p.Default):
			t.Errorf("docs/API.md has for %s of %s the default %q, want %q (required: %t)", name, operation.Name, byDefault, p.Default, p.Required)
		}
		for _, word := range p.Values.OneOf {
			if byDefault != asElsewhere && !strings.Contains(words, "`"+word+"`") && byDefault != word {
				t.Errorf("docs/API.md does not name the value %s of %s of %s", word, name, operation.Name)
			}
		}
		return
	}
	t.Errorf("docs/API.md has a parameter %s of %s, which does not exist", name, operation.Name)
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// refusal returns a function that returns the error of decoding a request.
func refusal[T any](decode func(api.Params) (T, error)) func(api.Params) error {
	return func(p api.Params) error {
		_, err := decode(p)
		return err
	}
}

// allowed returns the parameters that a request accepts, sorted, as the error about an
// unknown parameter lists them.
func allowed(t *testing.T, decode func(api.Params) error) []string {
	t.Helper()
	params, err := api.ParseParams("no_such_parameter=1", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	said := fault.PublicMessage(decode(params.WithArg("td_20240315_123456")))
	if strings.HasSuffix(said, "; this path has no parameters") {
		return nil
	}
	_, list, found := strings.Cut(said, "unknown parameter \"no_such_parameter\"; the parameters are ")
	if !found {
		t.Fatalf("an unknown parameter is answered with %s", said)
	}
	list, _, _ = strings.Cut(list, ";")
	names := strings.Split(list, ", ")
	slices.Sort(names)
	return names
}
