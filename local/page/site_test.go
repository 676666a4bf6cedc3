//go:build !unit

package page_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/local/page"
	"ace/shared/app"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/schedule"
)

// site is the page over a running service.
type site struct {
	*apptest.Service
	url   string
	admin *pgtest.Cluster // connects as a superuser
}

// newSite starts the service for a cluster, with its page. Jobs are its schedules.
func newSite(t testing.TB, c *pgtest.Cluster, token string, jobs ...schedule.Job) *site {
	t.Helper()
	return newSiteWith(t, c, token, apptest.Options{}, jobs...)
}

func newSiteWith(t testing.TB, c *pgtest.Cluster, token string, o apptest.Options, jobs ...schedule.Job) *site {
	t.Helper()
	s := &site{Service: apptest.New(t, c, o)}
	logger := slog.New(slog.NewTextHandler(t.Output(), nil))
	scheduler := s.App.Scheduler(jobs, s.Queue, logger)
	mux, err := endpoint.New(endpoint.Options{Logger: logger}, append(s.App.Endpoints(s.Queue), app.SchedulesEndpoint(scheduler))...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := page.New(page.Options{
		API: mux, Downloads: httpx.Handler(mux, httpx.Options{}), OpenTasks: s.App.Tasks().Open, Log: logger, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}

	server := httptest.NewServer(httpx.Pages(p, httpx.Options{Token: token}))
	s.url = server.URL
	ctx, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { p.Run(ctx) })
	t.Cleanup(func() {
		stop()
		background.Wait()
		server.Close()
	})
	return s
}

// get returns the answer to a GET without a browser.
func (s *site) get(t testing.TB, path string) (int, http.Header, string) {
	t.Helper()
	return s.do(t, "GET", path, "", nil)
}

func (s *site) do(t testing.TB, method, path, form string, header map[string]string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// screen is the size and the color scheme of a browser window.
type screen struct {
	width, height int64
	scheme        string // light or dark
}

var (
	desktop = screen{1600, 1000, "light"}
	phone   = screen{360, 780, "dark"}
)

// tab is an open page, with its requests and errors.
type tab struct {
	ctx      context.Context //nolint:containedctx // the browser's handle is one
	site     *site
	mu       sync.Mutex
	requests []string
	errors   []string
}

// open opens a page of the site in a tab. At the end of the test, the tab must have sent
// requests only to the site, and must have reported no error.
func (s *site) open(t testing.TB, size screen, path string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser(t))
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // opens the tab, which exists until this context ends
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	t.Cleanup(cancel)
	b := &tab{ctx: ctx, site: s}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: size.scheme}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var options []chromedp.EmulateViewportOption
	if size.width < 600 {
		options = append(options, chromedp.EmulateMobile)
	}
	b.do(t, chromedp.EmulateViewport(size.width, size.height, options...), chromedp.Navigate(s.url+path))
	t.Cleanup(func() { b.check(t) })
	return b
}

func (b *tab) check(t testing.TB) {
	b.mu.Lock()
	defer b.mu.Unlock()
	others := slices.DeleteFunc(b.requests, func(url string) bool {
		return strings.HasPrefix(url, b.site.url+"/") || strings.HasPrefix(url, "data:") // the browser's own icons of form fields
	})
	if len(others)+len(b.errors) > 0 {
		t.Errorf("the page requested %q and reported %q", others, b.errors)
	}
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *cdppage.EventJavascriptDialogOpening:
		b.errors = append(b.errors, "dialog: "+e.Message)
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, "console: "+string(e.Type))
	case *log.EventEntryAdded: // includes violations of the page's policy
		b.errors = append(b.errors, "log: "+e.Entry.Text)
	}
}

func (b *tab) do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// eval returns the value of an expression in the page. It awaits a promise.
func eval[T any](t testing.TB, b *tab, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits until an expression in the page is true. The page may be replaced
// meanwhile.
func (b *tab) until(t testing.TB, expression string) {
	t.Helper()
	for {
		value, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && value {
			return
		}
		if b.ctx.Err() != nil {
			text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			t.Fatalf("%s: %v, %v: %s", expression, value, err, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// shows waits until the page shows a text.
func (b *tab) shows(t testing.TB, text string) {
	t.Helper()
	quoted := "`" + strings.NewReplacer("`", "\\`", "\\", "\\\\").Replace(text) + "`"
	b.until(t, `document.body !== null && document.body.innerText.includes(`+quoted+`)`)
}
