package render

import (
	"testing"
	"text/template/parse"

	"ace/infra/testkit/rendertest"
)

func TestTemplates_CallNoMethods(t *testing.T) {
	page, err := parsePage()
	if err != nil {
		t.Fatal(err)
	}
	set, err := parseSet()
	if err != nil {
		t.Fatal(err)
	}
	var trees []*parse.Tree
	for _, each := range append(page.Templates(), set.Templates()...) {
		trees = append(trees, each.Tree)
	}
	rendertest.NoMethods(t, trees, head{}, foot{}, setPage{})
}
