//go:build !unit

package readme

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ace/infra/testbed"
)

var update = flag.Bool("update", false, "takes the picture docs/report.png again")

// TestReadme_EveryCommandWorksAsPasted runs all shell blocks but the first in one
// shell, in their order. It changes what a reader changes: the definition of the
// cluster, and the dates. It answers the questions with yes. It also moves the service to
// a free port and to the background, where a reader uses a second terminal.
func TestReadme_EveryCommandWorksAsPasted(t *testing.T) {
	requireCommands(t, "bash", "curl", "jq", "make")
	dir := copyRepository(t)
	nodes := startNodes(t)
	if err := testbed.Define(dir, "demo", nodes.Ports()); err != nil {
		t.Fatal(err)
	}
	definition := filepath.Join(dir, "demo.json")
	setRole(t, definition)

	blocks := shell(readBlocks(t))
	if len(blocks) < 2 {
		t.Fatal("README.md has no shell blocks")
	}
	out := run(t, dir, script(t, blocks[1:], definition))

	checkOutputs(t, out)
	checkShown(t, out)
	if *update {
		takePicture(t, filepath.Join(dir, "report.html"))
	}
}

// script returns a shell script that runs the blocks. Output begins with a line for
// each block.
func script(t *testing.T, blocks []string, definition string) string {
	t.Helper()
	address := freeAddress(t)
	var s strings.Builder
	s.WriteString(preamble)
	for i, text := range blocks {
		fmt.Fprintf(&s, "echo '### block %d'\n", i)
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "cp ") || strings.Contains(line, "&& cp ") {
				line += "cp '" + definition + "' clusters/demo.json\n"
			}
			line = asks.ReplaceAllString(line, "${0} --yes")
			line = compares.ReplaceAllString(line, "${0} || [ $$? = 1 ]")
			if serves.MatchString(line) {
				s.WriteString("stop\n")
				line = serves.ReplaceAllString(line, "${1}bin/ace serve & server=$!; answers http://"+address+"/healthz\n")
			}
			s.WriteString(line)
		}
	}

	s.WriteString("curl -s $ace/schedules\n")

	now := time.Now().UTC()
	month := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	dates := regexp.MustCompile(`--since [0-9-]+ --until [0-9-]+`)
	return "export ACE_LISTEN=" + address + "\n" + strings.ReplaceAll(dates.ReplaceAllString(s.String(),
		"--since "+month.Format(time.DateOnly)+" --until "+month.AddDate(0, 1, 0).Format(time.DateOnly)), "localhost:5000", address)
}

var (
	// asks matches the commands that ask a question.
	asks = regexp.MustCompile(`^bin/ace table-(repair|undo) [^#]*[^# ]`)
	// compares matches the commands whose exit status is 1 if rows differ.
	compares = regexp.MustCompile(`^bin/ace table-(diff|rerun) [^#]*[^# ]`)
)

// serves matches a command that starts the service, with its variables.
var serves = regexp.MustCompile(`(?m)^(.*)bin/ace serve\b.*$`)

const preamble = `
set -euo pipefail
server=
stop() { if [ -n "$server" ]; then kill "$server"; wait "$server" || true; server=; fi; }
answers() { for i in $(seq 100); do curl -sf "$1" >/dev/null && return; sleep 0.1; done; return 1; }
trap stop EXIT
`

// run runs the script in a directory and returns what it prints.
func run(t *testing.T, dir, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	shell := exec.CommandContext(ctx, "bash")
	shell.Dir = dir
	shell.Stdin = strings.NewReader(script)
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	var out, errs bytes.Buffer
	shell.Stdout = &out
	shell.Stderr = &errs
	if err := shell.Run(); err != nil {
		t.Fatalf("the commands fail: %v\n%s\n%s", err, out.String(), errs.String())
	}
	return out.String()
}

// checkOutputs checks what the commands must show for the differences of testdata/demo.
func checkOutputs(t *testing.T, out string) {
	t.Helper()
	for _, want := range []string{
		"DIFFER  public.customers on demo: 5 of",
		"(no row)",  // show
		"committed", // the repair
		"MATCH  public.customers on demo: ",
		`{"task_id":"td_`, // the service
		`"name":"nightly"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %s:\n%s", want, out)
		}
	}
}

// checkShown checks that the commands print the lines that README.md shows after the
// output of the demo. Digits may differ: they are times and task ids.
func checkShown(t *testing.T, out string) {
	t.Helper()
	var shown []string
	for _, b := range readBlocks(t) {
		if b.language == "" {
			shown = append(shown, b.text)
		}
	}

	printed := normal(out)
	for line := range strings.Lines(strings.Join(shown[1:], "")) {
		if line = strings.TrimSpace(line); !strings.Contains(printed, normal(line)) {
			t.Errorf("README.md shows a line that no command prints: %s", line)
		}
	}
}

// TestReadme_ShowsWhatTheDemoPrints runs `make demo` and compares its output with the
// block in README.md. Digits may differ: they are times and task ids.
func TestReadme_ShowsWhatTheDemoPrints(t *testing.T) {
	dir := copyRepository(t)
	shown := ""
	for _, b := range readBlocks(t) {
		if b.language == "" {
			shown = b.text
			break
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	demo := exec.CommandContext(ctx, "make", "demo")
	demo.Dir = dir
	demo.WaitDelay = time.Minute
	demo.Cancel = func() error { return demo.Process.Signal(syscall.SIGTERM) }
	printed, err := demo.CombinedOutput()
	if err != nil {
		t.Fatalf("make demo: %v\n%s", err, printed)
	}

	found := normal(string(printed))
	for line := range strings.Lines(shown) {
		if line = strings.TrimSpace(line); line != "..." && !strings.Contains(found, normal(line)) {
			t.Errorf("README.md shows a line that the demo does not print: %s\n%s", line, printed)
		}
	}
}

// normal returns text in which digits and widths of columns do not matter.
func normal(text string) string {
	text = regexp.MustCompile(`[0-9]+`).ReplaceAllString(text, "0")
	return regexp.MustCompile(`[ \t]+`).ReplaceAllString(text, " ")
}

func TestReadme_NamesTargetsThatExist(t *testing.T) {
	for target := range strings.Lines(shell(readBlocks(t))[0]) {
		fields := strings.Fields(target)
		if len(fields) < 2 || fields[0] != "make" {
			t.Fatalf("the first block of README.md has a command other than make: %s", target)
		}
		cmd := exec.CommandContext(t.Context(), "make", "-n", fields[1])
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("make %s: %v\n%s", fields[1], err, out)
		}
	}
}

// setRole changes the definition of a cluster so that ACE connects with the role for
// repairs that infra/roles.sql creates.
func setRole(t *testing.T, definition string) {
	t.Helper()
	body, err := os.ReadFile(definition)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`"db_user": "[^"]*"`).ReplaceAll(body, []byte(`"db_user": "ace_repair"`))
	if bytes.Equal(body, changed) {
		t.Fatalf("%s has no db_user:\n%s", definition, body)
	}
	if err := os.WriteFile(definition, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

// startNodes starts three nodes that differ as those of the demo do.
func startNodes(t *testing.T) *testbed.Nodes {
	t.Helper()
	nodes, err := testbed.StartNodes(t.Context(), 3, nil)
	t.Cleanup(func() {
		if err := nodes.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}

	data := filepath.Join(root, "testdata", "demo")
	if _, err := nodes.All(t.Context(), "-f", filepath.Join(data, "customers.sql")); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes.All(t.Context(), "-f", filepath.Join(root, "infra", "roles.sql")); err != nil {
		t.Fatal(err)
	}
	for node, file := range map[int]string{1: "drift-n2.sql", 2: "drift-n3.sql"} {
		if _, err := nodes.One(t.Context(), node, "-f", filepath.Join(data, file)); err != nil {
			t.Fatal(err)
		}
	}
	return nodes
}

// copyRepository copies what the commands need, as a clone would, and returns the
// directory.
func copyRepository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"docs", "functions", "infra", "local", "shared", "testdata", "tools"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(root, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Makefile", "go.mod", "go.sum"} {
		body, err := os.ReadFile(filepath.Join(root, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), body, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	// The servers that `make deps` built are not built again.
	cache, err := filepath.Abs(filepath.Join(root, ".cache"))
	if err == nil {
		_, err = os.Stat(cache)
	}
	if err == nil {
		err = os.Symlink(cache, filepath.Join(dir, ".cache"))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return dir
}

func requireCommands(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("%s is not installed: run `make deps`", name)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// takePicture renders the report with Chromium.
func takePicture(t *testing.T, report string) {
	t.Helper()
	picture, err := filepath.Abs(filepath.Join(root, "docs", "report.png"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "chromium", "--headless", "--no-sandbox", "--hide-scrollbars",
		"--window-size=1280,1000", "--screenshot="+picture, "file://"+report)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, out)
	}
}
