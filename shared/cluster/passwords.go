package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgpassfile"

	"ace/shared/fault"
)

// files holds what connections need in addition to a definition: the contents of password
// files, and the directory with the certificates of the user.
type files struct {
	passwordFile string               // the path of the default password file
	passwords    map[string]passwords // the contents of the password files, by path
	certificates string               // the directory with the certificates, such as ~/.postgresql; "" means none
}

// passwords holds the content of a password file of libpq. The zero value has no
// passwords.
type passwords struct {
	file *pgpassfile.Passfile
	// missing explains why there is no content, such as "does not exist". It is "" if the
	// file was read.
	missing string
}

// readFiles reads the password files that the cluster needs. A file that the definition
// names with passfile must exist and be readable. The default password file need not
// exist. If no environment variable names it, it need not be readable either, because it
// may be in a home directory that this user may not read.
func (c Cluster) readFiles(opts Options) (files, error) {
	f := files{passwordFile: opts.PasswordFile, passwords: map[string]passwords{}, certificates: opts.CertificateDir}
	for path, named := range c.passwordFiles(opts.PasswordFile) {
		read, err := readPasswords(path)
		if err != nil && (named || path == opts.PasswordFile && opts.PasswordFileNamed || !errors.Is(err, fs.ErrPermission)) {
			return files{}, err
		}
		if err != nil {
			read.missing = "cannot be read by this user"
		}
		if named && read.missing != "" {
			return files{}, fault.New(fault.Invalid, "the password file %s, which the definition of cluster %s names (passfile), %s",
				path, c.Name, read.missing)
		}
		f.passwords[path] = read
	}
	return f, nil
}

// passwordFiles returns the paths of the password files that the cluster needs. The value
// of a path is true if the definition names the file (passfile), and false if the file is
// the default one.
func (c Cluster) passwordFiles(byDefault string) map[string]bool {
	needed := map[string]bool{}
	for _, db := range c.Databases {
		for _, node := range c.Nodes {
			path := merged(db.Options, node.Options)["passfile"]
			switch {
			case node.or(db.Login).given():
			case path != "":
				needed[path] = true
			case byDefault != "" && !needed[byDefault]:
				needed[byDefault] = false
			}
		}
	}
	return needed
}

// readPasswords reads the password file at path. As in libpq, only the owner of the file
// may have access to it. If there is no file, readPasswords returns no error, and
// passwords.missing explains why there is no content.
func readPasswords(path string) (passwords, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDirectory) {
		return passwords{missing: "does not exist"}, nil
	}
	if err != nil {
		return passwords{}, fault.Wrap(err, fault.CodeOfFile(err), "the password file %s cannot be read: %v", path, reasonOf(err))
	}

	if info.Mode()&fs.ModeNamedPipe != 0 { // a read could block forever
		return passwords{}, fault.New(fault.Invalid, "the password file %s is a named pipe; it must be a regular file", path)
	}

	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return passwords{}, fault.New(fault.Invalid, "the password file %s has mode %04o; it must be 0600 or less: run chmod 600 '%s'",
			path, info.Mode().Perm(), path)
	}

	file, err := pgpassfile.ReadPassfile(path)
	if err != nil {
		return passwords{}, fault.Wrap(err, fault.CodeOfFile(err), "the password file %s cannot be read: %v", path, reasonOf(err))
	}
	return passwords{file: file}, nil
}

// complete adds what the definition of a target does not have: the password, from the
// password file, and the paths of the client certificate and the root certificate, from
// the home directory. It removes the option passfile.
func (f files) complete(target *Target) {
	path := firstOf(target.Options["passfile"], f.passwordFile)
	delete(target.Options, "passfile")
	if !target.given() {
		target.Password = f.passwords[path].find(*target)
		if target.Password == "" {
			target.NoPassword = f.explain(path, *target)
		}
	}

	if target.Options["sslcert"] == "" && target.Options["sslkey"] == "" {
		cert, key := f.inHome("postgresql.crt"), f.inHome("postgresql.key")
		if cert != "" && key != "" {
			target.Options["sslcert"], target.Options["sslkey"] = cert, key
		}
	}
	if root := f.inHome("root.crt"); root != "" && target.Options["sslrootcert"] == "" {
		target.Options["sslrootcert"] = root
	}
}

// explain returns why the password file at path has no password for a target. The text is
// the value for Target.NoPassword.
func (f files) explain(path string, t Target) string {
	switch missing := f.passwords[path].missing; {
	case path == "":
		return "and there is no password file"
	case missing != "":
		return "and the password file " + path + " " + missing
	}
	line := strings.Join([]string{passwordHost(t), strconv.Itoa(int(t.Port)), t.Database, t.User}, ":")
	return "and the password file " + path + " has no line for " + line
}

// inHome returns the path of a file in the directory of certificates if this user can
// read it, otherwise "".
func (f files) inHome(name string) string {
	if f.certificates == "" {
		return ""
	}
	path := filepath.Join(f.certificates, name)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	_ = file.Close()
	return path
}

// find returns the password of a target, or "" if the file has none.
func (p passwords) find(target Target) Secret {
	if p.file == nil {
		return ""
	}
	return Secret(p.file.FindPassword(passwordHost(target), strconv.Itoa(int(target.Port)), target.Database, target.User))
}

// passwordHost returns the host that the target's line in a password file has. As in
// libpq, it is localhost for every Unix socket.
func passwordHost(target Target) string {
	if strings.HasPrefix(target.Host, "/") { // the target is a Unix socket
		return "localhost"
	}
	return target.Host
}
