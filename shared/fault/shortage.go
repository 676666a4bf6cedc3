package fault

import (
	"errors"
	"syscall"
)

// IsShortage reports whether the error of a system call means that the host lacks
// something for now: file descriptors, memory or disk space, or that a disk failed to
// answer. The same call may succeed later, so the path it was about is not wrong.
func IsShortage(err error) bool {
	for _, shortage := range []error{
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
	} {
		if errors.Is(err, shortage) {
			return true
		}
	}
	return false
}

// CodeOfFile returns the code for a file or directory that a system call cannot use:
// Unavailable for a shortage, otherwise Invalid.
func CodeOfFile(err error) Code {
	if IsShortage(err) {
		return Unavailable
	}
	return Invalid
}
