package main

import (
	"syscall"

	"ace/shared/fault"
)

// protectMemory prevents that other processes of the same user read the memory of the
// service, and that a crash writes it to a core dump: it has passwords and rows. With
// debugger, it permits both.
func protectMemory(debugger bool) error {
	if debugger {
		return nil
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return fault.Wrap(errno, fault.Internal, "the memory of the process cannot be protected; set ACE_DEBUGGER=true to start without")
	}
	return nil
}
