package gateway

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"ace/shared/fault"
	"ace/shared/private"
)

const credentialsFile = "credentials.json"

// credentials are the keys with which requests to the gateway are signed. Requests must
// be signed because every user of the host can reach the gateway's port.
type credentials struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// LogValue keeps the keys out of logs.
func (credentials) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// loadCredentials reads the credentials of a data directory, and creates them at the
// first start. They never change, so that other clients of the gateway need to be
// configured only once. The caller must hold the directory's lock.
func loadCredentials(dir string) (credentials, error) {
	path := filepath.Join(dir, credentialsFile)
	file, err := private.Open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return makeCredentials(path)
	}
	if err != nil {
		return credentials{}, refused(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return credentials{}, fault.Wrap(err, fault.Invalid, "the credentials in %s cannot be read", path)
	}
	var c credentials
	if err := json.Unmarshal(text, &c); err != nil || c.AccessKey == "" || c.SecretKey == "" {
		return credentials{}, fault.New(fault.Invalid, "the credentials in %s are damaged: remove the file to get new ones", path)
	}
	return c, nil
}

// makeCredentials creates and writes new credentials.
func makeCredentials(path string) (credentials, error) {
	c := credentials{AccessKey: rand.Text(), SecretKey: rand.Text() + rand.Text()}
	text, err := json.Marshal(c)
	if err != nil {
		return credentials{}, fault.Wrap(err, fault.Internal, "credentials cannot be encoded")
	}
	return c, refused(private.Write(path, text))
}
