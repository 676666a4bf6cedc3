package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killService ends the process by a signal; it is started again at once.
func killService(sig syscall.Signal) func(context.Context, *run, fault) (func(context.Context) error, error) {
	return func(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
		s := r.services[f.target]
		pid := s.pid()
		if pid == 0 {
			return noHeal, nil
		}
		err := s.signal(sig, true)
		bounded, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		s.awaitExit(bounded, pid)
		if err == nil && bounded.Err() != nil && ctx.Err() == nil {
			r.wrong("service", "service %d did not end within %s of %s", f.target+1, stopLimit, sig)
		}
		return noHeal, err
	}
}

func killOften(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
	kill := killService(syscall.SIGKILL)
	for range 2 + f.size%3 {
		if _, err := kill(ctx, r, f); err != nil {
			return noHeal, err
		}
		pause(ctx, time.Duration(f.size%1000+200)*time.Millisecond)
	}
	return noHeal, nil
}

func freezeService(least time.Duration) func(context.Context, *run, fault) (func(context.Context) error, error) {
	return func(ctx context.Context, r *run, f fault) (func(context.Context) error, error) {
		s := r.services[f.target]
		err := s.signal(syscall.SIGSTOP, false)
		pause(ctx, least)
		return func(context.Context) error { return s.signal(syscall.SIGCONT, false) }, err
	}
}

// limitFiles lets the process open hardly any further file or connection.
func limitFiles(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	pid := r.services[f.target].pid()
	open, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		return noHeal, nil //nolint:nilerr // it has just ended by another fault
	}
	return limit(pid, unix.RLIMIT_NOFILE, uint64(len(open))+uint64(f.size%3))
}

// limitFileSize lets the process write no file that is larger than a few bytes.
func limitFileSize(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	return limit(r.services[f.target].pid(), unix.RLIMIT_FSIZE, uint64(f.size))
}

// limit lowers a soft limit of a process. A process that has ended has no limit.
func limit(pid, resource int, value uint64) (func(context.Context) error, error) {
	if pid == 0 {
		return noHeal, nil
	}
	var old unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &old); err != nil {
		return noHeal, gone(err)
	}
	err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: value, Max: old.Max}, nil)
	return func(context.Context) error { return gone(unix.Prlimit(pid, resource, &old, nil)) }, gone(err)
}

func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// fillStore fills the file system of the archive.
func fillStore(_ context.Context, r *run, f fault) (func(context.Context) error, error) {
	return fill(r.storeDir, f.size*2)
}
