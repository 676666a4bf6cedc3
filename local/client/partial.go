package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ace/shared/fault"
)

// partial is the file path.part until it is complete. Others cannot read it. The command
// has the lock of the file, so that another command does not replace it.
type partial struct {
	*os.File
	path      string
	published bool
}

// createPartial creates the file path.part. It replaces one that a killed command has
// left. It fails if another command writes the file, or if a file exists at path.
func createPartial(path string) (*partial, error) {
	name := path + ".part"
	if err := removeStale(name); err != nil {
		return nil, unwritten(err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		err = errLocked
	}
	if err != nil {
		return nil, unwritten(err)
	}
	p := &partial{File: file, path: path}

	// Another command may have found the file before it was locked, and removed it.
	if err := lockFile(file); err != nil || !p.isInPlace() {
		file.Close()
		return nil, unwritten(errLocked)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		p.abandon()
		return nil, fault.New(fault.Conflict, "%s exists already; name another file", path)
	}
	return p, nil
}

// removeStale removes a file at name that no process has locked.
func removeStale(name string) error {
	file, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err == nil {
		defer file.Close()
		if err := lockFile(file); err != nil {
			return err
		}
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// errLocked means that another process has the lock of a file.
var errLocked = errors.New("another ace backup is writing this file")

// lockFile locks a file. If its file system has no locks, lockFile does nothing.
func lockFile(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return nil
}

// isInPlace reports whether the file is the one at its name.
func (p *partial) isInPlace() bool {
	there, err := os.Lstat(p.Name())
	if err != nil {
		return false
	}
	own, err := p.Stat()
	return err == nil && os.SameFile(there, own)
}

// publish makes the file durable and renames it to its path.
func (p *partial) publish() error {
	if err := p.Sync(); err != nil {
		return err
	}
	if err := os.Rename(p.Name(), p.path); err != nil {
		return err
	}
	p.published = true
	dir, err := os.Open(filepath.Dir(p.path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(dir.Sync(), p.Close())
}

// abandon closes the file, and removes it unless it was published.
func (p *partial) abandon() {
	if !p.published {
		_ = os.Remove(p.Name())
	}
	_ = p.Close() // fails after publish
}

// unwritten returns the fault for an error of a file to which a backup is written.
func unwritten(err error) error {
	code := fault.Invalid
	if errors.Is(err, errLocked) {
		code = fault.Conflict
	}
	return fault.New(code, "the backup cannot be written: %v", err)
}
