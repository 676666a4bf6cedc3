//go:build !unit

// The tests of this package run the service as it is deployed. The emulator runs each of
// the real function binaries in its own processes. The nodes are real PostgreSQL servers,
// the archive is a real S3 server, and the requests are events of API Gateway.
package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"ace/infra/testkit/pgtest"
	_ "ace/shared/app/function" // what the functions are built of: a change makes a cached test result stale
)

const functionsDir = "../../../functions"

// binaries is the directory of the built functions.
var binaries string

func TestMain(m *testing.M) { pgtest.Main(withBinaries{m}) }

// withBinaries builds the functions before the tests run.
type withBinaries struct{ *testing.M }

// Run runs the tests.
func (w withBinaries) Run() int {
	dir, err := os.MkdirTemp("", "ace-functions-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	if err := readMains(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", dir+"/", "./...")
	build.Dir = functionsDir
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the functions cannot be built: %v\n%s", err, output)
		return 1
	}
	return w.M.Run()
}

// readMains reads the sources of the functions, so that go test uses no cached result
// after one has changed.
func readMains() error {
	mains, err := filepath.Glob(filepath.Join(functionsDir, "*", "*.go"))
	for _, path := range mains {
		if err == nil {
			_, err = os.ReadFile(path)
		}
	}
	return err
}
