package client_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"ace/local/client"
)

var update = flag.Bool("update", false, "writes the golden files again")

func TestCommands_HelpHasAnExampleAndEveryFlag(t *testing.T) {
	for _, command := range client.Commands(client.Options{}) {
		checkHelp(t, command.Name)
		for _, below := range command.Commands {
			checkHelp(t, command.Name, below.Name)
		}
	}
}

// checkHelp checks the help of a command, which words name.
func checkHelp(t *testing.T, words ...string) {
	t.Run(strings.Join(words, " "), func(t *testing.T) {
		var help bytes.Buffer
		root := &cli.Command{Name: "ace", Writer: &help, Commands: client.Commands(client.Options{})}
		if err := root.Run(t.Context(), slices.Concat([]string{"ace"}, words, []string{"--help"})); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(help.Bytes(), []byte("Example: ace "+strings.Join(words, " "))) {
			t.Errorf("the help has no example")
		}
		checkGolden(t, "help-"+strings.Join(words, "-")+".txt", help.Bytes())
	})
}

// checkGolden compares got with a file in testdata.
func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("testdata/%s (-want +got), -update writes it again:\n%s", name, diff)
	}
}
