//go:build !unit

// The tests of this package open the page in Chromium, over the whole service: real
// PostgreSQL nodes and an archive in a directory. They share one service and one browser.
package page_test

import (
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/chromium"
)

// patience bounds everything that one tab does.
const patience = 90 * time.Second

// browser is the browser of all tests of the package.
var browser chromium.Shared

func TestMain(m *testing.M) { apptest.Wrapped(withBrowser{m}) }

// withBrowser stops the browser after the tests.
type withBrowser struct{ *testing.M }

// Run runs the tests.
func (w withBrowser) Run() int {
	defer browser.Stop()
	return w.M.Run()
}
