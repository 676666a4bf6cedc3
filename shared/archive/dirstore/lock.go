package dirstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ace/shared/fault"
	"ace/shared/private"
)

// lockDirectory creates the directory if it does not exist and acquires its lock, which
// the operating system releases when the process ends.
func lockDirectory(dir string) (*os.File, error) {
	if err := refused(private.Directory(dir)); err != nil {
		return nil, err
	}
	f, err := private.Open(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, refused(err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	defer f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner, _ := readLock(f)
		if owner == "" {
			return nil, fault.New(fault.Conflict, "the data directory %s is in use by another process, such as ace restore", dir)
		}
		return nil, fault.New(fault.Conflict, "the data directory %s is in use: another ace serve is running on it%s", dir, owner)
	}
	return nil, fault.Wrap(err, fault.Invalid, "the data directory %s cannot be locked; use a local filesystem", dir)
}

// unlockDirectory releases the lock of a directory.
func unlockDirectory(lock *os.File) {
	// A child process has the lock file open, too, until its exec.
	_ = syscall.Flock(int(lock.Fd()), syscall.LOCK_UN)
	lock.Close()
}

// readLock returns what the lock file contains: the process that has the lock, as a
// suffix for messages, and the state of the directory (private.State) when the owners of
// all files were checked. A result that the file does not contain is empty.
func readLock(f *os.File) (owner, checked string) {
	text := make([]byte, 1<<10)
	n, _ := f.ReadAt(text, 0)
	for line := range strings.Lines(string(text[:n])) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch name {
		case "pid":
			owner = fmt.Sprintf(" (process %.20s)", value)
		case "checked":
			checked = value
		}
	}
	return owner, checked
}

// checkOwner checks the owner and mode of every file, and writes the process id to the
// lock file. An archive may have millions of files, so it checks them only once: as long
// as the directory is inaccessible to other users, they cannot change a file. It checks
// all files again only if the directory was moved, changed or made accessible since.
func (s *Store) checkOwner() error {
	state, err := private.State(s.dir)
	if err != nil {
		return refused(err)
	}
	if _, checked := readLock(s.lock); checked != state {
		if err := refused(private.Tree(s.dir)); err != nil {
			return err
		}
	}

	text := fmt.Sprintf("pid %d\nchecked %s\n", os.Getpid(), state)
	if err = s.lock.Truncate(0); err == nil {
		_, err = s.lock.WriteAt([]byte(text), 0)
	}
	if err != nil {
		return s.unusable(err)
	}
	return nil
}

// refused returns err, an error of package private, with "the data directory cannot be
// used" before its message. It returns nil for nil.
func refused(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.CodeOf(err), "the data directory cannot be used: %s", fault.PublicMessage(err))
}

// Exists reports whether dir contains an archive, and whether the directory dir exists.
// It changes nothing.
func Exists(dir string) (archive, directory bool, err error) {
	if directory, err = exists(dir); err != nil || !directory {
		return false, false, err
	}
	archive, err = exists(filepath.Join(dir, lockFile))
	return archive, directory, err
}

// IsOutdated reports whether an earlier version of ACE has written the directory. Open
// converts it.
func IsOutdated(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, gatewayDir, gatewayBucket))
	return err == nil
}

func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, fault.New(fault.Invalid, "the data directory cannot be used: %v", err)
	}
}
