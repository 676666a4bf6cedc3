//go:build !unit

package structure_test

import (
	"testing"

	"ace/infra/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
