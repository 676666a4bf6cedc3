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
	// longestInit is the time that AWS allows for the start of a function. After it, AWS
	// restarts the function.
	longestInit = 10 * time.Second
	// largestPackage is the maximum size of a function's archive in bytes. Most of a cold
	// start depends on this size.
	largestPackage = 15e6
)

// packed returns the size of a function's binary in an archive. It runs gzip, because
// compressing in this process, with the race detector, takes half a minute.
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
		// Each function answers at once: it has nothing to do, or the payload is no work.
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
