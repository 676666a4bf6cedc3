// Package directory opens archives in directories for tests.
package directory

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"ace/infra/testkit/scratch"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
)

// Store opens an empty archive, which is closed when the test ends.
func Store(t testing.TB) *dirstore.Store {
	t.Helper()
	return open(t, temporary(t))
}

func open(t testing.TB, dir string) *dirstore.Store {
	t.Helper()
	store, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("the archive cannot be opened: %v", err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("the archive cannot be closed: %v", err)
		}
	})
	return store
}

// temporary returns an empty directory, which is removed when the test ends.
func temporary(t testing.TB) string {
	t.Helper()
	dir, lock, err := scratch.Claim(scratch.Root(), "ace-archive-")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "data"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(dir)
		lock.Close()
	})
	return filepath.Join(dir, "data")
}

// Copy opens a copy of the archive in a directory that another process may use. No object
// may be stored or deleted in the original during the call. The other process may still
// remove directories that have become empty: then the copy is made once more.
func Copy(t testing.TB, dir string) *dirstore.Store {
	t.Helper()
	for tries := 1; ; tries++ {
		to := temporary(t)
		err := copyTrees(to, dir)
		if err == nil {
			return open(t, to)
		}
		if !errors.Is(err, fs.ErrNotExist) || tries == 10 {
			t.Fatal(err)
		}
	}
}

// copyTrees copies the files of an archive, and their sums, to an empty directory.
func copyTrees(to, from string) error {
	for _, tree := range []string{"files", "sums"} {
		if err := os.CopyFS(filepath.Join(to, tree), os.DirFS(filepath.Join(from, tree))); err != nil {
			return err
		}
		if err := os.Chmod(filepath.Join(to, tree), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// Twins returns an empty archive, and a function that copies an object to another key by
// hard links. A copy takes microseconds instead of a millisecond, for tests that need
// very many objects.
func Twins(t testing.TB) (store archive.Store, twin func(from, to string) error) {
	t.Helper()
	dir := temporary(t)
	return open(t, dir), func(from, to string) error {
		for _, tree := range []string{"files", "sums"} {
			path := filepath.Join(dir, tree, Path(t, to))
			err := os.MkdirAll(filepath.Dir(path), 0o700)
			if err = errors.Join(err, os.Link(filepath.Join(dir, tree, Path(t, from)), path)); err != nil {
				return err
			}
		}
		return nil
	}
}

// Path returns the path of an object below files/ in the directory of an archive.
func Path(t testing.TB, key string) string {
	t.Helper()
	path, err := dirstore.PathOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
