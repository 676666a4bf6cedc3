package main

import (
	"bytes"
	"strings"
	"testing"

	"ace/local/client"
)

// A command or flag that is added appears in the page without further work. This test
// fails if one is missing, for example because its group is hidden or its section was
// renamed.
func TestManual_HasEveryCommandAndFlag(t *testing.T) {
	program := command()
	var page bytes.Buffer
	if err := manual(program).Write(&page); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(page.String(), `\-`, "-")

	for _, c := range program.VisibleCommands() {
		if !strings.Contains(text, ".SS \"ace "+c.Name) {
			t.Errorf("the page has no command %s", c.Name)
		}
		for _, f := range c.Flags {
			if entry := `\fB--` + f.Names()[0] + `\fR`; !strings.Contains(text, entry) {
				t.Errorf("the page has no flag --%s of ace %s", f.Names()[0], c.Name)
			}
		}
	}

	shared := append(client.CommonFlags(), configFlags()...)
	for _, f := range shared {
		if f.Names()[0] == "token-file" {
			continue // the client and the server have different flags of this name
		}
		if entry := `\fB--` + f.Names()[0] + `\fR`; strings.Count(text, entry) != 1 {
			t.Errorf("the page lists --%s %d times", f.Names()[0], strings.Count(text, entry))
		}
	}
}
