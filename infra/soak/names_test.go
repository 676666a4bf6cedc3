package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// declaredTests returns the names of the tests in a directory.
func declaredTests(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has %d test files, error %v", dir, len(files), err)
	}
	var names []string
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if ok && function.Recv == nil && strings.HasPrefix(function.Name.Name, "Test") {
				names = append(names, function.Name.Name)
			}
		}
	}
	return names
}

// checkPatterns fails the test for each pattern that matches no test of a directory.
func checkPatterns(t *testing.T, where, dir string, patterns []string) {
	t.Helper()
	names := declaredTests(t, dir)
	for _, pattern := range patterns {
		if !slices.ContainsFunc(names, regexp.MustCompile(pattern).MatchString) {
			t.Errorf("%s: %q matches no test of %s", where, pattern, dir)
		}
	}
}

func TestSuites_NameTestsThatExist(t *testing.T) {
	t.Chdir("../..")
	list, err := suites(options{scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		at := slices.Index(s.args, "-run")
		pattern, dir := s.args[at+1], s.args[len(s.args)-1]
		alternatives, whole := strings.CutPrefix(strings.TrimSuffix(pattern, ")$"), "^(")
		if whole {
			var patterns []string
			for _, name := range strings.Split(alternatives, "|") {
				patterns = append(patterns, "^"+name+"$")
			}
			checkPatterns(t, "suite "+s.name, dir, patterns)
		}
	}
}

func TestMakefile_RacedTestsExist(t *testing.T) {
	t.Chdir("../..")
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`(?m)^RACED\s*:=\s*(\S+)$`).FindSubmatch(makefile)
	if match == nil {
		t.Fatal("the Makefile has no line RACED := ...")
	}
	checkPatterns(t, "RACED of the Makefile", "shared/app", strings.Split(string(match[1]), "|"))
}
