package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"ace/shared/fault"
)

// maxLinks bounds how many symbolic links lead to a path.
const maxLinks = 40

// Resolve returns an absolute path without symbolic links. A link on the way must belong to root or the service's user:
// nobody else may decide where the path leads. What does not exist yet is appended as it is.
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Wrap(err, fault.Internal, "the working directory is unknown")
	}
	resolved, rest := "/", strings.Split(strings.Trim(path, "/"), "/")
	for followed := 0; len(rest) > 0; {
		next := filepath.Join(resolved, rest[0])
		info, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return filepath.Join(append([]string{resolved}, rest...)...), nil
		case err != nil:
			return "", unusable(next, err)
		case info.Mode()&fs.ModeSymlink == 0:
			resolved, rest = next, rest[1:]
			continue
		case owner(info) != 0 && owner(info) != os.Geteuid():
			return "", foreign(next, info)
		}
		if followed++; followed > maxLinks {
			return "", fault.New(fault.Invalid, "%s cannot be used: too many symbolic links", path)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", unusable(next, err)
		}
		if filepath.IsAbs(target) {
			resolved = "/"
		}
		rest = append(strings.Split(strings.Trim(filepath.Clean(target), "/"), "/"), rest[1:]...)
	}
	return resolved, nil
}

// Directory makes a directory, closed to others, or checks that there is one. A directory that others may enter is closed
// if it is empty, and refused if it is not: they may have put anything there. A link in its place is refused.
func Directory(path string) error {
	err := os.Mkdir(path, dirMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), dirMode); err == nil {
			err = os.Mkdir(path, dirMode)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return unusable(path, err)
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return notOpened(path, "a directory", err)
	}
	defer dir.Close()
	info, err := dir.Stat()
	switch {
	case err != nil:
		return unusable(path, err)
	case owner(info) != os.Geteuid():
		return foreign(path, info)
	case info.Mode().Perm()&openToOthers == 0:
		return nil
	}
	if names, err := dir.Readdirnames(1); len(names) > 0 || err == nil {
		return opened(path, info, "entered or written", "700")
	}
	if err := dir.Chmod(dirMode); err != nil {
		return unusable(path, err)
	}
	// What was put there in between was put there by somebody else.
	if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
		return opened(path, info, "entered or written", "700")
	}
	return nil
}

// notOpened returns why a file could not be opened without following links.
func notOpened(path, want string, err error) error {
	if info, statErr := os.Lstat(path); statErr == nil && kind(info.Mode()) != want {
		return unexpected(path, info, want)
	}
	return unusable(path, err)
}

// State returns what changes whenever a directory is opened or closed to others, moved, or gets another entry: which
// directory it is, and when the system has noted a change of it.
func State(dir string) (string, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return "", unusable(dir, err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", fault.New(fault.Internal, "%s has no change time", dir)
	}
	return fmt.Sprintf("%d %d %d.%09d", stat.Dev, stat.Ino, stat.Ctim.Sec, stat.Ctim.Nsec), nil
}

// Tree checks everything below a directory: regular files and directories only, which belong to the service's user and
// which others may not write.
func Tree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return unusable(path, err)
		}
		info, err := entry.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return unusable(path, err)
		case !info.IsDir() && !info.Mode().IsRegular():
			return unexpected(path, info, "a file or directory")
		case owner(info) != os.Geteuid():
			return foreign(path, info)
		case info.Mode().Perm()&writeByOthers != 0:
			return opened(path, info, "written", "go-w")
		}
		return nil
	})
}

// Open opens a file of the service's own, as os.OpenFile does with the mode 0600: a regular file under one name, without
// following a link, that belongs to the service's user and is closed to others.
func Open(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, notOpened(path, "a regular file", err)
	}
	if err := checkOwn(path, file); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func checkOwn(path string, file *os.File) error {
	info, err := file.Stat()
	switch {
	case err != nil:
		return unusable(path, err)
	case !info.Mode().IsRegular():
		return unexpected(path, info, "a regular file")
	case owner(info) != os.Geteuid():
		return foreign(path, info)
	case links(info) != 1:
		return fault.New(fault.Invalid, "%s (%s) has %d names (hard links) where it must have one: remove it", path, describe(info), links(info))
	case info.Mode().Perm()&openToOthers != 0:
		return opened(path, info, "read or written", "600")
	}
	return nil
}

// Write makes a file of the service's own, whole or not at all: under another name first, which must be free.
func Write(path string, content []byte) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) { // what a crash has left, or another has put there
		return unusable(draft, err)
	}
	file, err := Open(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return unusable(draft, err)
	}
	_, err = file.Write(content)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return unusable(path, err)
	}
	return nil
}
