package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"ace/infra/testkit/scratch"
)

// workspace is the directory that contains this user's templates and servers. It is below
// os.TempDir or in memory.
type workspace struct{ root string }

// openWorkspace creates the directory if it does not exist. It fails if another user has
// created the directory.
func openWorkspace(parent string) (workspace, error) {
	root := filepath.Join(parent, fmt.Sprintf("ace-pg-%d", os.Geteuid()))
	for _, dir := range []string{root, filepath.Join(root, "once"), filepath.Join(root, "servers")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return workspace{}, err
		}
	}
	info, err := os.Lstat(root)
	if err != nil {
		return workspace{}, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
		return workspace{}, fmt.Errorf("%s belongs to another user: remove it", root)
	}
	return workspace{root: root}, os.Chmod(root, 0o755)
}

// once returns the directory with this key. If there is no such directory, once creates
// it by calling build. If several processes do so at the same time, the directory of the
// first to finish is used. No process sees an incomplete directory.
func (w workspace) once(key string, build func(dir string) error) (string, error) {
	final := filepath.Join(w.root, "once", key)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	dir, err := w.newDir("once", "build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := build(dir); err != nil {
		return "", err
	}
	err = os.Rename(dir, final)
	if errors.Is(err, os.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return final, nil
	}
	return final, err
}

// newDir creates a new directory that other users may enter.
func (w workspace) newDir(section, prefix string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(w.root, section), prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// claim creates a directory for a server. The directory counts as in use until the
// returned lock is closed.
func (w workspace) claim() (string, *os.File, error) {
	return scratch.Claim(filepath.Join(w.root, "servers"), "")
}
