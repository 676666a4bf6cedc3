package pgserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// StartCopy starts a copy of a running server, in another directory and on another port.
// If standby is set, the copy is a hot standby of the server. Otherwise it is an
// independent server with the same system identifier. StartCopy needs pg_basebackup.
func StartCopy(ctx context.Context, of *Server, standby bool) (*Server, error) {
	s := &Server{installation: of.installation, acc: of.acc}
	if err := s.makeDir(true); err != nil {
		return nil, err
	}
	args := []string{
		"--host=" + of.SocketDir(), fmt.Sprintf("--port=%d", of.Port()), "--username=" + Superuser,
		"--pgdata=" + s.dataDir(), "--checkpoint=fast", "--wal-method=stream", "--no-sync",
	}
	if standby {
		args = append(args, "--write-recovery-conf")
	}
	err := run(s.acc.command(ctx, s.dir, filepath.Join(s.installation.BinDir, "pg_basebackup"), args...))
	if err == nil {
		err = configure(s.dataDir(), s.SocketDir(), nil)
	}
	if err == nil {
		err = s.startFirst(ctx, 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copying a server: %w", err), s.Close())
	}
	return s, nil
}
