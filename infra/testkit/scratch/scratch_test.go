package scratch_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"ace/infra/testkit/scratch"
)

func TestRoot_IsWhereTheCallerSays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if got := scratch.Root(); got != dir {
		t.Errorf("got %s, want %s", got, dir)
	}
}

func TestClaim_RemovesDirectoriesThatAreNoLongerInUse(t *testing.T) {
	parent := t.TempDir()
	claim := func(prefix string, release bool) string {
		t.Helper()
		dir, lock, err := scratch.Claim(parent, prefix)
		if err != nil {
			t.Fatal(err)
		}
		if release {
			lock.Close()
		} else {
			t.Cleanup(func() { lock.Close() })
		}
		return dir
	}
	held, left, other, fresh := claim("a-", false), claim("a-", true), claim("b-", true), claim("a-", true)
	for _, dir := range []string{held, left, other} {
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(dir, long, long); err != nil {
			t.Fatal(err)
		}
	}
	claim("a-", false)
	for dir, want := range map[string]bool{held: true, left: false, other: true, fresh: true} {
		if _, err := os.Stat(dir); os.IsNotExist(err) == want {
			t.Errorf("%s is there: %t, want %t", filepath.Base(dir), !want, want)
		}
	}
}
