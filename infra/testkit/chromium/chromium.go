// Package chromium opens pages in a real browser, for tests.
package chromium

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// Start starts a browser with a new profile and with further options. It returns the
// browser's context, in which tabs are opened. The caller must call stop.
func Start(further ...chromedp.ExecAllocatorOption) (browser context.Context, stop func(), err error) {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), append(options, further...)...)
	browser, cancel := chromedp.NewContext(allocator)
	stop = func() {
		_ = chromedp.Cancel(browser) // an error at its end changes nothing
		cancel()
		stopAllocator()
	}
	return browser, stop, chromedp.Do(browser)
}

// Shared is a browser for all tests of a package. The first test that needs it starts it.
// It hides scrollbars, so that pictures do not depend on them.
type Shared struct {
	once    sync.Once
	browser context.Context //nolint:containedctx // the browser's handle is one
	stop    func()
	err     error
}

// Context returns the browser's context, in which tabs are opened.
func (s *Shared) Context(t testing.TB) context.Context {
	t.Helper()
	s.once.Do(func() { s.browser, s.stop, s.err = Start(chromedp.Flag("hide-scrollbars", true)) })
	MustStart(t, s.err)
	return s.browser
}

// Stop stops the browser if a test has started it. TestMain must call it after the tests.
func (s *Shared) Stop() {
	if s.stop != nil {
		s.stop()
	}
}

// MustStart fails the test if Start has returned an error.
func MustStart(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("chromium does not start (`make deps` installs it): %v", err)
	}
}
