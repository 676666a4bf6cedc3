//go:build !unit

// The tests of this package open the page in Chromium, over the whole service: real
// PostgreSQL nodes and the embedded archive. They share one service and one browser.
package page_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ace/infra/testkit/apptest"
)

// patience bounds everything that one tab does.
const patience = 90 * time.Second

// chromium is the browser of all tests of the package. The first test that needs it
// starts it.
var chromium struct {
	once  sync.Once
	ctx   context.Context //nolint:containedctx // the browser's handle is one
	close func()
	err   error
}

func TestMain(m *testing.M) { apptest.Wrapped(withBrowser{m}) }

// withBrowser stops the browser after the tests.
type withBrowser struct{ *testing.M }

// Run runs the tests.
func (w withBrowser) Run() int {
	code := w.M.Run()
	if chromium.close != nil {
		chromium.close()
	}
	return code
}

// browser returns the context of the browser, in which tabs are opened.
func browser(t testing.TB) context.Context {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatalf("chromium does not start (`make deps` installs it): %v", chromium.err)
	}
	return chromium.ctx
}

func startChromium() {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx) //nolint:fatcontext // it outlives the test that starts it
	chromium.close = func() {
		_ = chromedp.Cancel(ctx) // an error at its end changes nothing
		cancel()
		stop()
	}
}
