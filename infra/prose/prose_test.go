package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// found returns the findings of one file as "line: what".
func found(t *testing.T, name, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	findings, err := check(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		lines = append(lines, strings.TrimPrefix(f.String(), path+":"))
	}
	return lines
}

func TestCheck_FindsListedWordsInGo(t *testing.T) {
	const give, nobody = "gi" + "ves", "no" + "body" // split, because prose also checks this file
	source := "// Package p " + give + " values.\npackage p\n\n" +
		"import \"fmt\"\n\n" +
		"// Nothing is wrong here: `" + nobody + "` is code.\nfunc Test" + strings.ToUpper(nobody[:1]) + nobody[1:] + "Waits() error {\n" +
		"\tconst sql = `SELECT '" + nobody + "'`\n" +
		"\treturn fmt.Errorf(\"" + nobody + " answers\") // " + give + " in\n}\n"
	want := []string{
		`1: "` + give + `" -> returns`,
		`9: "` + give + `" -> returns`,
		`7: "` + nobody + `" -> name what acts: the caller, no process`,
		`9: "` + nobody + `" -> name what acts: the caller, no process`,
	}
	if diff := cmp.Diff(want, found(t, "p.go", source)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestCheck_FindsWideComments(t *testing.T) {
	wide := strings.Repeat("x ", 44) // 91 columns with the slashes
	source := "package p\n\n// " + wide[:87] + "\n// " + wide + "\n//nolint:all // " + wide + "\nvar _ = 1 // " + wide + "\n// http://" + wide + "\n"
	if diff := cmp.Diff([]string{"4: comment of 91 columns -> wrap at 90"}, found(t, "p.go", source)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestCheck_OfMarkdownLooksAtProseOnly(t *testing.T) {
	wide := strings.Repeat("x ", 51)
	page := "# Title\n\n" + wide + "\n| " + wide + "|\n```\n" + wide + "an" + "ew\n```\n[link](http://" + strings.Repeat("x", 100) + ") an" + "ew\n`an" + "ew` is code\n"
	want := []string{"3: line of 102 columns -> wrap at 100", `8: "an` + `ew" -> again`}
	if diff := cmp.Diff(want, found(t, "page.md", page)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestWording_KnowsIdioms(t *testing.T) {
	for text, want := range map[string]int{
		"a replica that lags be" + "hind": 0,
		"nothing is left be" + "hind":     0,
		"be" + "hind a load balancer":     0,
		"the logic be" + "hind it":        0,
		"be" + "hind the last row":        1,
		"it is wai" + "ted for":           1,
	} {
		if got := newWording().in(text); len(got) != want {
			t.Errorf("%q: found %q, want %d", text, got, want)
		}
	}
}

func TestClean_NamesPathsThatExist(t *testing.T) {
	t.Chdir("../..")
	for _, path := range clean() {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}
