//go:build !unit

package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

var update = flag.Bool("update", false, "writes the golden files of the commands again")

// shell runs commands of the client in a directory.
type shell struct {
	dir string
	env []string
}

// newShell returns a shell in a directory with a cluster definition. No service answers
// at ACE_LISTEN. A variable of libpq is set that would make every connection to a node
// fail.
func newShell(t testing.TB, c *pgtest.Cluster) shell {
	t.Helper()
	h := newHome(t, c)
	return shell{dir: h.dir, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "ACE_LISTEN=" + freeAddress(t), "PGTARGETSESSIONATTRS=bogus"}}
}

// freeAddress returns a loopback address at which nothing listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// ace runs a command and returns what it printed and its exit status.
func (s shell) ace(t testing.TB, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	var out, notes bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, &out, &notes
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), notes.String(), cmd.ProcessState.ExitCode()
}

// json runs a command with --json and decodes what it prints.
func (s shell) json(t testing.TB, into any, args ...string) (status int) {
	t.Helper()
	stdout, stderr, status := s.ace(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		t.Fatalf("ace %s printed %s\n%s: %v", strings.Join(args, " "), stdout, stderr, err)
	}
	return status
}

var (
	idsInOutput   = regexp.MustCompile(`t([a-z])_\d{8}_\d{6}(_[0-9a-z]{6})?`)
	timesInOutput = regexp.MustCompile(`\d+(\.\d+)? (ms|s)\b`)
	clusterName   = regexp.MustCompile(`\bt\d+_test[0-9a-z_]*`)
	datesInOutput = regexp.MustCompile(`\d{4}-\d\d-\d\d`)
)

// stable replaces what changes from run to run in the output of a command.
func stable(output string) string {
	output = idsInOutput.ReplaceAllString(output, "t${1}_ID")
	output = clusterName.ReplaceAllString(output, "CLUSTER")
	output = datesInOutput.ReplaceAllString(output, "DATE")
	return timesInOutput.ReplaceAllString(output, "TIME")
}

// checkGolden compares the output of commands with a file in testdata.
func checkGolden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("testdata/%s (-want +got), -update writes it again:\n%s", name, diff)
	}
}

// From "which rows differ?" to the undo in five commands, with no service running.
func TestCommands_CompareRepairAndUndoWithoutAService(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE users (id int PRIMARY KEY, name text, city text)`,
		`INSERT INTO users SELECT i, 'user ' || i, 'Oslo' FROM generate_series(1, 500) i`)
	c.Exec(t, 1, `UPDATE users SET city = NULL WHERE id = 7`, `UPDATE users SET name = E'\x1b[31mevil\u202e' WHERE id = 8`,
		`DELETE FROM users WHERE id = 9`, `INSERT INTO users VALUES (1000, 'extra', 'Rome')`)
	s := newShell(t, c)

	var printed strings.Builder
	run := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := s.ace(t, args...)
		if status != want {
			t.Fatalf("ace %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, stdout, stderr)
		}
		if !strings.Contains(stderr, "this command runs one itself, with the archive in file://") {
			t.Errorf("ace %s does not say that it runs the service itself: %s", strings.Join(args, " "), stderr)
		}
		printed.WriteString(stable("$ ace " + strings.Join(args, " ") + "\n" + stdout + "\n"))
		return idsInOutput.FindString(stdout)
	}
	diff := run(1, "table-diff", c.Name, "public.users", "--confirm-delay", "0")
	run(0, "show", diff)
	repair := run(0, "table-repair", diff, "--source-of-truth", "n1", "--yes")
	run(0, "table-rerun", diff, "--confirm-delay", "0")
	run(0, "table-undo", repair, "--yes")
	checkGolden(t, "walk.txt", printed.String())

	if got := c.QueryStrings(t, 1, `SELECT count(*)::text FROM users WHERE id IN (7, 8, 1000) AND (city IS NULL OR id > 7)`)[0][0]; got != "3" {
		t.Errorf("the undo restored %s of 3 rows", got)
	}
}

func TestCommands_UseTheServerThatIsNamed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 1, `UPDATE tiny SET name = 'other' WHERE id = 5`)
	h := newHome(t, c)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	service := h.serve(t, settings{"ACE_TOKEN_FILE": token})
	s := shell{dir: t.TempDir(), env: []string{"ACE_SERVER=http://" + service.host, "ACE_TOKEN_FILE=" + token}}

	var diff api.TaskStatus
	if status := s.json(t, &diff, "table-diff", c.Name, "public.tiny"); status != 1 || diff.Status != api.StatusCompleted {
		t.Fatalf("exit status %d, task %+v", status, diff)
	}
	var tasks api.TaskList
	if status := s.json(t, &tasks, "tasks", "--limit", "5"); status != 0 || len(tasks.Tasks) != 1 || tasks.Tasks[0].TaskID != diff.TaskID {
		t.Errorf("exit status %d, tasks %+v", status, tasks)
	}
	var diffs api.DiffList
	if status := s.json(t, &diffs, "diffs"); status != 0 || len(diffs.Diffs) != 1 || diffs.Diffs[0].MismatchedRows != 1 {
		t.Errorf("exit status %d, documents %+v", status, diffs)
	}
	s.checkDownload(t, diff.TaskID)

	release := hold(t, c, "tiny")
	stdout, _, status := s.ace(t, "table-diff", c.Name, "public.tiny", "--no-wait")
	waiting := strings.TrimSpace(stdout)
	if status != 0 || !api.IsTaskID(waiting) {
		t.Fatalf("--no-wait: exit status %d, %q", status, stdout)
	}
	if stdout, stderr, status := s.ace(t, "cancel", waiting); status != 0 || !strings.HasPrefix(stdout, "CANCELLED") {
		t.Errorf("cancel: exit status %d, %s%s", status, stdout, stderr)
	}
	release()
	if _, _, status := s.ace(t, "status", waiting); status != 3 {
		t.Errorf("the status of a cancelled task has the exit status %d", status)
	}

	for _, tt := range []struct {
		want string
		args []string
	}{
		{"does not exist", []string{"status", "td_20240315_123456"}},
		{"needs CLUSTER SCHEMA.TABLE", []string{"table-diff", c.Name}},
		{`block_rows is "x"`, []string{"table-diff", c.Name, "public.tiny", "--block-rows", "x"}},
		{"set --yes", []string{"table-repair", diff.TaskID, "--source-of-truth", "n1"}},
		{"give source_of_truth, the node whose rows are right, or resolve, a rule", []string{"table-repair", diff.TaskID}},
		{"no answer from http://127.0.0.1:1", []string{"tasks", "--server", "http://127.0.0.1:1"}},
		{"valid token", []string{"tasks", "--token-file", "/dev/null"}},
		{"flag provided but not defined", []string{"tasks", "--no-such-flag"}},
	} {
		if stdout, stderr, status := s.ace(t, tt.args...); status != 2 || !strings.Contains(stderr, tt.want) {
			t.Errorf("ace %s: exit status %d, want 2 and %q\n%s%s", strings.Join(tt.args, " "), status, tt.want, stdout, stderr)
		}
	}
}

// checkDownload checks that an interrupted download is resumed, that a damaged one is
// refused, and that no file is overwritten.
func (s shell) checkDownload(t *testing.T, id string) {
	t.Helper()
	get := func(want int, args ...string) {
		t.Helper()
		if _, stderr, status := s.ace(t, append([]string{"get", id}, args...)...); status != want {
			t.Errorf("ace get %s: exit status %d, want %d: %s", strings.Join(args, " "), status, want, stderr)
		}
	}
	get(0, "--format", "csv")
	get(0)
	get(2) // the file exists
	path := filepath.Join(s.dir, id+".json")
	whole, err := os.ReadFile(path)
	if err != nil || !json.Valid(whole) {
		t.Fatalf("the document is %q, %v", whole, err)
	}

	other := filepath.Join(s.dir, "other.json")
	for name, part := range map[string][]byte{
		"interrupted": whole[:100], "complete": whole, "too long": append(bytes.Clone(whole), "more"...), "damaged": append([]byte("x"), whole[1:100]...),
	} {
		if err := os.WriteFile(other+".part", part, 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "damaged" {
			get(2, "-o", other)
		}
		get(0, "-o", other)
		if got, err := os.ReadFile(other); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%s: the file has %d bytes, want %d; %v", name, len(got), len(whole), err)
		}
		if exists(t, other+".part") {
			t.Errorf("%s: the partial file is left", name)
		}
	}
	if stdout, _, _ := s.ace(t, "get", id, "-o", "-"); stdout != string(whole) {
		t.Errorf("-o - prints %q", stdout)
	}

	// A document on this machine is imported first.
	if stdout, stderr, status := s.ace(t, "table-rerun", "other.json"); status != 1 || !strings.HasPrefix(stdout, "DIFFER") {
		t.Errorf("table-rerun of a file: exit status %d, %s%s", status, stdout, stderr)
	}
}
