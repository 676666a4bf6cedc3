package imports

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unitConstraint excludes a test file from `make unit`.
const unitConstraint = "//go:build !unit"

// serverPackages start a server or a browser, or need one.
func serverPackages() []string {
	kit := module + "/infra/testkit/"
	return []string{
		kit + "pgserver", kit + "pgtest", kit + "minio", kit + "apptest", kit + "prometheus",
		kit + "chromium", module + "/infra/testbed", "github.com/chromedp",
	}
}

// testFile has what decides whether a test file needs a server.
type testFile struct {
	path     string
	excluded bool            // make unit excludes the file
	server   bool            // the file imports a package of serverPackages
	declares []string        // names at package level
	mentions map[string]bool // all identifiers
}

// A test file is excluded from `make unit` exactly if it needs a server: it imports one
// of serverPackages, or it uses a declaration of such a file. A file that wrongly is not
// excluded would make `make unit` fail to compile.
func TestUnit_ExcludesExactlyTheTestFilesThatNeedAServer(t *testing.T) {
	for dir, files := range readTestFiles(t) {
		fromServerFiles := map[string]bool{}
		for _, file := range files {
			if file.excluded {
				for _, name := range file.declares {
					fromServerFiles[name] = true
				}
			}
		}
		for _, file := range files {
			own := file.declares
			usesServerFile := slices.ContainsFunc(keysOf(file.mentions), func(name string) bool {
				return fromServerFiles[name] && !slices.Contains(own, name)
			})
			switch {
			case file.server && !file.excluded:
				t.Errorf("%s needs a server: its first line must be %s", file.path, unitConstraint)
			case file.excluded && !file.server && !usesServerFile && !needsBinary(dir):
				t.Errorf("%s needs no server: remove %s, so that make unit runs its tests", file.path, unitConstraint)
			}
		}
	}
}

// needsBinary reports whether the tests of a directory run programs that they build.
func needsBinary(dir string) bool {
	return strings.HasSuffix(dir, "/local") || strings.HasSuffix(dir, "/infra/lambda/e2e")
}

func keysOf(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	return names
}

// readTestFiles returns the test files of each directory of the module.
func readTestFiles(t *testing.T) map[string][]testFile {
	t.Helper()
	found := map[string][]testFile{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && path != root && ignored(entry.Name()) {
			return fs.SkipDir
		}
		if err == nil && strings.HasSuffix(path, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(path))
			found[dir] = append(found[dir], readTestFile(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readTestFile(t *testing.T, path string) testFile {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	file := testFile{path: path, mentions: map[string]bool{}}
	for _, group := range parsed.Comments {
		file.excluded = file.excluded || group.Pos() < parsed.Package && group.List[0].Text == unitConstraint
	}
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		file.server = file.server || slices.ContainsFunc(serverPackages(), func(server string) bool { return below(name, server) })
	}
	for _, declaration := range parsed.Decls {
		file.declares = append(file.declares, declaredNames(declaration)...)
	}
	ast.Inspect(parsed, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			file.mentions[name.Name] = true
		}
		return true
	})
	return file
}

// declaredNames returns the functions, methods, types, constants and variables of a
// declaration.
func declaredNames(declaration ast.Decl) []string {
	var names []string
	switch declaration := declaration.(type) {
	case *ast.FuncDecl:
		names = append(names, declaration.Name.Name)
	case *ast.GenDecl:
		for _, spec := range declaration.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}
