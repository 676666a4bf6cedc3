package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"ace/shared/fault"
)

const (
	dirMode  = 0o700
	fileMode = 0o600

	writeByOthers = 0o022
	openToOthers  = 0o077
)

// owner returns the id of the user that owns a file.
func owner(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// isForeign reports whether a file belongs neither to the service's user nor to root.
func isForeign(info fs.FileInfo) bool { return owner(info) != 0 && owner(info) != os.Geteuid() }

// links returns the number of names (hard links) of a file.
func links(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // its type depends on the architecture
	}
	return 0
}

// describe returns the owner and mode of a file for an error.
func describe(info fs.FileInfo) string {
	return fmt.Sprintf("owner %s, mode %04o", userName(owner(info)), info.Mode().Perm())
}

// userName returns the name and id of a user.
func userName(uid int) string {
	if known, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("%s (%d)", known.Username, uid)
	}
	return strconv.Itoa(uid)
}

// kind returns the kind of a file in words.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a regular file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// foreign returns the error of a file that belongs to another user than the service runs
// as.
func foreign(path string, info fs.FileInfo) error {
	return fault.New(fault.Invalid, "%s (%s) does not belong to the user that the service runs as, %s: "+
		"run the service as the owner, or check its content and run: chown -R %d '%s'",
		path, describe(info), userName(os.Geteuid()), os.Geteuid(), path)
}

// accessible returns the error of a file to which other users have access. may is what
// other users can do, in the form "read or written". command is the mode to pass to chmod
// to remove their access, such as "600".
func accessible(path string, info fs.FileInfo, may, command string) error {
	return fault.New(fault.Invalid, "%s (%s) can be %s by other users: check its content and run: chmod %s '%s'",
		path, describe(info), may, command, path)
}

// unexpected returns the error of a file that is not of the wanted kind.
func unexpected(path string, info fs.FileInfo, want string) error {
	return fault.New(fault.Invalid, "%s (%s) is %s but must be %s: remove it", path, describe(info), kind(info.Mode()), want)
}

// unusable returns the error of a failed system call on a path. Its code is Unavailable
// if the host lacks something for now, such as file descriptors.
func unusable(path string, err error) error {
	return fault.Wrap(err, fault.CodeOfFile(err), "%s cannot be used: %v", path, reason(err))
}

// reason returns the cause of err without the path, which the message already contains,
// and without the name of the system call.
func reason(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
