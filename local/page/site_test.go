//go:build !unit

package page_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/chromium"
	"ace/infra/testkit/pgtest"
	"ace/local/page"
	"ace/shared/app"
	"ace/shared/caller"
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
	mux, err := endpoint.New(endpoint.Options{Logger: logger, Refused: s.App.Refused}, append(s.App.Endpoints(s.Queue), app.SchedulesEndpoint(scheduler))...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := page.New(page.Options{
		API: mux, Downloads: httpx.Handler(mux, httpx.Options{}), OpenTasks: s.App.Tasks().Open, Refused: s.App.Refused, Log: logger, Version: "test",
	})
	if err != nil {
		t.Fatal(err)
	}

	opts := httpx.Options{Callers: o.Callers}
	if token != "" {
		opts.Callers = caller.Single(token)
	}
	server := httptest.NewServer(httpx.Pages(p, opts))
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

var (
	desktop = chromium.Screen{Width: 1600, Height: 1000, Scheme: "light"}
	phone   = chromium.Screen{Width: 360, Height: 780, Scheme: "dark"}
)

// tab is an open page of a site.
type tab struct {
	*chromium.Tab
	site *site
}

// open opens a page of the site in a tab. At the end of the test, the tab must have sent
// requests only to the site, and must have reported no error.
func (s *site) open(t testing.TB, size chromium.Screen, path string) *tab {
	t.Helper()
	b := &tab{site: s, Tab: chromium.NewTab(browser.Context(t), t, patience, size, func(url string) bool {
		return strings.HasPrefix(url, s.url+"/") || strings.HasPrefix(url, "data:") // the browser's own icons of form fields
	})}
	b.Do(t, chromedp.Navigate(s.url+path))
	return b
}

// until waits until an expression in the page is true. The page may be replaced
// meanwhile.
func (b *tab) until(t testing.TB, expression string) {
	t.Helper()
	for {
		value, err := chromedp.Run(b.Context, chromedp.Evaluate[bool](expression))
		if err == nil && value {
			return
		}
		if b.Context.Err() != nil {
			text, _ := chromedp.Run(b.Context, chromedp.Evaluate[string]("document.body.innerText"))
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
