//go:build !unit

package app_test

import (
	"testing"

	"ace/infra/testkit/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }
