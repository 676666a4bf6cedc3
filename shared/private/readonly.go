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

// maxSecret is the maximum size of a secret in bytes.
const maxSecret = 64 << 10

// Secret reads a secret, such as a token, from a regular file. The file must belong to
// the service's user or to root, and other users must not be able to read or write it. If
// the file belongs to root and the service does not run as root, the group of the file
// may read it, as libpq allows for keys.
func Secret(path string) ([]byte, error) {
	return read(path, maxSecret, func(info fs.FileInfo) error {
		closed := fs.FileMode(openToOthers)
		if owner(info) == 0 && os.Geteuid() != 0 {
			closed &^= 0o040
		}
		switch {
		case isForeign(info):
			return foreign(path, info)
		case info.Mode().Perm()&closed != 0:
			return accessible(path, info, "read or written", "600")
		}
		return nil
	})
}

// Instructions reads a file that controls the service, such as a cluster definition. The
// file must be a regular file of at most limit bytes that is not world-writable.
func Instructions(path string, limit int64) ([]byte, error) {
	return read(path, limit, func(info fs.FileInfo) error {
		if info.Mode().Perm()&0o002 != 0 {
			return accessible(path, info, "written", "o-w")
		}
		return nil
	})
}

// read reads a regular file of at most limit bytes that passes check. It returns the
// error of os.OpenFile unchanged. It fails for a pipe instead of waiting for its data.
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

// Doubts returns a warning about a file that Instructions accepts, or "" if there is no
// reason for a warning. It warns if a user other than root and the service's user can
// change the file. If hasSecrets is true, it also warns if every user can read the file.
func Doubts(path string, hasSecrets bool) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}

	var doubt string
	switch {
	case isForeign(info):
		doubt = "it belongs to another user, who can change it"
	case info.Mode().Perm()&0o020 != 0:
		doubt = "its group can change it"
	case hasSecrets && info.Mode().Perm()&0o004 != 0:
		doubt = "it has passwords, and every user can read it; run: chmod o-r '" + path + "'"
	default:
		return ""
	}
	return path + " (" + describe(info) + "): " + doubt
}

// SocketDirectory returns an error if a user other than root and the service's user could
// replace the Unix socket at path. This is so if the directory of the socket belongs to
// such a user or is writable by others. It accepts a writable directory with the sticky
// bit, such as /tmp, because the bit prevents users from replacing the files of others.
// It also accepts a directory that does not exist.
func SocketDirectory(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unusable(dir, err)
	case isForeign(info):
		return foreign(dir, info)
	case info.Mode().Perm()&writeByOthers != 0 && info.Mode()&fs.ModeSticky == 0:
		return accessible(dir, info, "written", "go-w")
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
		return fault.New(fault.Invalid, "%s (%s) is %s but must be a socket", path, describe(info), kind(info.Mode()))
	case owner(info) != os.Geteuid():
		return foreign(path, info)
	}
	return nil
}
