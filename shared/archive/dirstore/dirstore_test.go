package dirstore_test

import (
	"log/slog"
	"os"
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/scratch"
	"ace/shared/archive"
	"ace/shared/archive/dirstore"
	"ace/shared/archive/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openStore opens a directory, and closes it when the test ends.
func openStore(t testing.TB, dir string) *dirstore.Store {
	t.Helper()
	s, err := dirstore.Open(t.Context(), dirstore.Options{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// tempDir returns a directory in memory, where a sync takes no time, if there is enough.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch.Root(), "ace-dirstore-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestStore_PassesTheConformanceSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) archive.Store { return openStore(t, tempDir(t)) })
}

func TestStore_PassesTheProbe(t *testing.T) {
	if err := archive.Probe(t.Context(), openStore(t, tempDir(t))); err != nil {
		t.Fatal(err)
	}
}
