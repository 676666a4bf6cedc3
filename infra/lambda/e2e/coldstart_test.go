//go:build !unit

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

const (
	// longestInit is what AWS allows a function to start before it starts it again.
	longestInit = 10 * time.Second
	// largestPackage is what a function's archive may have: its size is most of what a cold
	// start waits for.
	largestPackage = 15e6
)

// packed returns how large a function's binary is in an archive. gzip is another program
// since packing in this one, with the race detector, takes half a minute.
func packed(t *testing.T, binary string) int {
	t.Helper()
	archive, err := exec.Command("gzip", "-c", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(archive)
}

// With -v it prints the figures that docs/DEPLOY.md has.
func TestFunctions_StartQuicklyAndAreSmall(t *testing.T) {
	t.Parallel()
	d := newSite(t).deploy(t, settings{})
	directories, err := os.ReadDir(functionsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range directories {
		name := directory.Name()
		// Nothing to do, or nothing that could be done: each function answers either at once.
		if _, err := d.lambda.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(name), Payload: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		runs := d.emulator.Invocations(name)
		t.Logf("%-12s init %4d ms, first answer after %4d ms more", name, runs[0].Init.Milliseconds(), runs[0].Took.Milliseconds())
		if runs[0].Init <= 0 || runs[0].Init > longestInit {
			t.Errorf("%s took %s to start", name, runs[0].Init)
		}
	}
	if size := packed(t, filepath.Join(binaries, worker)); size > largestPackage {
		t.Errorf("the block worker has %d bytes packed", size)
	}
}
