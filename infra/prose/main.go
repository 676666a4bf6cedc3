// Command prose checks the English of comments, messages and documentation: words that
// plain technical English does not use, comment lines wider than 90 columns, and Markdown
// prose wider than 100. It prints each finding as file:line: what is wrong -> what to
// write, and fails if it has printed a finding.
//
// Without arguments it checks the paths that the function clean returns. `go run
// ./infra/prose PATH...` checks other paths.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// finding is one position in a file that must be corrected.
type finding struct {
	file string
	line int
	what string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.file, f.line, f.what) }

func main() {
	paths := os.Args[1:]
	if len(paths) == 0 {
		paths = clean()
	}
	if err := run(paths); err != nil {
		fmt.Fprintln(os.Stderr, "prose:", err)
		os.Exit(1)
	}
}

// run checks every path and prints the findings.
func run(paths []string) error {
	var found []finding
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w: correct the list of clean paths", err)
		}
		below, err := check(path)
		if err != nil {
			return err
		}
		found = append(found, below...)
	}
	for _, f := range found {
		fmt.Println(f)
	}
	if len(found) > 0 {
		return errors.New(plural(len(found)))
	}
	return nil
}

func plural(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}

// check returns the findings of a file, or of every file below a directory.
func check(path string) ([]finding, error) {
	var found []finding
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != path && skipped(entry.Name()):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		inFile, err := checkFile(file)
		found = append(found, inFile...)
		return err
	})
	return found, err
}

// skipped reports whether a directory contains no text that this project maintains.
func skipped(name string) bool {
	return name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && name != "."
}

func checkFile(file string) ([]finding, error) {
	switch filepath.Ext(file) {
	case ".go":
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return checkGo(file, text)
	case ".md":
		text, err := os.ReadFile(file)
		return checkMarkdown(file, string(text)), err
	}
	return nil, nil
}
