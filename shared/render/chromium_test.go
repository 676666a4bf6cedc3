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

	"ace/shared/difffile"
	"ace/shared/difffile/difftest"
	"ace/shared/render"
)

// patience bounds everything that is done in one tab.
const patience = 2 * time.Minute

// chromium is the one browser of the package's tests, started when the first of them wants it. They open tabs of it beside
// each other, but for the one that takes times.
var chromium struct {
	once  sync.Once
	ctx   context.Context //nolint:containedctx // the browser's handle is one
	close func()
	err   error
}

// browser gives the browser, for tabs to be opened in.
func browser(t *testing.T) context.Context {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatalf("chromium does not start (`make deps` installs it): %v", chromium.err)
	}
	return chromium.ctx
}

// startChromium runs a real browser with a profile of its own.
func startChromium() {
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx) //nolint:fatcontext // it outlives the test that starts it
	chromium.close = func() {
		_ = chromedp.Cancel(ctx) // what it says of its end changes nothing
		cancel()
		stop()
	}
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run stops the browser before it looks for goroutines that are left.
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

// screen is what a page is shown on.
type screen struct {
	width, height int64
	scheme        string // light, dark
}

var (
	desktop = screen{1280, 900, "light"}
	phone   = screen{390, 844, "light"}
)

// tab is an open page, and what it did that it should not.
type tab struct {
	ctx      context.Context //nolint:containedctx // the browser's handle is one
	mu       sync.Mutex
	requests []string
	trouble  []string
}

// show serves a page and opens it. When the test ends the page must have asked for nothing but itself, and nothing may
// have gone wrong in it.
func show(t *testing.T, s screen, html []byte) *tab {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(html)
	}))
	t.Cleanup(server.Close)
	ctx, closeTab := chromedp.NewContext(browser(t))
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which lives as long as this context
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
		if len(others)+len(b.trouble) > 0 {
			t.Errorf("the page requested %q; trouble: %q", others, b.trouble)
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
		b.trouble = append(b.trouble, "dialog: "+e.Message)
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.trouble = append(b.trouble, "console: "+string(e.Type))
	case *log.EventEntryAdded: // the policy's refusals are among these
		b.trouble = append(b.trouble, "log: "+e.Entry.Text)
	}
}

func (b *tab) do(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval gives the value of an expression in the page. A promise is waited for.
func eval[T any](t *testing.T, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// htmlOf renders what was found.
func htmlOf(t *testing.T, s difffile.Summary, found difftest.Findings) []byte {
	t.Helper()
	var html bytes.Buffer
	if err := render.HTML(t.Context(), &html, difftest.Opener(t, difftest.Document(t, s, found))); err != nil {
		t.Fatal(err)
	}
	return html.Bytes()
}

// bigPage renders a hundred thousand differences as the service does, without the race detector, which takes ten times
// as long.
func bigPage(t *testing.T, width string) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bigpage")
	if output, err := exec.Command("go", "build", "-o", program, "ace/infra/bigpage").CombinedOutput(); err != nil {
		t.Fatalf("the program that renders it cannot be built: %v\n%s", err, output)
	}
	var failure bytes.Buffer
	command := exec.Command(program, width)
	command.Stderr, command.Env = &failure, append(os.Environ(), "GOGC=400")
	html, err := command.Output()
	if err != nil {
		t.Fatalf("it cannot be rendered: %v\n%s", err, &failure)
	}
	return html
}
