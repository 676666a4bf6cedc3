package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// testPackage lists the randomised tests of one directory.
type testPackage struct {
	dir        string
	properties []string // names of the tests that call rapid.Check
	fuzz       []string // names of the fuzz targets
}

// findTests reads the test files at or below a directory.
func findTests(root string) ([]testPackage, error) {
	var found []testPackage
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		if dir := filepath.Dir(path); len(found) == 0 || found[len(found)-1].dir != dir {
			found = append(found, testPackage{dir: dir})
		}
		return found[len(found)-1].read(path)
	})
	return slices.DeleteFunc(found, func(p testPackage) bool { return len(p.properties)+len(p.fuzz) == 0 }), err
}

// read adds the tests of one file.
func (p *testPackage) read(path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Recv != nil {
			continue
		}
		name := function.Name.Name
		switch {
		case strings.HasPrefix(name, "Fuzz"):
			p.fuzz = append(p.fuzz, name)
		case strings.HasPrefix(name, "Test") && callsRapid(function):
			p.properties = append(p.properties, name)
		}
	}
	return nil
}

func callsRapid(function *ast.FuncDecl) bool {
	calls := false
	ast.Inspect(function, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			of, ok := selector.X.(*ast.Ident)
			calls = calls || ok && of.Name == "rapid" && selector.Sel.Name == "Check"
		}
		return !calls
	})
	return calls
}
