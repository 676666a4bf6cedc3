package chromium

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Screen is the size and the color scheme of a browser window. A window that is narrower
// than 600 pixels is that of a phone.
type Screen struct {
	Width, Height int64
	Scheme        string // light or dark
	Touch         bool   // a phone reports touches instead of clicks
}

// Tab is a tab of a browser, with the requests and errors of its pages.
type Tab struct {
	Context context.Context //nolint:containedctx // the tab's handle is one

	mu       sync.Mutex
	requests []string
	errors   []string
}

// NewContext opens an empty tab, which exists until the test ends, and returns its
// context. patience bounds everything that the tab does.
func NewContext(browser context.Context, t testing.TB, patience time.Duration) context.Context {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which exists until this context ends
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	return ctx
}

// NewTab opens an empty tab like NewContext. At its end, the test fails if a page of the
// tab has reported an error, or requested a URL that allowed does not accept.
func NewTab(browser context.Context, t testing.TB, patience time.Duration, s Screen, allowed func(url string) bool) *Tab {
	t.Helper()
	b := &Tab{Context: NewContext(browser, t, patience)}
	if err := chromedp.Listen(b.Context, b.listen); err != nil {
		t.Fatal(err)
	}
	b.emulate(t, s)
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		others := slices.DeleteFunc(b.requests, allowed)
		if len(others)+len(b.errors) > 0 {
			t.Errorf("the page requested %q and reported %q", others, b.errors)
		}
	})
	return b
}

func (b *Tab) emulate(t testing.TB, s Screen) {
	t.Helper()
	_, err := chromedp.Call(b.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.Scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var options []chromedp.EmulateViewportOption
	if s.Width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	if s.Touch {
		options = append(options, chromedp.EmulateTouch)
	}
	b.Do(t, chromedp.EmulateViewport(s.Width, s.Height, options...))
}

func (b *Tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *page.EventJavascriptDialogOpening:
		b.errors = append(b.errors, "dialog: "+e.Message)
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, "console: "+string(e.Type))
	case *log.EventEntryAdded: // includes violations of the page's policy
		b.errors = append(b.errors, "log: "+e.Entry.Text)
	}
}

// ForgetErrors forgets the errors so far, after a page that was expected to have some.
func (b *Tab) ForgetErrors() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = nil
}

// Do runs steps in the tab.
func (b *Tab) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.Context, steps...); err != nil {
		t.Fatal(err)
	}
}

// Eval returns the value of an expression in the page. If the value is a promise, Eval
// waits for its result.
func Eval[T any](t testing.TB, b *Tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.Context, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}
