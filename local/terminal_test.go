//go:build !unit

package main_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/creack/pty"

	"ace/infra/testkit/output"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// terminal is a command that runs in a terminal.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	keys io.Writer

	output.Buffer // what the command has printed
	ended         chan struct{}
}

// inTerminal starts a command in a terminal of 120 columns.
func (s shell) inTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	x := &terminal{t: t, cmd: exec.CommandContext(t.Context(), binary, args...), ended: make(chan struct{})}
	x.cmd.Dir, x.cmd.Env = s.dir, append(s.env, "TERM=xterm")
	file, err := pty.StartWithSize(x.cmd, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		t.Fatal(err)
	}
	x.keys = file
	go func() {
		defer close(x.ended)
		_, _ = io.Copy(x, file) // ends with an error when the command has ended
		_ = x.cmd.Wait()        // the exit status is read from its state
		_ = file.Close()
	}()
	return x
}

// expect waits until the command has printed a text.
func (x *terminal) expect(text string) {
	x.t.Helper()
	eventually(x.t, taskTimeout, "the terminal shows "+text, func() bool {
		if strings.Contains(x.String(), text) {
			return true
		}
		select {
		case <-x.ended:
			x.t.Fatalf("the command ended without %q:\n%s", text, x)
		default:
		}
		return false
	})
}

// press sends keys to the command.
func (x *terminal) press(keys string) {
	x.t.Helper()
	if _, err := io.WriteString(x.keys, keys); err != nil && !errors.Is(err, os.ErrClosed) {
		x.t.Fatal(err)
	}
}

// status waits for the end and returns the exit status.
func (x *terminal) status() int {
	<-x.ended
	return x.cmd.ProcessState.ExitCode()
}

const interrupt = "\x03" // Ctrl-C

func TestCommands_AskBeforeTheyChangeRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 1, `UPDATE tiny SET name = 'other' WHERE id = 5`)
	s := newShell(t, c)
	var diff api.TaskStatus
	s.json(t, &diff, "table-diff", c.Name, "public.tiny", "--confirm-delay", "0")

	for _, answer := range []string{"n\n", "\n", interrupt} {
		x := s.inTerminal(t, "table-repair", diff.TaskID, "--source-of-truth", "n1")
		x.expect("DRY RUN")
		x.expect("Change these rows? [y/N]")
		x.press(answer)
		if status := x.status(); status != 3 || !strings.Contains(x.String(), "nothing was changed") {
			t.Errorf("answer %q: exit status %d\n%s", answer, status, x)
		}
	}
	if got := c.QueryStrings(t, 1, `SELECT name FROM tiny WHERE id = 5`)[0][0]; got != "other" {
		t.Fatalf("the row is %q", got)
	}

	x := s.inTerminal(t, "table-repair", diff.TaskID, "--source-of-truth", "n1")
	x.expect("[y/N]")
	x.press("y\n")
	if status := x.status(); status != 0 || !strings.Contains(x.String(), "To undo: ace table-undo tr_") {
		t.Errorf("exit status %d\n%s", status, x)
	}
	if got := c.QueryStrings(t, 1, `SELECT name FROM tiny WHERE id = 5`)[0][0]; got != "name 5" {
		t.Errorf("the row is %q", got)
	}
}

// Ctrl-C asks whether to cancel the task. "n" and a second Ctrl-C leave it running.
func TestCommands_AskWhenTheyAreInterrupted(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	service := newHome(t, c).serve(t, nil)
	s := shell{dir: t.TempDir(), env: []string{"ACE_SERVER=http://" + service.host}}

	release := hold(t, c, "tiny")
	defer release()
	for _, tt := range []struct {
		name, second, state string
	}{
		{"left running", "n\n", api.StatusRunning},
		{"interrupted again", interrupt, api.StatusRunning},
		{"cancelled", "y\n", api.StatusCancelled},
	} {
		x := s.inTerminal(t, "table-diff", c.Name, "public.tiny")
		x.expect("starting")
		x.press(interrupt)
		x.expect("Cancel task td_")
		x.press(tt.second)
		if status := x.status(); status != 3 {
			t.Errorf("%s: exit status %d\n%s", tt.name, status, x)
		}
		if state := service.status(t, idsInOutput.FindString(x.String())).Status; state != tt.state {
			t.Errorf("%s: the task is %s, want %s\n%s", tt.name, state, tt.state, x)
		}
		if tt.state == api.StatusRunning {
			s.ace(t, "cancel", idsInOutput.FindString(x.String()))
		}
	}
}

// A task that an interrupted command ran itself is resumed by the next command that waits
// for it.
func TestCommands_ResumeATaskThatAnInterruptedCommandRan(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newShell(t, c)

	release := hold(t, c, "tiny")
	x := s.inTerminal(t, "table-diff", c.Name, "public.tiny", "--confirm-delay", "0")
	x.expect("starting")
	x.press(interrupt)
	x.expect("[y/N]")
	x.press("n\n")
	id := idsInOutput.FindString(x.String())
	if status := x.status(); status != 3 || !strings.Contains(x.String(), "ace status --watch "+id) {
		t.Fatalf("exit status %d\n%s", status, x)
	}

	release()
	if stdout, stderr, status := s.ace(t, "status", "--watch", id); status != 0 || !strings.HasPrefix(stdout, "MATCH") {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
}
