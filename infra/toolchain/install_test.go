package toolchain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bare returns a PATH that has only these programs. A program with an empty script is the
// real one. For the others, the arguments of each call are recorded, and then the script
// runs.
func bare(t *testing.T, programs map[string]string) (path string, noted func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	for name, script := range programs {
		var err error
		if script == "" {
			var found string
			if found, err = exec.LookPath(name); err == nil {
				err = os.Symlink(found, filepath.Join(dir, name))
			}
		} else {
			err = os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho "+name+` "$@" >>`+log+"\n"+script+"\n"), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, func() []string {
		text, err := os.ReadFile(log)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
}

func script(path, name string, args ...string) (output string, err error) {
	cmd := exec.Command("/bin/sh", append([]string{name}, args...)...)
	cmd.Env = []string{"PATH=" + path}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func TestAptInstall_SaysWhatIsMissingWhereItCannot(t *testing.T) {
	for _, tt := range []struct {
		name     string
		programs map[string]string
		says     string // "" if it installs
		runs     []string
	}{
		{"as root", map[string]string{"id": "echo 0", "apt-get": "true", "env": ""}, "",
			[]string{"apt-get update", "apt-get install -y --no-install-recommends one two"}},
		{"through sudo", map[string]string{"id": "echo 1000", "sudo": `exec "$@"`, "apt-get": "true", "env": ""}, "",
			[]string{"sudo apt-get update", "apt-get update", "apt-get install -y --no-install-recommends one two"}},
		{"neither", map[string]string{"id": "echo 1000", "apt-get": "true", "env": ""},
			"you are not root and there is no sudo: run this as root: apt-get update", nil},
		{"not Debian", map[string]string{"id": "echo 0"}, "there is no apt-get here: install one two yourself", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.programs["dirname"], tt.programs["sh"] = "", ""
			path, noted := bare(t, tt.programs)
			output, err := script(path, "./apt-install.sh", "one", "two")
			if (err == nil) != (tt.says == "") || !strings.Contains(output, tt.says) {
				t.Errorf("it ends with %v and says %q, want %q", err, output, tt.says)
			}
			for _, command := range tt.runs {
				if !slices.Contains(noted(), command) {
					t.Errorf("%q was not run, but %q", command, noted())
				}
			}
		})
	}
}

func TestPostgresInstall_StartsNoServerOfItsOwnAndTakesNothingElse(t *testing.T) {
	path, noted := bare(t, map[string]string{
		"ls": "false", "id": "echo 0", "apt-get": "true", "env": "", "dirname": "", "sh": "", "sed": "true", "npm": "true",
	})
	if output, err := script(path, "../postgres/install.sh"); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	var steps []string
	for _, command := range noted() {
		switch {
		case strings.HasPrefix(command, "apt-get install"):
			steps = append(steps, command[strings.LastIndex(command, " ")+1:])
		case strings.HasPrefix(command, "sed") && strings.Contains(command, "create_main_cluster") && strings.HasSuffix(command, "/etc/postgresql-common/createcluster.conf"):
			steps = append(steps, "no cluster")
		case strings.HasPrefix(command, "npm"):
			t.Errorf("it runs %s", command)
		}
	}
	if want := []string{"postgresql-common", "no cluster", "postgresql"}; !slices.Equal(steps, want) {
		t.Errorf("it does %q, want %q", steps, want)
	}
}

func TestMajors_ARetriedInstallationFailsWithNpmsReason(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "infra/postgres"), os.DirFS("../postgres")); err != nil {
		t.Fatal(err)
	}
	path, noted := bare(t, map[string]string{
		"uname": "echo x86_64", "dirname": "", "cmp": "", "rm": "", "mkdir": "", "cp": "",
		"sleep": "true", "npm": "echo 'npm ERR! code CERT_NOT_TRUSTED' >&2; exit 1",
	})
	output, err := script(path, filepath.Join(root, "infra/postgres/install-majors.sh"))
	if err == nil || !strings.Contains(output, "npm ERR! code CERT_NOT_TRUSTED") || !strings.Contains(output, "cannot be installed after 3 attempts") {
		t.Errorf("it ends with %v and says %q", err, output)
	}
	want := []string{"npm ci --ignore-scripts", "sleep 5", "npm ci --ignore-scripts", "sleep 5", "npm ci --ignore-scripts"}
	got := slices.DeleteFunc(noted(), func(command string) bool { return strings.HasPrefix(command, "uname") })
	if !slices.Equal(got, want) {
		t.Errorf("it runs %q, want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(root, ".cache/pg/installed-lock.json")); err == nil {
		t.Error("an installation that failed is marked as complete")
	}
}

func TestMajors_NoPackageIsOptional(t *testing.T) {
	for _, arch := range []string{"x64", "arm64"} {
		for _, name := range []string{"package.json", "package-lock.json"} {
			content, err := os.ReadFile(filepath.Join("../postgres", arch, name))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(strings.ToLower(string(content)), "optional") {
				t.Errorf("%s of %s has an optional package: npm does not report it if it cannot be downloaded", name, arch)
			}
		}
	}
}
