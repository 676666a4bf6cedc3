package app_test

import (
	"testing"

	"ace/shared/app/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }
