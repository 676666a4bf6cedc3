package toolchain_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCheckGo_AcceptsTheVersionThatWouldBuildTheModule(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(string(goMod))[1]
	// inModule answers `go env GOVERSION` in the module's root, and everything else like a
	// Go of the other version.
	inModule := func(answer, elsewhere string) string {
		return `if [ "$*" = "env GOVERSION" ] && [ "$PWD" = "` + root + `" ]; then ` + answer + `; exit; fi
			case "$1" in env) echo ` + elsewhere + `;; version) echo go version ` + elsewhere + ` linux/amd64;; esac`
	}
	for _, tt := range []struct {
		name, script string
		says         string // "" if it is accepted
	}{
		{"the version itself", inModule("echo go"+wanted, "go"+wanted), ""},
		{"a newer one", inModule("echo go1.99.2", "go1.99.2"), ""},
		{"one built from source", inModule("echo 'devel go1.99-3ac6e5a Mon Jan 5'", "devel"), ""},
		{"an older one that fetches the right one", inModule("echo go"+wanted, "go1.22.1"), ""},
		{"an older one that knows no fetching and looks at no go.mod", inModule("echo go1.19.8", "go1.19.8"), "is go1.19.8"},
		{"an older one that cannot read go.mod", inModule("echo 'invalid go version' >&2; false", "go1.20.14"), "is go1.20.14"},
		{"an older one that may not fetch", inModule("echo 'go.mod requires a newer go' >&2; false", "go1.25.4"), "is go1.25.4"},
		{"none", "", "there is no go in PATH"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			programs := map[string]string{"sh": "", "dirname": "", "sed": "", "sort": ""}
			if tt.script != "" {
				programs["go"] = tt.script
			}
			path, _ := bare(t, programs)
			text, err := script(path, "./check-go.sh")
			if (err == nil) != (tt.says == "") || !strings.Contains(text, tt.says) || err == nil && text != "" {
				t.Errorf("it ends with %v and says %q, want %q", err, text, tt.says)
			}
		})
	}
}
