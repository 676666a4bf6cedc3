package fault_test

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"ace/shared/fault"
)

func TestCodeOfFile_IsUnavailableForAShortageOnly(t *testing.T) {
	for cause, want := range map[error]fault.Code{
		syscall.EMFILE: fault.Unavailable, syscall.ENFILE: fault.Unavailable, syscall.ENOMEM: fault.Unavailable, syscall.EIO: fault.Unavailable,
		syscall.EACCES: fault.Invalid, syscall.ENOENT: fault.Invalid, syscall.ELOOP: fault.Invalid,
	} {
		if got := fault.CodeOfFile(fmt.Errorf("reading: %w", &fs.PathError{Op: "open", Path: "f", Err: cause})); got != want {
			t.Errorf("%v: got %s, want %s", cause, got, want)
		}
	}
}
