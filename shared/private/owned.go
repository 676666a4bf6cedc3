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

// maxLinks is the maximum number of symbolic links that Resolve follows, so that it ends
// if links form a cycle.
const maxLinks = 40

// Resolve returns path as an absolute path without symbolic links. Each link in path must
// belong to root or to the service's user, because the owner of a link controls where it
// leads. Components of path that do not exist yet are unchanged in the result.
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
		case isForeign(info):
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

// Directory creates a directory that is inaccessible to others, or checks an existing
// directory. If others have access to an existing directory that is empty, Directory
// removes their access. If the directory is not empty, Directory fails, because others
// may have created the files in it. It fails if path is a link.
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
		return accessible(path, info, "entered or written", "700")
	}

	if err := dir.Chmod(dirMode); err != nil {
		return unusable(path, err)
	}

	// Another user may have created entries before Chmod removed the access.
	if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
		return accessible(path, info, "entered or written", "700")
	}
	return nil
}

// notOpened returns the error for a path that could not be opened. If the file or link at
// path is not of the kind want, the message says so. want is a kind of file in words, as
// kind returns it.
func notOpened(path, want string, err error) error {
	if info, statErr := os.Lstat(path); statErr == nil && kind(info.Mode()) != want {
		return unexpected(path, info, want)
	}
	return unusable(path, err)
}

// State returns a text with the identity and change time of a directory. As long as the
// text stays the same, the permissions of the directory were not changed, the directory
// was not moved, and no entry of it was added, renamed or deleted.
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

// Tree checks that everything below a directory is a regular file or a directory, belongs
// to the service's user, and is not writable by others.
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
			return accessible(path, info, "written", "go-w")
		}
		return nil
	})
}

// Open opens or creates a file that the service owns, like os.OpenFile with the mode
// 0600. It does not follow links. The file must be a regular file with one name, belong
// to the service's user and be inaccessible to others.
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
		return fault.New(fault.Invalid, "%s (%s) has %d names (hard links) but must have one: remove it", path, describe(info), links(info))
	case info.Mode().Perm()&openToOthers != 0:
		return accessible(path, info, "read or written", "600")
	}
	return nil
}

// Write writes a file that the service owns, atomically: it writes a temporary file and
// renames it to path.
func Write(path string, content []byte) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) { // a crash may have left the file
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
