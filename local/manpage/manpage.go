// Package manpage writes the manual page of a program, in the man format of groff, from
// the declarations of its commands. So the page and --help cannot differ.
package manpage

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// Page is the manual page of a program.
type Page struct {
	Program *cli.Command
	Version string    // the version of the program, which the footer of the page shows
	About   string    // the paragraph after the synopsis
	Shared  []Flags   // flags that several commands have, each listed once
	After   []Section // the sections after those of the commands and flags
}

// Flags are flags that several commands have. The page lists them in one section, and a
// command that has all of them refers to it.
type Flags struct {
	Title string // the title of the section
	Flags []cli.Flag
}

// Section is a section of definitions.
type Section struct {
	Title   string
	Entries []Entry
}

// Entry is a term with its definition. An entry without a term is a paragraph.
type Entry struct{ Term, Text string }

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	var out bytes.Buffer
	name := p.Program.Name
	fmt.Fprintf(&out, ".TH %s 1 \"\" %s\n", quote(strings.ToUpper(name)), quote(p.Version))
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n", escape(name), escape(p.Program.Usage))
	fmt.Fprintf(&out, ".SH SYNOPSIS\n.B %s\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n", escape(name))
	fmt.Fprintf(&out, ".SH DESCRIPTION\n%s", text(p.About))

	out.WriteString(".SH COMMANDS\n")
	for _, command := range p.Program.VisibleCommands() {
		p.writeCommand(&out, command)
	}
	for _, shared := range p.Shared {
		heading(&out, shared.Title)
		writeFlags(&out, shared.Flags)
	}
	for _, section := range p.After {
		section.write(&out)
	}

	_, err := w.Write(out.Bytes())
	return err
}

// writeCommand writes the subsection of a command: its purpose, description, examples
// and flags.
func (p Page) writeCommand(out *bytes.Buffer, command *cli.Command) {
	usage := strings.TrimSpace(p.Program.Name + " " + command.Name + " " + command.ArgsUsage)
	fmt.Fprintf(out, ".SS %s\n", quote(usage))
	out.WriteString(text(sentence(command.Usage)))

	for line := range strings.Lines(command.Description) {
		line = strings.TrimSpace(line)
		if example, ok := strings.CutPrefix(line, "Example: "); ok {
			fmt.Fprintf(out, ".PP\nExample:\n.PP\n.RS 4\n.EX\n%s\n.EE\n.RE\n", guard(escape(example)))
			continue
		}
		out.WriteString(".PP\n" + text(line))
	}

	own := command.Flags
	for _, shared := range p.Shared {
		if !containsAll(own, shared.Flags) {
			continue
		}
		own = without(own, shared.Flags)
		fmt.Fprintf(out, ".PP\nIt also has the flags of the section\n.B %s.\n", escape(strings.ToUpper(shared.Title)))
	}
	writeFlags(out, own)
}

// write writes a section.
func (s Section) write(out *bytes.Buffer) {
	heading(out, s.Title)
	for _, entry := range s.Entries {
		if entry.Term == "" {
			out.WriteString(".PP\n" + text(entry.Text))
			continue
		}
		fmt.Fprintf(out, ".TP\n.B %s\n%s", escape(entry.Term), text(entry.Text))
	}
}

func heading(out *bytes.Buffer, title string) {
	fmt.Fprintf(out, ".SH %s\n", quote(strings.ToUpper(title)))
}

// writeFlags writes an entry for each flag but --help, which the program adds to every
// command when it runs.
func writeFlags(out *bytes.Buffer, flags []cli.Flag) {
	for _, flag := range flags {
		described, ok := flag.(cli.DocGenerationFlag)
		if !ok || slices.Contains(flag.Names(), "help") {
			continue
		}
		fmt.Fprintf(out, ".TP\n%s\n%s", spelling(flag, described), text(explanation(described)))
	}
}

// spelling returns the names of a flag and the kind of its value, such as
// "-o, --output-file string".
func spelling(flag cli.Flag, described cli.DocGenerationFlag) string {
	var names []string
	for _, name := range flag.Names() {
		hyphens := "--"
		if len(name) == 1 {
			hyphens = "-"
		}
		names = append(names, `\fB`+escape(hyphens+name)+`\fR`)
	}
	slices.Reverse(names) // the short name is an alias, which Names returns last

	value := ""
	if described.TakesValue() {
		value = ` \fI` + escape(described.TypeName()) + `\fR`
	}
	return strings.Join(names, ", ") + value
}

// explanation returns what a flag is for, its default and its environment variables, as
// --help shows them.
func explanation(flag cli.DocGenerationFlag) string {
	out := flag.GetUsage()
	fallback := flag.GetDefaultText()
	if fallback == "" {
		fallback = flag.GetValue()
	}
	if fallback = strings.Trim(fallback, `"`); fallback != "" && flag.TakesValue() {
		out += " (default: " + fallback + ")"
	}
	if names := flag.GetEnvVars(); len(names) > 0 {
		out += " [$" + strings.Join(names, ", $") + "]"
	}
	return out
}

// containsAll reports whether the flags include all flags of a group.
func containsAll(flags, group []cli.Flag) bool {
	return !slices.ContainsFunc(group, func(f cli.Flag) bool { return !hasFlag(flags, f) })
}

// without returns the flags that are not in a group.
func without(flags, group []cli.Flag) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f cli.Flag) bool { return hasFlag(group, f) })
}

// hasFlag reports whether a list has a flag with the names and the explanation of f.
func hasFlag(flags []cli.Flag, f cli.Flag) bool {
	return slices.ContainsFunc(flags, func(other cli.Flag) bool { return other.String() == f.String() })
}
