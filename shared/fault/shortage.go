package fault

import (
	"errors"
	"syscall"
)

// IsShortage reports whether the error of a system call means that the host lacks file
// descriptors, memory or disk space for now, or that a disk failed to answer. The same
// call may succeed later, so the error does not mean that a path is wrong.
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
