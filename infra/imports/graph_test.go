package imports

import (
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// graph holds, for each package of the module, what its files import on Linux. It does
// not include test files.
type graph map[string][]string

// readGraph reads every package of the module at root.
func readGraph(root, module string) (graph, error) {
	g := graph{}
	err := filepath.WalkDir(root, func(dir string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if dir != root && ignored(entry.Name()) {
			return fs.SkipDir
		}
		return g.addPackage(root, module, dir)
	})
	return g, err
}

// ignored reports whether the go command ignores a directory of this name.
func ignored(name string) bool {
	return name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

func (g graph) addPackage(root, module, dir string) error {
	context := build.Default
	context.GOOS = "linux"
	found, err := context.ImportDir(dir, 0)
	var none *build.NoGoError
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return err
	}
	g[path.Join(module, filepath.ToSlash(rel))] = found.Imports
	return nil
}

// packages returns the packages at or below a path, sorted.
func (g graph) packages(at string) []string {
	var found []string
	for name := range g {
		if below(name, at) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// reached returns every package that from imports, directly or through other packages of
// the module, with the chain of imports that leads there.
func (g graph) reached(from string) map[string][]string {
	chains := map[string][]string{from: {from}}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, imported := range g[queue[0]] {
			if chains[imported] == nil {
				chains[imported] = append(slices.Clone(chains[queue[0]]), imported)
				queue = append(queue, imported)
			}
		}
	}
	delete(chains, from)
	return chains
}

// below reports whether a package is this one or is below it.
func below(name, at string) bool { return name == at || strings.HasPrefix(name, at+"/") }
