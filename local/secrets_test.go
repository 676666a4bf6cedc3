//go:build !unit

package main_test

import (
	"encoding/base64"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// spellings returns the encodings in which a secret could be shown.
func spellings(secret string) []string {
	return []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
	}
}

// checkSecret fails the test if a text shows a secret.
func checkSecret(t testing.TB, where, text, secret string) {
	t.Helper()
	for _, spelling := range spellings(secret) {
		if strings.Contains(text, spelling) {
			t.Errorf("%s shows a secret as %q", where, spelling)
		}
	}
}

// checkFiles fails the test if a file below dir shows a secret.
func checkFiles(t testing.TB, dir, secret string) {
	t.Helper()
	if !exists(t, dir) {
		return
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		checkSecret(t, path, string(text), secret)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
