//go:build !unit

package main_test

import (
	"strings"
	"testing"
	"unicode"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// hostileTexts has the sequences that terminals act upon: to clear the screen, to write
// to the clipboard (OSC 52), to show a link (OSC 8), to overwrite a line, to reorder or
// hide text, and to begin a forged line.
const hostileTexts = "\x1b[2J\x1b]52;c;cm0K\x07\x1b]8;;http://evil\x1b\\x\x1b]8;;\x1b\\a\rb\b\x7f\u009b2J\u202eabc\u2066\u200b\ufeff\u2028\nace: forged\nMATCH  forged"

// checkOutput fails the test if an output has a character that a terminal acts upon, or a
// line that a value forged.
func checkOutput(t *testing.T, of, output string) {
	t.Helper()
	checkCharacters(t, of, output)
	for line := range strings.SplitSeq(output, "\n") {
		if strings.HasPrefix(line, "ace: forged") || strings.HasPrefix(line, "MATCH  forged") {
			t.Errorf("%s has a forged line: %q", of, output)
		}
	}
}

// checkCharacters fails the test if an output has a character that a terminal acts upon.
func checkCharacters(t *testing.T, of, output string) {
	t.Helper()
	unsafe := func(r rune) bool {
		return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
	}
	if i := strings.IndexFunc(output, unsafe); i >= 0 {
		t.Errorf("%s has an unsafe character at %d: %q", of, i, output[max(0, i-200):min(len(output), i+200)])
	}
}

// A value, a name, and a message of a server cannot move the cursor or forge a line.
func TestOutputs_HostileTextsAreShownAsEscapes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	quote := func(text string) string { return `"` + text + `"` }
	// A name has at most 63 bytes, so the hostile texts are in several names.
	table, column, keyColumn := "t\x1b[2J\x1b]52;c;x\x07\u202e\nMATCH  forged", "c\x1b]8;;x\x1b\\\u009b2J\r\b\nace: forged", "k\u2066\u200b\x7f"
	create := `CREATE TABLE ` + quote(table) + ` (` + quote(keyColumn) + ` text PRIMARY KEY, ` + quote(column) + ` text)`
	c.ExecAll(t, create, `INSERT INTO `+quote(table)+` SELECT 'key ' || i, 'v' FROM generate_series(1, 20) i`)
	c.Exec(t, 0, `INSERT INTO `+quote(table)+` VALUES ('`+hostileTexts+`', '`+hostileTexts+`'), ('both', '`+hostileTexts+`')`)
	c.Exec(t, 1, `INSERT INTO `+quote(table)+` VALUES ('both', '`+hostileTexts+` other')`,
		`CREATE TABLE raising (id int PRIMARY KEY)`, `CREATE FUNCTION raise() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING MESSAGE = '`+hostileTexts+`'; END $$`,
		`CREATE TRIGGER raise BEFORE INSERT ON raising FOR EACH ROW EXECUTE FUNCTION raise()`, `ALTER TABLE raising ENABLE ALWAYS TRIGGER raise`)
	c.Exec(t, 0, `CREATE TABLE raising (id int PRIMARY KEY)`, `INSERT INTO raising VALUES (1)`)
	s := newShell(t, c)
	s.env = append(s.env, "ACE_LOG_LEVEL=debug")

	run := func(want int, args ...string) string {
		t.Helper()
		for _, format := range []string{"text", "json"} {
			logged := s
			logged.env = append(s.env[:len(s.env):len(s.env)], "ACE_LOG_FORMAT="+format)
			stdout, stderr, status := logged.ace(t, args...)
			name := "ace " + strings.Join(args, " ")
			if status != want {
				t.Fatalf("%q: exit status %d, want %d\n%q\n%q", name, status, want, stdout, stderr)
			}
			checkOutput(t, name, stdout)
			checkOutput(t, name+" (standard error)", stderr)
			if format == "json" {
				return idsInOutput.FindString(stdout)
			}
		}
		return ""
	}
	// A command may run twice (with both formats of the log) because each comparison is a
	// task of its own.
	diff := run(1, "table-diff", c.Name, "public."+quote(table), "--confirm-delay", "0")
	run(0, "show", diff)
	run(1, "status", diff)
	run(1, "status", diff, "--json")
	run(0, "tasks")
	run(0, "tasks", "--json")
	run(0, "diffs")
	run(0, "tables", c.Name)
	run(0, "tables", c.Name, "--json")
	run(1, "schema-diff", c.Name, "public", "--confirm-delay", "0")
	dry := run(0, "table-repair", diff, "--source-of-truth", "n1", "--dry-run", "--generate-sql")
	run(0, "status", dry)
	run(2, "table-diff", c.Name, "public."+hostileTexts)
	run(2, "table-diff", c.Name, hostileTexts)
	run(2, "status", hostileTexts)
	run(2, "table-diff", c.Name, "public."+quote(table), "--table-filter", hostileTexts)
	run(2, "rules", "check", hostileTexts)
	failing := run(1, "table-diff", c.Name, "public.raising", "--confirm-delay", "0")
	repair := run(2, "table-repair", failing, "--source-of-truth", "n1", "--yes")
	run(2, "status", repair)
	run(2, "status", repair, "--json")
	run(0, "doctor")

	// A terminal gets escapes; a file and a pipe get the bytes of the archive. A field of a
	// CSV file and a quoted name of a script may have several lines.
	for _, format := range []string{api.FormatCSV, api.FormatJSON} {
		x := s.inTerminal(t, "get", diff, "--format", format, "-o", "-")
		if status := x.status(); status != 0 {
			t.Errorf("exit status %d: %s", status, x)
		}
		checkCharacters(t, "ace get --format "+format, strings.ReplaceAll(x.String(), "\r\n", "\n"))
	}
	script := s.inTerminal(t, "report", dry, "--format", "sql", "--node", "n2", "-o", "-")
	if status := script.status(); status != 0 {
		t.Errorf("exit status %d: %s", status, script)
	}
	checkCharacters(t, "ace report --format sql", strings.ReplaceAll(script.String(), "\r\n", "\n"))
	file, _, _ := s.ace(t, "report", dry, "--format", "sql", "--node", "n2", "-o", "-")
	if strings.Contains(file, "\nace: forged\nMATCH") {
		t.Errorf("a value forges a line of the script:\n%s", file)
	}
}
