//go:build !unit

package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The version and the time of the packages that the tests build.
const (
	version = "v1.2.3"
	epoch   = "1764461472"
)

// TestPackages_InstallCompareAndLeaveTheArchive builds the packages once, for this
// machine, and installs the deb on a copy of it, whose changes are in memory.
func TestPackages_InstallCompareAndLeaveTheArchive(t *testing.T) {
	dist := t.TempDir()
	build(t, dist)
	name := filepath.Join(dist, "ace-"+version+"-linux-"+runtime.GOARCH)

	t.Run("checksums", func(t *testing.T) { checkSums(t, dist) })
	t.Run("bill of materials", func(t *testing.T) { checkBill(t, name+".cdx.json") })
	t.Run("times", func(t *testing.T) { checkTimes(t, name+".tar.gz") })
	t.Run("size", func(t *testing.T) { checkSize(t, name+".tar.gz") })
	input := defineDemo(t)
	t.Run("deb", func(t *testing.T) { checkDeb(t, name+".deb", input) })
	t.Run("container", func(t *testing.T) { checkContainer(t, name+".tar.gz", input) })
}

// build builds the packages for this machine.
func build(t *testing.T, dist string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "./build.sh", dist)
	command.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+epoch, "ARCHES="+runtime.GOARCH)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build.sh fails: %v\n%s", err, out)
	}
}

func checkSums(t *testing.T, dist string) {
	sums := read(t, filepath.Join(dist, "SHA256SUMS"))
	files, err := filepath.Glob(filepath.Join(dist, "ace-*"))
	if err != nil || len(files) != 4 {
		t.Fatalf("built %v, %v; want a tar.gz, a deb, an rpm and a bill of materials", files, err)
	}
	for _, file := range files {
		sum := sha256.Sum256([]byte(read(t, file)))
		if line := hex.EncodeToString(sum[:]) + "  " + filepath.Base(file); !strings.Contains(sums, line+"\n") {
			t.Errorf("SHA256SUMS has no line %s", line)
		}
	}
}

// checkBill checks that the bill of materials names what the program links.
func checkBill(t *testing.T, path string) {
	var bill struct {
		BOMFormat  string
		Metadata   struct{ Component struct{ Version string } }
		Components []struct {
			PURL   string
			Hashes []struct{ Content string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, path)), &bill); err != nil {
		t.Fatal(err)
	}
	if bill.BOMFormat != "CycloneDX" || bill.Metadata.Component.Version != version {
		t.Errorf("the bill is %q for version %q", bill.BOMFormat, bill.Metadata.Component.Version)
	}
	found := false
	for _, c := range bill.Components {
		if strings.HasPrefix(c.PURL, "pkg:golang/github.com/jackc/pgx/v5@v5.") && len(c.Hashes) == 1 {
			found = true
		}
	}
	if !found {
		t.Errorf("the bill of %d components has no pgx with its hash", len(bill.Components))
	}
}

// checkTimes checks that nothing in the archive depends on the time, user or directory of
// the build.
func checkTimes(t *testing.T, path string) {
	out, err := exec.CommandContext(t.Context(), "tar", "-tvzf", path, "--numeric-owner", "--utc", "--full-time").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if !strings.Contains(line, " 0/0 ") || !strings.Contains(line, " 2025-11-30 00:11:12 ") {
			t.Errorf("an entry has another time or owner: %s", line)
		}
	}
	if len(lines) < 20 {
		t.Errorf("the archive has %d entries", len(lines))
	}
}

// checkSize checks that the linker could leave out what the program never calls, see
// ARCHITECTURE.md, "Size of the program".
func checkSize(t *testing.T, path string) {
	const limit = 29 << 20
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `tar -xOzf "$1" --wildcards '*/ace' | wc -c`, "sh", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	if size, err := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || size < 1<<20 || size > limit {
		t.Errorf("the program has %d bytes (%v), want at most %d", size, err, limit)
	}
}

// defineDemo creates a table that differs in one row, and returns a directory with the
// definition of its cluster, demo.json, and the scripts.
func defineDemo(t *testing.T) string {
	t.Helper()
	cluster := pgtest.NewCluster(t)
	cluster.ExecAll(t, "CREATE TABLE users (id int PRIMARY KEY, name text)", "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 500) i")
	cluster.Exec(t, 1, "UPDATE users SET name = 'changed' WHERE id = 7")
	input := t.TempDir()
	cluster.Name = "demo"
	cluster.WriteDefinition(t, input)
	copyFile(t, "testdata/deb.sh", filepath.Join(input, "deb.sh"))
	copyFile(t, "testdata/container.sh", filepath.Join(input, "container.sh"))
	copyFile(t, "image.sh", filepath.Join(input, "image.sh"))
	copyFile(t, "Dockerfile", filepath.Join(input, "Dockerfile"))
	return input
}

// checkDeb installs the deb on a copy of this machine, compares a table and removes it.
func checkDeb(t *testing.T, deb, input string) {
	copyFile(t, deb, filepath.Join(input, "ace.deb"))
	checkSections(t, onCopy(t, input, "deb.sh"), debSections)
}

// checkContainer makes the root file system of the container image as the Dockerfile
// does, and compares a table in it. There is no Docker on the machines that test.
func checkContainer(t *testing.T, archive, input string) {
	copyFile(t, archive, filepath.Join(input, "ace.tar.gz"))
	checkSections(t, onCopy(t, input, "container.sh"), containerSections)
}

// checkSections compares the output of a script with a regular expression for each of
// its sections.
func checkSections(t *testing.T, out string, sections map[string]string) {
	t.Helper()
	got := split(out)
	for name, want := range sections {
		if !regexp.MustCompile(`(?s)^` + want + `$`).MatchString(got[name]) {
			t.Errorf("%s prints\n%s\nwant\n%s", name, got[name], want)
		}
	}
}

// debSections are regular expressions for what deb.sh prints.
var debSections = map[string]string{
	"install": `.*Creating user 'ace'.*write the definitions of your clusters to /etc/ace/clusters.*`,
	"modes": "/etc/ace 750 root:ace\n/etc/ace/clusters 750 root:ace\n/etc/ace/environment 600 root:root\n" +
		"/var/lib/ace 700 ace:ace\n/usr/bin/ace 755 root:root\n",
	"user":    "ace:/var/lib/ace:/usr/sbin/nologin\n",
	"version": `ace v1\.2\.3 \(commit [0-9a-f]{12}\), go1\.\S+` + "\n",
	"files":   `[1-9]\d+` + "\n", // dpkg --verify prints nothing
	"compare": `.*DIFFER  public\.users on demo: 1 of 500 rows differ.*status 1` + "\n",
	"others":  `.*permission denied` + "\nstatus 2\n",
	"again":   "0\n1\ndiffer\n",
	"remove":  `.*Removing ace-postgresql.*`,
	"purge":   `.*the archive in /var/lib/ace, your files in /etc/ace and the user ace remain.*`,
	"left": "/etc/ace/clusters/demo\\.json\n/var/lib/ace/archive/\\S*diffs/\\S+\\.json\n" +
		strings.Repeat(`ls: cannot access [^\n]*`+"\n", 3),
}

// containerSections are regular expressions for what container.sh prints.
var containerSections = map[string]string{
	"dockerfile": "ADD dist/release/ace-\\$\\{VERSION\\}-linux-\\$\\{TARGETARCH\\}.tar.gz /src/\nRUN /src/image.sh /src/ace-\\* /image\n",
	"version":    `ace v1\.2\.3 .*`,
	"refused":    `.*ACE_TOKEN_FILE.*status 78\n`,
	"compare":    `.*DIFFER  public\.users on demo: 1 of 500 rows differ.*status 1` + "\n",
	"user":       "65532:65532\n",
}

// onCopy runs a script of a directory on a copy of this machine and returns what it
// prints.
func onCopy(t *testing.T, input, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out bytes.Buffer
	command := exec.CommandContext(ctx, "../toolchain/as-root.sh", "testdata/on-a-copy.sh", input, script)
	command.Stdout = &out
	command.Stderr = &out
	command.WaitDelay = 10 * time.Second
	if err := command.Run(); err != nil {
		t.Fatalf("%s fails: %v\n%s", script, err, out.String())
	}
	return out.String()
}

// split splits output at its lines "## NAME".
func split(out string) map[string]string {
	sections := map[string]string{}
	for _, section := range strings.Split("\n"+out, "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = text
		if !strings.HasSuffix(text, "\n") && text != "" {
			sections[name] += "\n" // split has removed the newline before the next heading
		}
	}
	return sections
}

// copyFile copies a file; the copy of the machine sees only the directory.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.WriteFile(to, []byte(read(t, from)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
