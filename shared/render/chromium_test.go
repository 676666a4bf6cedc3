//go:build !unit

package render_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
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
	"go.uber.org/goleak"
)

// patience bounds the time of one tab.
const patience = 2 * time.Minute

// chromium is the browser of all tests of the package. The first test that needs it
// starts it. Tests run in parallel tabs, except for the one that measures times.
var chromium struct {
	once  sync.Once
	ctx   context.Context //nolint:containedctx // the browser's handle is one
	close func()
	err   error
}

// browser returns the context of the browser, in which tabs are opened.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatalf("chromium does not start (`make deps` installs it): %v", chromium.err)
	}
	return chromium.ctx
}

// startChromium starts a browser with a new profile.
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

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run stops the browser before it checks for leaked goroutines.
func run(m *testing.M) int {
	code := m.Run()
	if chromium.close != nil {
		chromium.close()
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// screen is the size and the color scheme of a browser window.
type screen struct {
	width, height int64
	scheme        string // light, dark
}

var (
	desktop = screen{1280, 900, "light"}
	phone   = screen{390, 844, "light"}
)

// tab is an open page, with its requests and errors.
type tab struct {
	ctx      context.Context //nolint:containedctx // the browser's handle is one
	mu       sync.Mutex
	requests []string
	errors   []string
}

// show serves a page, sandboxed as the service does, and opens it in a tab. At the end of
// the test, the tab must have requested only the page itself, and must have reported no
// error.
func show(t *testing.T, s screen, html []byte) *tab {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'")
		_, _ = w.Write(html)
	}))
	t.Cleanup(server.Close)
	ctx, closeTab := chromedp.NewContext(browser(t))
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which exists until this context ends
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	b := &tab{ctx: ctx}
	b.prepare(t, s)
	b.do(t, chromedp.Navigate(server.URL+"/page"))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		others := slices.DeleteFunc(b.requests, func(url string) bool { return url == server.URL+"/page" })
		if len(others)+len(b.errors) > 0 {
			t.Errorf("the page requested %q and reported %q", others, b.errors)
		}
	})
	return b
}

func (b *tab) prepare(t *testing.T, s screen) {
	t.Helper()
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var options []chromedp.EmulateViewportOption
	if s.width < 600 {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	b.do(t, chromedp.EmulateViewport(s.width, s.height, options...))
}

func (b *tab) listen(event any) {
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

func (b *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval returns the value of an expression in the page. It awaits a promise.
func eval[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// bigPage renders a hundred thousand differences in a program without the race detector,
// which would be ten times slower.
func bigPage(t *testing.T, width string) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bigpage")
	if output, err := exec.Command("go", "build", "-o", program, "ace/infra/bigpage").CombinedOutput(); err != nil {
		t.Fatalf("the program that renders the page cannot be built: %v\n%s", err, output)
	}
	var failure bytes.Buffer
	command := exec.Command(program, width)
	command.Stderr, command.Env = &failure, append(os.Environ(), "GOGC=400")
	html, err := command.Output()
	if err != nil {
		t.Fatalf("the page cannot be rendered: %v\n%s", err, &failure)
	}
	return html
}
