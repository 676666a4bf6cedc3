// Package scratch says where tests put files that go with their process: in memory where
// there is plenty of it, else below os.TempDir (Linux only). A test makes and removes
// thousands of small files, databases above all, and some filesystems take longer over
// each the more were removed lately.
//
// What a killed process leaves there is removed by the next that claims a directory.
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
	plenty = 8 << 30 // bytes, in the filesystem and in memory, that must be free
	tmpfs  = 0x01021994

	// sweepAge keeps a sweep away from a directory whose owner is about to lock it.
	sweepAge = time.Minute
)

// Root is the directory to put files into. One that the caller's TMPDIR names is taken
// whatever it is.
func Root() string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(shm, &fs) != nil || fs.Type != tmpfs ||
		fs.Bavail*uint64(fs.Bsize) < plenty || available() < plenty {
		return os.TempDir()
	}
	return shm
}

// available is the memory that programs can still have, in bytes.
func available() uint64 {
	text, _ := os.ReadFile("/proc/meminfo") // unreadable: none
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemAvailable:" {
			kib, _ := strconv.ParseUint(fields[1], 10, 54)
			return kib << 10
		}
	}
	return 0
}

// Claim makes a directory below parent that other users may enter. It counts as in use
// until the returned lock is closed.
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

// sweep removes the directories of processes that were killed. What cannot be removed now
// is left for next time.
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

// lockFile takes the file's lock, which ends with this process at the latest.
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
