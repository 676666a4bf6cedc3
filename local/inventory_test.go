//go:build !unit

package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

var (
	addressesInOutput = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	serversInOutput   = regexp.MustCompile(`\b1\d\.\d+( \([^)]*\))?`)
	clocksInOutput    = regexp.MustCompile(`[+-]\d\.\d{3} s`)
	agesInOutput      = regexp.MustCompile(`\d\d:\d\d:\d\d \([^)]*\)`)
	widthsInOutput    = regexp.MustCompile(` {2,}|─+`)
)

// stableTables is like stable for output with tables whose widths change from run to run.
func stableTables(output string) string {
	for found, instead := range map[*regexp.Regexp]string{addressesInOutput: "ADDRESS", clocksInOutput: "CLOCK", agesInOutput: "AGE"} {
		output = found.ReplaceAllString(output, instead)
	}
	output = serversInOutput.ReplaceAllString(output, "VERSION")
	return widthsInOutput.ReplaceAllStringFunc(stable(output), func(text string) string { return string([]rune(text)[:1]) })
}

func TestCommands_ListClustersAndTables(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	tiny(t, c)
	c.ExecAll(t, `CREATE TABLE keyless (id int)`, "CREATE TABLE \"\x1b[31mred\nline\u202e\" (\"id\x1b\" int PRIMARY KEY)", `ANALYZE`)
	c.Exec(t, 0, `CREATE TABLE lonely (id int PRIMARY KEY)`)
	c.Exec(t, 1, `UPDATE tiny SET name = 'other' WHERE id = 5`)
	check := asRole(t, c)
	s := newShell(t, c)
	if _, stderr, status := s.ace(t, "table-diff", c.Name, "public.tiny", "--confirm-delay", "0"); status != 1 {
		t.Fatalf("exit status %d: %s", status, stderr)
	}

	var printed strings.Builder
	run := func(s shell, want int, args ...string) {
		t.Helper()
		stdout, stderr, status := s.ace(t, args...)
		if status != want {
			t.Errorf("ace %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, stdout, stderr)
		}
		printed.WriteString(stableTables("$ ace " + strings.Join(args, " ") + "\n" + strings.NewReplacer(check.User, "ROLE", s.dir, "DIR").Replace(stdout) + "\n"))
	}
	run(s, 0, "clusters")
	run(s, 0, "clusters", "check", c.Name)
	run(s, 0, "tables", c.Name)
	run(s, 0, "tables", c.Name, "--schema", "none")

	broken := *check
	broken.Nodes = slices.Clone(c.Nodes)
	broken.Nodes[1].Port = closedPort(t)
	down := newShell(t, &broken)
	if err := os.WriteFile(filepath.Join(down.dir, "clusters", "broken.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(down, 0, "clusters")
	run(down, 2, "clusters", "check")
	run(down, 2, "tables", c.Name)
	checkGolden(t, "inventory.txt", printed.String())

	var list api.TableList
	if status := down.json(t, &list, "tables", c.Name, "--limit", "1"); status != 2 || len(list.Tables) != 1 || len(list.UnreadNodes) != 1 || list.Next == "" {
		t.Errorf("exit status %d, %+v", status, list)
	}
	var checks api.ClusterCheckList
	if status := down.json(t, &checks, "clusters", "check"); status != 2 || len(checks.Clusters) != 2 {
		t.Errorf("exit status %d, %+v", status, checks)
	}
	for want, args := range map[string][]string{
		"there is no cluster nowhere": {"clusters", "check", "nowhere"}, "needs CLUSTER": {"tables"},
		`limit is "0"`: {"tables", c.Name, "--limit", "0"}, "at most one argument": {"clusters", "a", "b"}, "no task id": {"open", "td"},
	} {
		if _, stderr, status := s.ace(t, args...); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("ace %s: exit status %d: %s", strings.Join(args, " "), status, stderr)
		}
	}
}

// A document is opened at its address in the service, or in a file if a browser cannot
// use the service.
func TestCommands_OpenADocumentInABrowser(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	service := newHome(t, c).serve(t, nil)
	dir := t.TempDir()
	opened := filepath.Join(dir, "opened")
	browser := filepath.Join(dir, "browser")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\necho \"browser $@\"\necho \"$@\" >> "+opened+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := shell{dir: dir, env: []string{"ACE_SERVER=http://" + service.host, "PATH=" + dir, "BROWSER=no-such-browser:" + browser + " --new %s"}}
	var diff api.TaskStatus
	s.json(t, &diff, "table-diff", c.Name, "public.tiny", "--confirm-delay", "0")
	address := "http://" + service.host + "/ace/diffs/" + diff.TaskID + "?format=html"

	x := s.inTerminal(t, "open", diff.TaskID)
	x.expect("browser --new " + address)
	if status := x.status(); status != 0 {
		t.Errorf("exit status %d: %s", status, x)
	}
	if got, err := os.ReadFile(opened); err != nil || string(got) != "--new "+address+"\n" {
		t.Errorf("the browser was called with %q, %v", got, err)
	}

	s.env = []string{"ACE_SERVER=http://" + service.host, "PATH=" + dir}
	if stdout, stderr, status := s.ace(t, "open", diff.TaskID); status != 0 || stdout != address+"\n" {
		t.Errorf("without a browser: exit status %d\n%s%s", status, stdout, stderr)
	}
	var answer struct{ Address string }
	if status := s.json(t, &answer, "open", diff.TaskID); status != 0 || answer.Address != address {
		t.Errorf("exit status %d, %+v", status, answer)
	}
	if _, stderr, status := s.ace(t, "open", "td_20000101_000000"); status != 2 || !strings.Contains(stderr, "does not exist") {
		t.Errorf("exit status %d: %s", status, stderr)
	}

	alone := newShell(t, c) // the service ends with the command
	alone.json(t, &diff, "table-diff", c.Name, "public.tiny", "--confirm-delay", "0")
	alone.env = append(alone.env, "BROWSER="+browser)
	stdout, stderr, status := alone.ace(t, "open", diff.TaskID)
	file := filepath.Join(alone.dir, diff.TaskID+".html")
	if page, err := os.ReadFile(file); status != 0 || stdout != "browser file://"+file+"\n" || err != nil || !strings.HasPrefix(string(page), "<!doctype html>") {
		t.Errorf("exit status %d, %v\n%s%s", status, err, stdout, stderr)
	}
}
