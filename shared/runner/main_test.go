package runner_test

import (
	"testing"

	"go.uber.org/goleak"

	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newStore(t *testing.T) *faulty.Store {
	t.Helper()
	return faulty.Wrap(memstore.New(t))
}
