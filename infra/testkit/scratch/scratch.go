// Package scratch selects the directory for temporary files of tests: in memory if enough
// memory is free, otherwise below os.TempDir (Linux only). A test creates and removes
// thousands of small files, mostly of databases, and some file systems become slower the
// more files were removed recently.
//
// The next process that claims a directory removes the directories that killed processes
// have left.
package scratch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	shm    = "/dev/shm"
	plenty = 8 << 30 // bytes that must be free, both in the file system and in memory
	tmpfs  = 0x01021994

	// sweepAge is the age below which a sweep ignores a directory, because its owner may
	// be about to lock it.
	sweepAge = time.Minute
)

// Root returns the directory for temporary files. TMPDIR takes precedence.
func Root() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(shm, &fs) != nil || fs.Type != tmpfs ||
		fs.Bavail*uint64(fs.Bsize) < plenty || available() < plenty {
		return os.TempDir()
	}
	return shm
}

// available returns the memory that is still available to programs, in bytes.
func available() uint64 {
	text, _ := os.ReadFile("/proc/meminfo") // if it cannot be read, the result is 0
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 54)
			return kib << 10
		}
	}
	return 0
}

// Claim creates a directory below parent that other users may enter. The directory counts
// as in use until the returned lock is closed.
func Claim(parent, prefix string) (string, *os.File, error) {
	sweep(filepath.Join(parent, prefix+"*"))
	dir, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", nil, err
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	return dir, lock, err
}

// sweep removes the directories of processes that were killed. The next sweep
// retries those that cannot be removed.
func sweep(pattern string) {
	dirs, _ := filepath.Glob(pattern)
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		lock, err := lockFile(filepath.Join(dir, "lock"))
		if err != nil {
			continue // in use
		}
		_ = os.RemoveAll(dir)
		_ = lock.Close()
	}
}

// lockFile acquires the file's lock, which the system releases when the process ends.
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
