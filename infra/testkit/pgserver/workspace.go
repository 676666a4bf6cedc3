package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"ace/infra/testkit/scratch"
)

// workspace is the directory below os.TempDir, or one in memory, in which this user's
// templates and servers lie.
type workspace struct{ root string }

// openWorkspace creates the directory when it is missing and refuses one that another
// user created.
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

// once returns the directory with this key, built at most once. Concurrent processes may
// build it at the same time: the first to finish wins, and no process sees a half-built
// one.
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

// newDir makes a fresh directory that other users may enter.
func (w workspace) newDir(section, prefix string) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(w.root, section), prefix)
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// claim makes a directory for a server. It counts as in use until the returned lock is
// closed.
func (w workspace) claim() (string, *os.File, error) {
	return scratch.Claim(filepath.Join(w.root, "servers"), "")
}
