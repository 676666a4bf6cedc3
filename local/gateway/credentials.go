package gateway

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"ace/shared/fault"
)

const credentialsFile = "credentials.json"

// credentials sign the requests to the gateway. Other users of the host reach its port too: these keep them out.
type credentials struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// LogValue keeps the keys out of logs.
func (credentials) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// loadCredentials reads the credentials of a data directory, and makes them at the first start. They stay the same so
// that other clients of the directory can be set up once. The caller holds the directory's lock.
func loadCredentials(dir string) (credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeCredentials(path)
	}
	if err != nil {
		return credentials{}, fault.Wrap(err, fault.Invalid, "the credentials in %s cannot be read", path)
	}
	var c credentials
	if err := json.Unmarshal(text, &c); err != nil || c.AccessKey == "" || c.SecretKey == "" {
		return credentials{}, fault.New(fault.Invalid, "the credentials in %s are damaged: remove the file to get new ones", path)
	}
	if err := os.Chmod(path, fileMode); err != nil {
		return credentials{}, fault.Wrap(err, fault.Invalid, "the credentials in %s cannot be closed to other users", path)
	}
	return c, nil
}

// makeCredentials writes the file under another name first, so that a crash never leaves half of it.
func makeCredentials(path string) (credentials, error) {
	c := credentials{AccessKey: rand.Text(), SecretKey: rand.Text() + rand.Text()}
	text, err := json.Marshal(c)
	if err != nil {
		return credentials{}, fault.Wrap(err, fault.Internal, "credentials cannot be encoded")
	}
	if err := os.WriteFile(path+".new", text, fileMode); err != nil {
		return credentials{}, fault.Wrap(err, fault.Invalid, "the credentials cannot be written to %s", path)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return credentials{}, fault.Wrap(err, fault.Invalid, "the credentials cannot be written to %s", path)
	}
	return c, nil
}
