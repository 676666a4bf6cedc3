package cluster

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgpassfile"

	"ace/shared/fault"
)

// passwords holds the content of a password file of libpq. The zero value has no
// passwords.
type passwords struct{ file *pgpassfile.Passfile }

// readPasswords reads the password file at path. An empty path or a missing file is not
// an error. As in libpq, only the owner of the file may have access to it.
func readPasswords(path string) (passwords, error) {
	if path == "" {
		return passwords{}, nil
	}

	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return passwords{}, nil
	}
	if err != nil {
		return passwords{}, fault.Wrap(err, fault.Invalid, "the password file %s cannot be read", path)
	}

	if info.Mode()&fs.ModeNamedPipe != 0 { // a read could block forever
		return passwords{}, fault.New(fault.Invalid, "the password file %s is a named pipe; it must be a regular file", path)
	}

	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return passwords{}, fault.New(fault.Invalid, "the password file %s has mode %04o; it must be 0600 or less", path, info.Mode().Perm())
	}

	file, err := pgpassfile.ReadPassfile(path)
	if err != nil {
		return passwords{}, fault.Wrap(err, fault.Invalid, "the password file %s cannot be read", path)
	}
	return passwords{file}, nil
}

// find returns the password of a target, or "" if the file has none.
func (p passwords) find(target Target) Secret {
	if p.file == nil {
		return ""
	}
	host := target.Host
	if strings.HasPrefix(host, "/") { // a Unix socket
		host = "localhost"
	}
	return Secret(p.file.FindPassword(host, strconv.Itoa(int(target.Port)), target.Database, target.User))
}

// needsPasswords reports whether the password file is needed: whether the definition has
// no login for some node and database.
func (c Cluster) needsPasswords() bool {
	for _, db := range c.Databases {
		for _, node := range c.Nodes {
			if !node.or(db.Login).given() {
				return true
			}
		}
	}
	return false
}
