package page

import (
	"testing"
	"text/template/parse"

	"ace/infra/testkit/rendertest"
)

func TestTemplates_CallNoMethods(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	var trees []*parse.Tree
	for _, each := range p.templates.Templates() {
		trees = append(trees, each.Tree)
	}
	rendertest.NoMethods(t, trees, view{}, overview{}, compareView{}, taskView{}, tasksView{}, archiveView{}, refusal{}, rowPages{}, field{})
}
