package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user that the servers run as.
type account struct{ uid, gid int }

// serverAccount returns the current user. If that is root, it returns the user `postgres`
// or `nobody` instead, because PostgreSQL refuses to run as root.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil {
			return account{uid: uid, gid: gid}, nil
		}
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody` to run it as")
}

// differs reports whether the servers run as a different user than this process.
func (a account) differs() bool { return a.uid != os.Geteuid() }

// command returns a command that runs a program as the account, in a directory that the
// account can enter. The PG* and LC_* variables of this process are not passed to the
// program, because they would change what it does.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGQUIT}
	if a.differs() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return cmd
}

// own makes the account the owner of a file or directory.
func (a account) own(path string) error {
	if !a.differs() {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// Own makes the account of the server the owner of files or directories, such as those of
// a tablespace.
func (s *Server) Own(paths ...string) error {
	for _, path := range paths {
		if err := s.acc.own(path); err != nil {
			return err
		}
	}
	return nil
}
