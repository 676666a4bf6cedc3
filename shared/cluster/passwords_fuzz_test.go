package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A password that is found is a part of the file, and no error shows one.
func FuzzPasswords(f *testing.F) {
	f.Add("h:5432:d:u:secret\n", "h", "d", "u")
	f.Add("# h:5432:d:u:no\n*:*:*:*:a\\:b\\\\c\n", "/run", "d", "u")
	f.Add("h:5432:d:u\n:::::\n\\", "h", "", "")
	f.Add("localhost:*:*:*:\x00\xff\r\n", "/", "d", "u")
	path := filepath.Join(f.TempDir(), "pgpass")
	plain := strings.NewReplacer(`\`, "")
	f.Fuzz(func(t *testing.T, text, host, database, user string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := readPasswords(path)
		if err != nil {
			if hidden := strings.TrimSpace(text); len(hidden) > 20 && strings.Contains(err.Error(), hidden) {
				t.Errorf("the error shows the file: %v", err)
			}
			return
		}
		password := found.find(Target{Host: host, Port: 5432, Database: database, User: user})
		if !strings.Contains(plain.Replace(text), plain.Replace(string(password))) {
			t.Errorf("%q has no password %q", text, string(password))
		}
	})
}
