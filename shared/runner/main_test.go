package runner_test

import (
	"testing"

	"ace/shared/archive/faulty"
	"ace/shared/archive/storetest/embedded"
)

func TestMain(m *testing.M) { embedded.Main(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(embedded.Store(t))
}
