package api_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/fault"
)

func TestOperations_DescribeWhatRequestsAccept(t *testing.T) {
	decoders := map[string]func(api.Params) error{
		"table-diff":    refusal(api.DecodeTableDiff),
		"table-rerun":   refusal(api.DecodeTableRerun),
		"table-repair":  refusal(api.DecodeTableRepair),
		"table-undo":    refusal(api.DecodeTableUndo),
		"tasks":         refusal(api.DecodeTasks),
		"diffs":         refusal(api.DecodeDiffs),
		"clusters":      refusal(api.DecodeClusters),
		"cluster-check": refusal(api.DecodeClusterCheck),
		"tables":        refusal(api.DecodeTables),
	}
	for _, operation := range api.Operations() {
		decode := decoders[operation.Name]
		var names []string
		for _, p := range operation.Params {
			names = append(names, p.Name)
		}
		if want := allowed(t, decode); !slices.Equal(slices.Sorted(slices.Values(names)), want) {
			t.Errorf("%s is described with the parameters %v, want %v", operation.Name, names, want)
		}
		if operation.Route.Path("") != "/ace/"+operation.Name {
			t.Errorf("%s has the route %s", operation.Name, operation.Route)
		}
		for _, p := range operation.Params {
			checkDescription(t, operation, p, decode)
		}
	}
	if len(decoders) != len(api.Operations()) {
		t.Errorf("%d operations are described, want %d", len(api.Operations()), len(decoders))
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
		return fault.PublicMessage(decode(params))
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
