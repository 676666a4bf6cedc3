// Package testfiles reads the test files of the repository, for tests about tests.
package testfiles

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each calls fn with the path and the content of every test file of the repository. root
// is the repository's top directory.
func Each(t testing.TB, root string, fn func(path, content string)) {
	t.Helper()
	for _, dir := range []string{"functions", "infra", "local", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}

			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fn(path, string(content))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
