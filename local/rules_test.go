//go:build !unit

package main_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A rules document is checked without a service, stored by one process and shown by
// another one, to the byte.
func TestRules_AreCheckedStoredAndShown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := shell{dir: dir, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ACE_LISTEN=" + freeAddress(t)}}
	const text = "# orders\r\nversion: 1\nrules:\n  - {when: {kind: missing}, take: union}" // without a newline at the end
	for name, content := range map[string]string{"good.yaml": text, "bad.yaml": strings.Replace(text, "union", "merge", 1), "large.yaml": text + strings.Repeat("#", 256<<10)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := sha256.Sum256([]byte(text))
	sum := hex.EncodeToString(hash[:])

	for _, tt := range []struct {
		args           string
		status         int
		stdout, stderr string // the whole stdout, and a part of stderr
	}{
		{"check good.yaml", 0, "good.yaml: no mistake found, rules: 1\n", ""},
		{"check bad.yaml", 2, "", `rules, line 4, rule 1: take is "merge"; it must be newest`},
		{"check none.yaml", 2, "", "the rules document cannot be read"},
		{"check large.yaml", 2, "", "the maximum is 262144"},
		{"check", 2, "", "FILE, a rules document"},
		{"show " + sum, 2, "", "there are no rules " + sum},
		{"add bad.yaml", 2, "", `rules, line 4, rule 1: take is "merge"; it must be newest`},
		{"add large.yaml", 2, "", "the maximum is 262144"},
		{"add good.yaml", 0, sum + "\n", ""},
		{"add good.yaml --json", 0, fmt.Sprintf(`{"rules":"%s","size":%d,"count":1}`, sum, len(text)) + "\n", ""},
		{"show " + sum, 0, text, ""},
		{"show good.yaml", 2, "", `rules is "good.yaml"; it must be the SHA-256`},
	} {
		stdout, stderr, status := s.ace(t, append([]string{"rules"}, strings.Fields(tt.args)...)...)
		if status != tt.status || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("ace rules %s: exit status %d\n%q\n%s", tt.args, status, stdout, stderr)
		}
	}
}
