package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// reachable returns the installation itself, or a copy of it if the server's account
// cannot enter its directory, as when the module is below /root. Only installations from
// npm packages are copied, because they are small and self-contained.
func reachable(ctx context.Context, w workspace, acc account, in Installation) (Installation, error) {
	if _, err := os.Stat(filepath.Join(in.BinDir, "initdb")); err != nil {
		return in, err
	}
	if !acc.differs() || passable(in.BinDir) {
		return in, nil
	}
	if !fromNPM(in.BinDir) {
		return in, fmt.Errorf("the server runs as uid %d, which cannot enter %s: open it with chmod o+rx", acc.uid, in.BinDir)
	}
	sum := sha256.Sum256([]byte(in.BinDir))
	key := fmt.Sprintf("installation-%d-%s", in.Major, hex.EncodeToString(sum[:12]))
	dir, err := w.once(key, func(dir string) error {
		return copyTree(ctx, filepath.Dir(in.BinDir), filepath.Join(dir, "native"))
	})
	return Installation{Major: in.Major, BinDir: filepath.Join(dir, "native", "bin")}, err
}

// fromNPM reports whether the directory was created by infra/postgres/install-majors.sh.
func fromNPM(binDir string) bool {
	if root == "" {
		return false
	}
	matched, err := filepath.Match(filepath.Join(root, everyPackage), binDir)
	return err == nil && matched
}

// passable reports whether the mode bits of path and of every directory above it allow
// other users to enter.
func passable(path string) bool {
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
	}
	return true
}
