package private

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ace/shared/fault"
)

// Below opens a file for reading. path is an absolute path that a client chose, and must
// be below the directory dir. A symbolic link in the path that leads out of dir is not
// followed, even if another process creates it during the call. The file must be a
// regular file with one name (hard link), must belong to the service's user or to root,
// and must not be world-writable. Below does not wait for a pipe and does not open a
// device.
func Below(dir, path string) (*os.File, error) {
	name, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(name) || name == "." {
		return nil, fault.New(fault.Invalid, "%.1000q is not below %s", path, dir)
	}

	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unusable(dir, err)
	}
	defer func() { _ = root.Close() }() // only the file stays open

	// The checks before the file is opened ensure that no device is opened. The checks after
	// that ensure that the opened file is the file that was checked, because another process
	// may replace it in between.
	before, err := root.Lstat(name)
	if err == nil {
		err = checkForeign(path, before)
	}
	if err != nil {
		return nil, refused(path, err)
	}

	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, unusable(path, err)
	}
	opened, err := file.Stat()
	if err == nil {
		err = checkForeign(path, opened)
	}
	if err == nil && !os.SameFile(before, opened) {
		err = fault.New(fault.Invalid, "%s was replaced while it was opened", path)
	}
	if err != nil {
		file.Close()
		return nil, refused(path, err)
	}
	return file, nil
}

// checkForeign returns an error unless a file that a client chose has the properties that
// Below requires.
func checkForeign(path string, info fs.FileInfo) error {
	switch {
	case !info.Mode().IsRegular():
		return fault.New(fault.Invalid, "%s (%s) is %s but must be a regular file", path, describe(info), kind(info.Mode()))
	case isForeign(info):
		return foreign(path, info)
	case links(info) != 1:
		return fault.New(fault.Invalid, "%s (%s) has %d names (hard links) but must have one", path, describe(info), links(info))
	case info.Mode().Perm()&0o002 != 0:
		return accessible(path, info, "written", "o-w")
	}
	return nil
}

// refused returns err if it is a fault with code Invalid. Otherwise err is the error of a
// system call, and refused returns the fault for it.
func refused(path string, err error) error {
	if fault.CodeOf(err) == fault.Invalid {
		return err
	}
	return unusable(path, err)
}
