package runner_test

import (
	"testing"

	"ace/infra/testkit/embedded"
	"ace/infra/testkit/faulty"
)

func TestMain(m *testing.M) { embedded.Main(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(embedded.Store(t))
}
