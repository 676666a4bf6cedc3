package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"ace/shared/fault"
	"ace/shared/visible"
)

// findings prints what ace doctor finds, in sections, and counts errors and warnings.
type findings struct {
	out      io.Writer
	indent   string
	begun    bool
	errors   int
	warnings int
	invalid  bool  // at least one error must be corrected in the configuration
	lost     error // why the output could not be written; nil if it could
}

// section prints the heading of a new section. The findings that follow are indented
// below it.
func (f *findings) section(format string, args ...any) { f.begin("", format, args...) }

// subsection prints the heading of a part of the section.
func (f *findings) subsection(format string, args ...any) { f.begin("  ", format, args...) }

func (f *findings) begin(indent, format string, args ...any) {
	if f.begun {
		f.write("\n")
	}
	f.begun = true
	f.write("%s%s\n", indent, visible.Line(fmt.Sprintf(format, args...)))
	f.indent = indent + "  "
}

// ok prints something that was checked and needs no correction.
func (f *findings) ok(format string, args ...any) { f.print("ok", fmt.Sprintf(format, args...), "") }

// note prints a fact that needs no action.
func (f *findings) note(text string) { f.print("note", text, "") }

// warn prints a warning. remedy states what to do. It is empty if the text of the warning
// states that.
func (f *findings) warn(remedy, format string, args ...any) {
	f.warnings++
	f.print("warning", fmt.Sprintf(format, args...), remedy)
}

// fail prints an error. remedy states what to do. It is empty if the text of the error
// states that.
func (f *findings) fail(err error, remedy string) {
	f.errors++
	f.invalid = f.invalid || fault.CodeOf(err) == fault.Invalid || fault.CodeOf(err) == fault.NotFound
	f.print("error", fault.PublicMessage(err), remedy)
}

// failAll prints err. If err was made by errors.Join, it prints each of the joined errors
// separately.
func (f *findings) failAll(err error) {
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) {
		f.fail(err, "")
		return
	}
	for _, one := range joined.Unwrap() {
		f.failAll(one)
	}
}

// print prints one finding. Its further lines are aligned below the first.
func (f *findings) print(kind, text, remedy string) {
	below := "\n" + f.indent + strings.Repeat(" ", len("warning  "))
	if remedy != "" {
		text += "\n" + remedy
	}
	f.write("%s%-7s  %s\n", f.indent, kind, strings.ReplaceAll(visible.Block(text, ""), "\n", below))
}

func (f *findings) write(format string, args ...any) {
	if _, err := fmt.Fprintf(f.out, format, args...); err != nil {
		f.lost = err
	}
}

// end prints the numbers of errors and warnings. It returns an error if there are errors;
// the code is Invalid if something must be corrected in the configuration.
func (f *findings) end() error {
	f.write("\n")
	total := numbered(f.errors, "error") + ", " + numbered(f.warnings, "warning")
	switch {
	case f.errors == 0:
		f.write("%s\n", total)
		return f.lost
	case f.invalid:
		return fault.New(fault.Invalid, "%s", total)
	}
	return fault.New(fault.Unavailable, "%s", total)
}

// numbered returns a number with its noun, such as "1 error", "2 errors" or "no errors".
func numbered(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "x") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
