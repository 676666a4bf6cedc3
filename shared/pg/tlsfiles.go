package pg

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// parseConfig converts a target to the configuration of a pool. Its errors name the file
// or the parameter that is wrong, and what the user must do. They never quote the
// connection string.
func parseConfig(t cluster.Target) (*pgxpool.Config, error) {
	if err := checkTLSFiles(t); err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "node %q: %s", t.Node, fault.PublicMessage(err))
	}

	settings := connString(t)
	if t.KeyPassword != "" {
		settings += "sslpassword='" + escape(t.KeyPassword.Reveal()) + "' "
	}
	config, err := pgxpool.ParseConfig(settings)
	if err == nil {
		return config, nil
	}
	// The text of err quotes the connection string, but the text of its cause does not.
	if cause := errors.Unwrap(err); cause != nil {
		return nil, fault.New(fault.Invalid, "node %q: the connection settings in the cluster definition are not valid: %s", t.Node, rootCause(cause))
	}
	return nil, fault.New(fault.Invalid, "node %q: the connection settings in the cluster definition are not valid", t.Node)
}

// checkTLSFiles checks the files of certificates and keys that a connection to the target
// needs. The rules are those of libpq.
func checkTLSFiles(t cluster.Target) error {
	if t.Options["sslmode"] == "disable" || filepath.IsAbs(t.Host) && t.Options["hostaddr"] == "" {
		return nil // the connection does not use TLS
	}
	if root := t.Options["sslrootcert"]; root != "" && root != "system" {
		content, err := readPEM("sslrootcert", root)
		if err != nil {
			return err
		}
		if !x509.NewCertPool().AppendCertsFromPEM(content) {
			return fault.New(fault.Invalid, "sslrootcert %s has no certificate in PEM format", root)
		}
	}

	cert, key := t.Options["sslcert"], t.Options["sslkey"]
	switch {
	case t.Options["sslcertmode"] == "disable" || cert == "" && key == "":
		return nil
	case cert == "":
		return fault.New(fault.Invalid, "sslkey is set without sslcert: set both, or none")
	case key == "":
		return fault.New(fault.Invalid, "sslcert is set without sslkey: set both, or none")
	}
	return checkKeyPair(cert, key, t.KeyPassword.Reveal())
}

// checkKeyPair checks that the client certificate in certFile and the private key in
// keyFile can be used together. password decrypts the key.
func checkKeyPair(certFile, keyFile, password string) error {
	cert, err := readPEM("sslcert", certFile)
	if err != nil {
		return err
	}
	if err := checkKeyMode(keyFile); err != nil {
		return err
	}
	key, err := readPEM("sslkey", keyFile)
	if err != nil {
		return err
	}

	block, _ := pem.Decode(key)
	switch {
	case block.Type == "ENCRYPTED PRIVATE KEY":
		return fault.New(fault.Invalid, "sslkey %s is encrypted in the format PKCS #8, which is not supported: decrypt it with "+
			"openssl pkey -in '%s' -out NEWFILE, or convert it with openssl rsa -aes256 -traditional and set sslpassword", keyFile, keyFile)
	case x509.IsEncryptedPEMBlock(block): //nolint:staticcheck // old keys have this format, and libpq reads it
		if password == "" {
			return fault.New(fault.Invalid, "sslkey %s is encrypted: set sslpassword, or decrypt it with openssl pkey -in '%s' -out NEWFILE", keyFile, keyFile)
		}
		der, err := x509.DecryptPEMBlock(block, []byte(password)) //nolint:staticcheck // see above
		if err != nil {
			return fault.New(fault.Invalid, "sslkey %s cannot be decrypted with sslpassword: check the password", keyFile)
		}
		key = pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: der})
	}

	if _, err := tls.X509KeyPair(cert, key); err != nil {
		return fault.New(fault.Invalid, "sslcert %s and sslkey %s cannot be used together: %v", certFile, keyFile, err)
	}
	return nil
}

// checkKeyMode checks that only the owner of a key can read it. As in libpq, the group
// may read a key that belongs to root.
func checkKeyMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fileFault("sslkey", path, err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 || mode&0o040 != 0 && !isRoots(info) {
		return fault.New(fault.Invalid, "sslkey %s has mode %04o, so other users may read it: run chmod 600 '%s'", path, mode, path)
	}
	return nil
}

// readPEM reads the file at path and returns an error if it has no PEM block. parameter
// is the connection parameter that names the file, for messages.
func readPEM(parameter, path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return nil, fault.New(fault.Invalid, "%s is %q; it must be an absolute path", parameter, path)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fileFault(parameter, path, err)
	}
	if block, _ := pem.Decode(content); block == nil {
		return nil, fault.New(fault.Invalid, "%s %s is not a file in PEM format", parameter, path)
	}
	return content, nil
}

// fileFault returns the error of a file that cannot be read.
func fileFault(parameter, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.New(fault.Invalid, "%s %s does not exist: correct the path in the cluster definition", parameter, path)
	case errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Invalid, "%s %s cannot be read by the user of this process: correct its owner or mode", parameter, path)
	}
	return fault.New(fault.Invalid, "%s %s cannot be read: %s", parameter, path, rootCause(err))
}

// isRoots reports whether a file belongs to root while this process runs as another user,
// who can then read the file only through its group.
func isRoots(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == 0 && os.Geteuid() != 0
}
