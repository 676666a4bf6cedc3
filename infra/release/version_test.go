package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersion_CountsTheCommitsSinceTheTag runs version.sh in a repository of its own.
func TestVersion_CountsTheCommitsSinceTheTag(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "infra", "release", "version.sh")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("version.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, source, 0o755); err != nil {
		t.Fatal(err)
	}

	run := func(name string, args ...string) string {
		t.Helper()
		command := exec.CommandContext(t.Context(), name, args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	commit := func() string {
		t.Helper()
		run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "--allow-empty", "-m", "change")
		return run("git", "rev-parse", "--short=12", "HEAD")
	}
	is := func(want string) {
		t.Helper()
		if got := run(script); got != want {
			t.Errorf("the version is %s, want %s", got, want)
		}
	}

	run("git", "init", "-q")
	run("git", "add", ".")
	is("v0.0.0+1.g" + commit())
	run("git", "tag", "v1.2.0")
	is("v1.2.0")
	is("v1.2.0+1.g" + commit())

	if err := os.WriteFile(script, append(source, '\n'), 0o755); err != nil {
		t.Fatal(err)
	}
	is("v1.2.0+1.g" + run("git", "rev-parse", "--short=12", "HEAD") + ".changed")
	run("git", "tag", "v1.3.0-rc1")
	is("v1.3.0-rc1+changed")
}
