//go:build !unit

package main_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"ace/infra/testkit/chromium"
	"ace/infra/testkit/pgtest"
	"ace/shared/endpoint"
)

// browserPatience bounds everything that one tab does.
const browserPatience = time.Minute

// startBrowser starts Chromium for one test. In this browser, ace.test and evil.test are
// names of this machine.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	browser, stop, err := chromium.Start(chromedp.Flag("disable-popup-blocking", true),
		chromedp.Flag("host-resolver-rules", "MAP ace.test 127.0.0.1, MAP evil.test 127.0.0.1"))
	t.Cleanup(stop)
	chromium.MustStart(t, err)
	return browser
}

// openTab opens a page in a tab of its own, which lives as long as the test.
func openTab(browser context.Context, t *testing.T, page string) context.Context {
	t.Helper()
	ctx := chromium.NewContext(browser, t, browserPatience)
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return ctx
}

// recorder is a proxy in front of the service. It notes what reaches the service, and
// what the service answers.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]attempt
}

// attempt is one request of a page, as it arrived.
type attempt struct {
	status int
	site   string // Sec-Fetch-Site
	origin string
}

// record starts a recorder. The parameter table_name identifies a request.
func record(t *testing.T, s *service) *recorder {
	t.Helper()
	r := &recorder{seen: map[string]attempt{}}
	r.Server = httptest.NewServer(&httputil.ReverseProxy{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // logs requests that the browser has aborted
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", s.host
			p.Out.Host = p.In.Host
		},
		ModifyResponse: func(resp *http.Response) error {
			header := resp.Request.Header
			r.mu.Lock()
			defer r.mu.Unlock()
			label := resp.Request.Method + " " + strings.TrimPrefix(resp.Request.URL.Query().Get("table_name"), "public.")
			r.seen[label] = attempt{resp.StatusCode, header.Get("Sec-Fetch-Site"), header.Get("Origin")}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s: the answer has %s", label, name)
				}
			}
			return nil
		},
	})
	t.Cleanup(r.Close)
	return r
}

// attempts returns what has arrived so far.
func (r *recorder) attempts() map[string]attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.seen)
}

// checkRefusals waits until the requests with these labels have arrived, and checks that
// all that arrived were refused.
func (r *recorder) checkRefusals(t *testing.T, what string, want []string) {
	t.Helper()
	missing := func() []string {
		seen := r.attempts()
		return slices.DeleteFunc(slices.Clone(want), func(label string) bool { _, ok := seen[label]; return ok })
	}
	for deadline := time.Now().Add(browserPatience); len(missing()) > 0 && time.Now().Before(deadline); time.Sleep(poll) {
	}
	if left := missing(); len(left) > 0 {
		t.Errorf("%s: these requests have not arrived: %q", what, left)
	}
	for label, a := range r.attempts() {
		if a.status != 403 && label != "GET " { // the page also requests its icon, which changes nothing
			t.Errorf("%s: %s is answered with %d (Sec-Fetch-Site %q, Origin %q)", what, label, a.status, a.site, a.origin)
		}
	}
}

// at returns the recorder's URL under another name for this machine.
func at(server *httptest.Server, host string) string {
	target, _ := url.Parse(server.URL) // httptest writes it
	return "http://" + host + ":" + target.Port()
}

// attacks is a page that tries to start comparisons at the service whose URL is in the
// fragment. It does so in every way in which a page can send a request. The name of the
// table is the name of the way.
const attacks = `<!doctype html><title>evil</title><body><script>
const [service, cluster] = decodeURIComponent(location.hash.slice(1)).split(" ")
const to = (way) => service + "/ace/table-diff?cluster_name=" + cluster + "&table_name=public." + way
const add = (tag, attributes) => {
  const element = Object.assign(document.createElement(tag), attributes)
  document.body.append(element)
  return element
}
add("img", {src: to("img")})
add("img", {src: to("img_without_referrer"), referrerPolicy: "no-referrer"})
add("script", {src: to("script")})
add("link", {rel: "stylesheet", href: to("stylesheet")})
add("link", {rel: "prefetch", href: to("link_prefetch")})
add("link", {rel: "prerender", href: to("link_prerender")})
add("link", {rel: "preload", as: "image", href: to("preload")})
add("link", {rel: "icon", href: to("icon")})
add("iframe", {src: to("iframe")})
add("iframe", {srcdoc: "<img src='" + to("srcdoc") + "'>"})
const sandboxed = document.createElement("iframe")
sandboxed.sandbox = "allow-scripts allow-forms"
sandboxed.srcdoc = "<form action='" + to("sandboxed_form") + "' method=post></form><script>document.forms[0].submit()</" + "script>"
document.body.append(sandboxed)
add("object", {data: to("object")})
add("embed", {src: to("embed")})
add("video", {src: to("video")})
add("div", {}).style.backgroundImage = "url('" + to("background") + "')"
add("script", {type: "speculationrules", textContent: JSON.stringify({
  prefetch: [{source: "list", urls: [to("speculative_prefetch")], eagerness: "immediate"}],
  prerender: [{source: "list", urls: [to("speculative_prerender")], eagerness: "immediate"}],
})})
fetch(to("fetch_no_cors"), {mode: "no-cors", credentials: "include"}).catch(() => {})
fetch(to("fetch_cors"), {credentials: "include"}).catch(() => {})
fetch(to("fetch_post"), {method: "POST", mode: "no-cors", body: "a=1"}).catch(() => {})
fetch(to("fetch_head"), {method: "HEAD", mode: "no-cors"}).catch(() => {})
fetch(to("fetch_header"), {headers: {"X-ACE-Request": "1"}}).catch(() => {})
fetch(to("fetch_header_no_cors"), {mode: "no-cors", headers: {"X-ACE-Request": "1"}}).catch(() => {})
fetch(to("fetch_keepalive"), {mode: "no-cors", keepalive: true}).catch(() => {})
fetch(to("fetch_override"), {mode: "no-cors", method: "POST", headers: {"X-HTTP-Method-Override": "GET"}}).catch(() => {})
fetch("/redirect?to=" + encodeURIComponent(to("fetch_redirected")), {mode: "no-cors"}).catch(() => {})
add("img", {src: "/redirect?to=" + encodeURIComponent(to("img_redirected"))})
navigator.sendBeacon(to("beacon"), "x")
new EventSource(to("event_source"))
new WebSocket(to("web_socket").replace("http", "ws"))
const xhr = new XMLHttpRequest()
xhr.open("GET", to("xhr"))
xhr.withCredentials = true
xhr.send()
for (const [way, method, enctype] of [
  ["form_get", "get", ""], ["form_post", "post", ""], ["form_text", "post", "text/plain"], ["form_multipart", "post", "multipart/form-data"],
]) {
  const frame = add("iframe", {name: way})
  const form = add("form", {action: to(way), method, enctype, target: way})
  for (const [name, value] of [["cluster_name", cluster], ["table_name", "public." + way]]) {
    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}))
  }
  form.submit()
}
add("iframe", {name: "first"})
add("a", {href: to("link"), target: "first"}).click()
add("iframe", {name: "second"})
add("a", {href: to("link_with_ping"), ping: to("ping"), target: "second"}).click()
window.open(to("window_open"), "_blank", "noopener")
fetch(service + "/ace/diffs?table_name=public.import", {method: "POST", mode: "no-cors",
  body: '{"n1/n2": {"n1": [], "n2": []}}'}).catch(() => {})
</script>`

// arriving returns the ways whose requests must reach the service, so that the test sees
// their refusal. Chromium itself refuses or delays the requests of the other ways.
func arriving() []string {
	return []string{
		"GET img", "GET img_without_referrer", "GET script", "GET stylesheet", "GET link_prefetch", "GET iframe", "GET srcdoc",
		"POST sandboxed_form", "GET object", "GET video", "GET background", "GET fetch_no_cors", "GET fetch_cors", "POST fetch_post",
		"HEAD fetch_head", "OPTIONS fetch_header", "GET fetch_header_no_cors", "GET fetch_keepalive", "POST fetch_override",
		"GET fetch_redirected", "GET img_redirected", "POST beacon", "GET event_source", "GET web_socket", "GET xhr", "GET form_get",
		"POST form_post", "POST form_text", "POST form_multipart", "GET link", "GET link_with_ping", "POST ping", "GET window_open", "POST import",
	}
}

// newAttacker serves the pages of a foreign site.
func newAttacker(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/attacks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(attacks))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	mux.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><script>location = %q</script>", r.URL.Query().Get("to"))
	})
	mux.HandleFunc("/refresh", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Refresh", "0; url="+r.URL.Query().Get("to"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestBrowser_NoForeignPageStartsAnything(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_HOSTS": "ace.test"})
	browser, attacker := startBrowser(t), newAttacker(t)

	for _, tt := range []struct{ from, to string }{
		{"evil.test", "ace.test"}, {"ace.test", "ace.test"}, {"evil.test", "localhost"}, {"localhost", "localhost"},
	} {
		r := record(t, s)
		service := at(r.Server, tt.to)
		openTab(browser, t, at(attacker, tt.from)+"/attacks#"+url.PathEscape(service+" "+c.Name))
		want := arriving()
		for _, page := range []string{"redirect", "go", "refresh"} {
			target := service + "/ace/table-diff?" + diffQuery(c, "public.top_"+page)
			openTab(browser, t, at(attacker, tt.from)+"/"+page+"?to="+url.QueryEscape(target))
			want = append(want, "GET top_"+page)
		}
		r.checkRefusals(t, tt.from+" to "+tt.to, want)
	}

	s.checkNoTask(t)
	if found := s.home.keys(t, "imports/"); len(found) > 0 {
		t.Errorf("imported are %v", found)
	}
}

func TestBrowser_OwnPagesAreReadAndProgramsSubmit(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, settings{"ACE_HOSTS": "ace.test"})
	_, port, _ := net.SplitHostPort(s.host)
	browser := startBrowser(t)

	for _, name := range []string{"ace.test", "localhost"} {
		address := name + ":" + port
		tab := openTab(browser, t, "http://"+address+"/ace/tasks?limit=1")
		for what, script := range map[string]string{
			"the page": `document.body.innerText`, "a page of ours": `fetch("/ace/tasks?limit=1").then((r) => r.text())`,
		} {
			text, err := chromedp.Run(tab, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
			if err != nil || !strings.Contains(text, `"tasks"`) {
				t.Errorf("%s: %s is %q, %v", name, what, text, err)
			}
		}

		submission := endpoint.Request{Method: "GET", Path: "/ace/table-diff", RawQuery: diffQuery(c, "public.tiny")}
		submission.Header = endpoint.Header{"host": address}
		plain := s.do(t, submission)
		submission.Header["x-ace-request"] = "1"
		proven := s.do(t, submission)
		if wantPlain := map[bool]int{true: 403, false: 200}[name == "ace.test"]; plain.Status != wantPlain || proven.Status != 200 {
			t.Errorf("%s: a submission is answered with %d %s, with the header %d %s", name, plain.Status, plain.Body, proven.Status, proven.Body)
		}
	}
}

// A report is a page of this service, but its content comes from databases.
func TestBrowser_AReportOpensAndReachesNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	c.Exec(t, 0, `UPDATE tiny SET name = 'only here' WHERE id = 4`)
	s := newHome(t, c).serve(t, nil)
	id := s.submit(t, c, "public.tiny")
	s.completed(t, id)
	r := record(t, s)
	report := openTab(startBrowser(t), t, at(r.Server, "localhost")+"/ace/diffs/"+id+"?format=html")

	target := "/ace/table-diff?" + diffQuery(c, "public.")
	for script, want := range map[string]string{
		`new Promise((done) => setInterval(() => {
			const text = document.getElementById("status")?.textContent ?? ""
			if (text.startsWith("1 to")) done(text)
		}, 20))`: "1 to 1 of 1 differences",
		`self.origin`: "null",
		`fetch("/ace/tasks").then((r) => r.text(), () => "refused")`:                                                    "refused",
		`fetch("` + target + `fetch").then((r) => r.text(), () => "refused")`:                                           "refused",
		`Promise.resolve(navigator.sendBeacon("` + target + `beacon", "x")).then(() => "sent")`:                         "sent",
		`new Promise((done) => Object.assign(new Image(), {onerror: () => done("refused"), src: "` + target + `img"}))`: "refused",
	} {
		got, err := chromedp.Run(report, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
		if err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", script, got, err, want)
		}
	}

	// The only request that the browser permits this page is to open another page. The
	// service refuses that request.
	leave := `location = "` + target + `top"; true`
	if _, err := chromedp.Run(report, chromedp.Evaluate[bool](leave)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(browserPatience); r.attempts()["GET top"].status == 0 && time.Now().Before(deadline); time.Sleep(poll) {
	}
	for label, a := range r.attempts() {
		if label != "GET " && (label != "GET top" || a.status != 403) {
			t.Errorf("%s is answered with %d (Sec-Fetch-Site %q)", label, a.status, a.site)
		}
	}
}
