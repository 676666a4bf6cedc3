package private

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"ace/shared/fault"
)

// maxSecret bounds a secret in bytes.
const maxSecret = 64 << 10

// Secret reads a file that must be known to the service's user alone, such as a token: a regular file that belongs to
// that user or to root. Others may not read it; the group may if it belongs to root, as libpq allows for keys.
func Secret(path string) ([]byte, error) {
	return read(path, maxSecret, func(info fs.FileInfo) error {
		closed := fs.FileMode(openToOthers)
		if owner(info) == 0 && os.Geteuid() != 0 {
			closed &^= 0o040
		}
		switch {
		case owner(info) != 0 && owner(info) != os.Geteuid():
			return foreign(path, info)
		case info.Mode().Perm()&closed != 0:
			return opened(path, info, "read or written", "600")
		}
		return nil
	})
}

// Instructions reads a file that decides what the service does, such as a cluster definition: a regular file that not
// everybody may write, of at most this many bytes.
func Instructions(path string, limit int64) ([]byte, error) {
	return read(path, limit, func(info fs.FileInfo) error {
		if info.Mode().Perm()&0o002 != 0 {
			return opened(path, info, "written", "o-w")
		}
		return nil
	})
}

// read reads a regular file that check accepts. An error of opening it is passed on as it is. A pipe does not block.
func read(path string, limit int64, check func(fs.FileInfo) error) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	}
	if !info.Mode().IsRegular() {
		return nil, unexpected(path, info, "a regular file")
	}
	if err := check(info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if int64(len(data)) > limit {
		return nil, fault.New(fault.Invalid, "%s has more than %d bytes", path, limit)
	}
	return data, err
}

// Doubts returns what is unusual about a file of instructions, "" if nothing is: that others than root and the service's
// user may change it, or may read the secrets in it.
func Doubts(path string, hasSecrets bool) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	var doubt string
	switch {
	case owner(info) != 0 && owner(info) != os.Geteuid():
		doubt = "it belongs to another user, who may change it"
	case info.Mode().Perm()&0o020 != 0:
		doubt = "its group may change it"
	case hasSecrets && info.Mode().Perm()&0o004 != 0:
		doubt = "it has passwords, and everybody may read it; run: chmod o-r '" + path + "'"
	default:
		return ""
	}
	return path + " (" + describe(info) + "): " + doubt
}

// SocketDirectory checks the directory of a Unix socket: who may write there can put a socket of his own in its place. A
// directory with the sticky bit, such as /tmp, protects the files of each user.
func SocketDirectory(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(dir, err)
	case owner(info) != 0 && owner(info) != os.Geteuid():
		return foreign(dir, info)
	case info.Mode().Perm()&writeByOthers != 0 && info.Mode()&fs.ModeSticky == 0:
		return opened(dir, info, "written", "go-w")
	}
	return nil
}

// Socket checks that a file is a socket of the service's user.
func Socket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return unusable(path, err)
	case info.Mode()&fs.ModeSocket == 0:
		return fault.New(fault.Invalid, "%s (%s) is %s where a socket must be", path, describe(info), kind(info.Mode()))
	case owner(info) != os.Geteuid():
		return foreign(path, info)
	}
	return nil
}
