//go:build !unit

// The tests of this package run `ace` as users do: the built program, its own process,
// with real PostgreSQL servers, and an archive in a directory or in a real MinIO server.
package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ace/infra/testkit/pgtest"
)

// binary is the program, built once. It has no race detector, because the tests measure
// its memory.
var binary string

func TestMain(m *testing.M) { pgtest.Main(withBinary{m}) }

// withBinary builds the program before the tests run.
type withBinary struct{ *testing.M }

// Run runs the tests.
func (w withBinary) Run() int {
	dir, err := os.MkdirTemp("", "ace-serve-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "ace")
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "ace cannot be built: %v\n%s", err, output)
		return 1
	}
	// Most of these tests wait for other processes most of the time. The flag -parallel
	// on the command line takes precedence.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return w.M.Run()
}
