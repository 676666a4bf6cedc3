package readme

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ace/infra/testkit/testfiles"
)

var (
	named    = regexp.MustCompile(`\bTest[A-Z]\w+`)
	selected = regexp.MustCompile(`go test [^\n` + "`" + `]*-run '?(\w+)`)
	declared = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
)

// noTest is the argument of -run in a command that runs benchmarks only.
const noTest = "XXX"

// TestDocs_NameTestsThatExist checks the tests that pages name, and those that their
// commands select with -run.
func TestDocs_NameTestsThatExist(t *testing.T) {
	tests := declaredTests(t)
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "BENCHMARKS.md"} {
		pages = append(pages, filepath.Join(root, name))
	}

	for _, page := range pages {
		body, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range named.FindAllString(string(body), -1) {
			end := "\n"
			if !strings.Contains(name, "_") {
				end = "" // the beginning of names, as in -run TestAcquire
			}
			if name != "TestThing_WhatIsTrue" && !strings.Contains(tests, "\n"+name+end) {
				t.Errorf("%s names the test %s, which does not exist", page, name)
			}
		}
		for _, found := range selected.FindAllStringSubmatch(string(body), -1) {
			if found[1] != noTest && !strings.Contains(tests, found[1]) {
				t.Errorf("%s has a command with -run %s, which selects no test", page, found[1])
			}
		}
	}
}

// declaredTests returns the names of all tests, each between line ends.
func declaredTests(t *testing.T) string {
	t.Helper()
	var names strings.Builder
	testfiles.Each(t, root, func(_, content string) {
		for _, found := range declared.FindAllStringSubmatch(content, -1) {
			names.WriteString("\n" + found[1] + "\n")
		}
	})
	return names.String()
}
