package manpage_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"ace/local/manpage"
)

var update = flag.Bool("update", false, "writes the golden file again")

// page returns a page in which every kind of element occurs.
func page() manpage.Page {
	shared := func() []cli.Flag {
		return []cli.Flag{&cli.StringFlag{Name: "server", Usage: "the service", DefaultText: "localhost:5000", Sources: cli.EnvVars("ACE_SERVER")}}
	}
	return manpage.Page{
		Program: &cli.Command{
			Name: "ace", Usage: "find rows that differ",
			Commands: []*cli.Command{
				{
					Name: "get", ArgsUsage: "TASK", Usage: "download a document",
					Description: "Resumes a download. 'quoted' \\1\n.so /etc/passwd\nExample: ace get td_1 --format html",
					Flags: append([]cli.Flag{
						&cli.StringFlag{Name: "output-file", Aliases: []string{"o"}, Usage: "the file to write, - for the standard output"},
						&cli.StringFlag{Name: "format", Value: "json", Usage: "json, csv or html"},
						&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "ask nothing"},
					}, shared()...),
				},
				{Name: "serve", Usage: "answer the API"},
				{Name: "internal", Usage: "is not for users", Hidden: true},
			},
		},
		Version: `ace "1.0"`,
		About:   "Compares tables.",
		Shared:  []manpage.Flags{{Title: "Flags of the API", Flags: shared()}},
		After: []manpage.Section{{Title: "Files", Entries: []manpage.Entry{
			{Term: "/etc/ace/environment", Text: "Variables of the service."},
			{Text: ".A paragraph."},
		}}},
	}
}

func TestPage_HasEveryVisibleCommandAndFlagOnce(t *testing.T) {
	var got bytes.Buffer
	if err := page().Write(&got); err != nil {
		t.Fatal(err)
	}

	const golden = "testdata/page.1"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got), -update writes it again:\n%s", golden, diff)
	}
}

func TestPage_ReportsThatItCannotBeWritten(t *testing.T) {
	if err := page().Write(closed{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// closed is a writer that fails.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }
