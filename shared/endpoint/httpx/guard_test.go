package httpx_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
)

// newMux returns a mux with the probes that serves file as the diff of every task.
func newMux(t *testing.T, log io.Writer, file *api.File) *endpoint.Mux {
	t.Helper()
	ok := func(context.Context, api.HealthRequest) (api.Health, error) { return api.Health{Status: "ok"}, nil }
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(log, nil))},
		endpoint.JSON(api.RouteHealth, api.DecodeHealth, ok), endpoint.JSON(api.RouteReady, api.DecodeHealth, ok),
		endpoint.Download(api.RouteDiff, api.DecodeDiff,
			func(context.Context, api.DiffRequest) (*api.File, error) { return file, nil }))
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func TestGuard_AcceptsCommandLineToolsAndRejectsForeignPages(t *testing.T) {
	tests := []struct {
		name   string
		host   string
		header http.Header
		allow  bool
	}{
		{"curl", "localhost:5000", nil, true},
		{"curl through a tunnel on another port", "localhost:15000", nil, true},
		{"IPv4 loopback", "127.0.0.1:5000", nil, true},
		{"any IPv4 loopback", "127.8.8.8", nil, true},
		{"IPv6 loopback", "[::1]:5000", nil, true},
		{"IPv6 loopback without port", "[::1]", nil, true},
		{"a configured host", "ACE.example.com:5000", nil, true},
		{"a configured address", "[fd00::1]:5000", nil, true},
		{"a name made to resolve to us", "evil.example:5000", nil, false},
		{"a name that begins like ours", "localhost.evil.example", nil, false},
		{"a name that ends like ours", "evil.localhost", nil, false},
		{"an address of the network", "192.168.1.1:5000", nil, false},
		{"no host", "", nil, false},
		{"upper case", "LocalHost:5000", nil, true},
		{"a name in its absolute form", "localhost.:5000", nil, false},
		{"another name of this machine", "localhost6:5000", nil, false},
		{"the address of all interfaces", "0.0.0.0:5000", nil, false},
		{"loopback as an IPv4 address within IPv6", "[::ffff:127.0.0.1]:5000", nil, false},
		{"an address with a zone", "[::1%25eth0]:5000", nil, false},
		{"a short address", "127.1:5000", nil, false},
		{"a user in front of the host", "localhost@evil.example:5000", nil, false},
		{"a host after the port", "localhost:5000@evil.example", nil, false},
		{"a port that is a name", "localhost:evil", nil, false},
		{"a port that is too large", "localhost:65536", nil, false},
		{"no port after the colon", "localhost:", nil, false},
		{"brackets around a name", "[localhost]:5000", nil, false},
		{"brackets around an IPv4 address", "[127.0.0.1]:5000", nil, false},
		{"brackets that do not end", "[::1", nil, false},
		{"something after the brackets", "[::1]5000", nil, false},
		{"an IPv6 address without brackets", "::1", nil, false},
		{"two ports", "localhost:5000:5000", nil, false},
		{"spaces", "localhost :5000", nil, false},
		{"typed into the address bar", "localhost:5000", http.Header{"Sec-Fetch-Site": {"none"}}, true},
		{"from our own page", "localhost:5000", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {"http://localhost:5000"}}, true},
		{"from a page on another port", "localhost:5000", http.Header{"Sec-Fetch-Site": {"same-site"}}, false},
		{"from a foreign page", "localhost:5000", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		{"two claims about the page", "localhost:5000", http.Header{"Sec-Fetch-Site": {"none", "cross-site"}}, false},
		{"an empty claim about the page", "localhost:5000", http.Header{"Sec-Fetch-Site": {""}}, false},
		{"own origin, default port", "ace.example.com", http.Header{"Origin": {"https://ace.example.com:443"}}, true},
		{"foreign origin", "localhost:5000", http.Header{"Origin": {"https://evil.example"}}, false},
		{"origin on another port", "localhost:5000", http.Header{"Origin": {"http://localhost:3000"}}, false},
		{"origin of another loopback name", "localhost:5000", http.Header{"Origin": {"http://127.0.0.1:5000"}}, false},
		{"origin of a sandboxed page", "localhost:5000", http.Header{"Origin": {"null"}}, false},
		{"origin of a file", "localhost:5000", http.Header{"Origin": {"file://"}}, false},
		{"origin in upper case", "localhost:5000", http.Header{"Origin": {"HTTP://LOCALHOST:5000"}}, true},
		{"origin with a user", "localhost:5000", http.Header{"Origin": {"http://evil.com@localhost:5000"}}, false},
		{"origin with a user and password", "localhost:5000", http.Header{"Origin": {"http://evil.com:80@localhost:5000"}}, false},
		{"origin with a path", "localhost:5000", http.Header{"Origin": {"http://localhost:5000/"}}, false},
		{"origin with a query", "localhost:5000", http.Header{"Origin": {"http://localhost:5000?a"}}, false},
		{"origin with a fragment", "localhost:5000", http.Header{"Origin": {"http://localhost:5000#a"}}, false},
		{"origin that begins like ours", "localhost:5000", http.Header{"Origin": {"http://localhost.evil.com:5000"}}, false},
		{"origin whose port is a name", "localhost:5000", http.Header{"Origin": {"http://localhost:evil"}}, false},
		{"origin in its absolute form", "localhost:5000", http.Header{"Origin": {"http://localhost.:5000"}}, false},
		{"origin with a zone", "[::1]:5000", http.Header{"Origin": {"http://[::1%25lo]:5000"}}, false},
		{"own origin, IPv6", "[::1]:5000", http.Header{"Origin": {"http://[::1]:5000"}}, true},
		{"own origin, default port of http", "localhost", http.Header{"Origin": {"http://localhost:80"}}, true},
		{"origin of another server of this machine", "localhost", http.Header{"Origin": {"https://localhost"}}, false},
		{"two origins in two fields", "localhost:5000", http.Header{"Origin": {"http://localhost:5000", "http://localhost:5000"}}, false},
		{"two origins in one field", "localhost:5000", http.Header{"Origin": {"http://localhost:5000 http://evil.com"}}, false},
		{"an empty origin", "localhost:5000", http.Header{"Origin": {""}}, false},
		{"origin of an extension", "localhost:5000", http.Header{"Origin": {"chrome-extension://localhost:5000"}}, false},
		{"prefetch", "localhost:5000", http.Header{"Sec-Purpose": {"prefetch"}}, false},
		{"prerender", "localhost:5000", http.Header{"Sec-Purpose": {"prefetch;prerender"}}, false},
		{"prefetch, Firefox", "localhost:5000", http.Header{"X-Moz": {"prefetch"}}, false},
		{"preview, Safari", "localhost:5000", http.Header{"X-Purpose": {"preview"}}, false},
		{"prefetch, older browsers", "localhost:5000", http.Header{"Purpose": {"Prefetch"}}, false},
	}
	handler := httpx.Handler(newMux(t, io.Discard, nil), httpx.Options{Hosts: []string{"ace.example.com", "[fd00::1]"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/healthz", nil)
			r.Host = tt.host
			for name, values := range tt.header {
				r.Header[name] = values
			}
			checkGuard(t, handler, r, tt.allow)
		})
	}
}

const (
	curl    = "curl/8.14.1"
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
)

// changing returns requests that start or change something: to routes that are not
// read-only, and an import.
func changing() []*http.Request {
	return []*http.Request{
		httptest.NewRequest("GET", "/ace/table-diff", nil), httptest.NewRequest("POST", "/ace/table-diff", nil),
		httptest.NewRequest("HEAD", "/ace/table-diff", nil), httptest.NewRequest("POST", "/ace/diffs", strings.NewReader("0")),
	}
}

// newChangingMux returns a mux with a submission and an import.
func newChangingMux(t *testing.T) *endpoint.Mux {
	t.Helper()
	list := endpoint.JSON(api.RouteDiffs, api.DecodeDiffs, func(context.Context, api.DiffsRequest) (string, error) { return "", nil })
	mux, err := endpoint.New(endpoint.Options{},
		endpoint.JSON(api.RouteTableDiff, func(api.Params) (string, error) { return "", nil },
			func(context.Context, string) (string, error) { return "submitted", nil }),
		endpoint.Receiving(list, 10, api.DecodeImport, func(context.Context, api.ImportRequest, io.Reader) (string, error) { return "", nil }))
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func TestGuard_AChangeNeedsProofThatNoForeignPageSentIt(t *testing.T) {
	proof := func(values ...string) http.Header { return http.Header{"X-Ace-Request": values} }
	for _, tt := range []struct {
		name   string
		host   string
		agent  string
		header http.Header
		allow  bool
	}{
		{"curl to this machine", "localhost:5000", curl, nil, true},
		{"curl to an address of this machine", "127.0.0.1:5000", curl, nil, true},
		{"curl to an IPv6 address of this machine", "[::1]:5000", curl, nil, true},
		{"a client without a name", "localhost:5000", "", nil, true},
		{"curl to a name", "ace.example.com:5000", curl, nil, false},
		{"curl to an address of the network", "10.0.0.5:5000", curl, nil, false},
		{"curl to a name, with proof", "ace.example.com:5000", curl, proof("1"), true},
		{"an image at a name", "ace.example.com:5000", firefox, nil, false},
		{"a page of ours at a name", "ace.example.com", firefox, http.Header{"Sec-Fetch-Site": {"same-origin"}}, false},
		{"a page of ours at a name, with proof", "ace.example.com", firefox,
			http.Header{"Sec-Fetch-Site": {"same-origin"}, "X-Ace-Request": {"1"}}, true},
		{"a page of ours", "localhost:5000", firefox, http.Header{"Sec-Fetch-Site": {"same-origin"}}, true},
		{"an opened address, perhaps redirected by a foreign server", "localhost:5000", firefox, http.Header{"Sec-Fetch-Site": {"none"}}, false},
		{"an image, in a browser that does not name its page", "localhost:5000", firefox, nil, false},
		{"a link, in a browser without the usual name", "localhost:5000", "Lynx/2.9", http.Header{"Referer": {"http://evil.example/"}}, false},
		{"a foreign page with proof, which it cannot have", "localhost:5000", firefox,
			http.Header{"Sec-Fetch-Site": {"cross-site"}, "X-Ace-Request": {"1"}}, false},
		{"a foreign origin with proof, which it cannot have", "ace.example.com", firefox,
			http.Header{"Origin": {"http://evil.example"}, "X-Ace-Request": {"1"}}, false},
		{"a browser with proof", "localhost:5000", firefox, proof("1"), true},
		{"another proof", "ace.example.com:5000", curl, proof("yes"), false},
		{"an empty proof", "localhost:5000", curl, proof(""), false},
		{"proof twice", "ace.example.com:5000", curl, proof("1", "1"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range changing() {
				r.Host = tt.host
				if tt.agent != "" {
					r.Header.Set("User-Agent", tt.agent)
				}
				for name, values := range tt.header {
					r.Header[name] = values
				}
				w := httptest.NewRecorder()
				httpx.Handler(newChangingMux(t), httpx.Options{Hosts: []string{"ace.example.com", "10.0.0.5"}}).ServeHTTP(w, r)
				if (w.Code != 403) != tt.allow {
					t.Errorf("%s %s: got %d %s", r.Method, r.URL, w.Code, w.Body)
				}
				if w.Code == 403 && len(tt.header) == 0 && !strings.Contains(w.Body.String(), "-H 'X-ACE-Request: 1'") {
					t.Errorf("the refusal does not say what to send: %s", w.Body)
				}
			}
		})
	}
}

func TestGuard_ATokenProvesADeliberateRequest(t *testing.T) {
	handler := httpx.Handler(newChangingMux(t), httpx.Options{Hosts: []string{"ace.example.com"}, Callers: caller.Single("correct-horse")})
	for token, status := range map[string]int{"Bearer correct-horse": 200, "Bearer wrong": 401, "": 401} {
		r := httptest.NewRequest("GET", "http://ace.example.com/ace/table-diff", nil)
		r.Header.Set("Authorization", token)
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != status {
			t.Errorf("%q: got %d %s, want %d", token, w.Code, w.Body, status)
		}
	}
}

func TestGuard_ChecksTheHostOfTheRequestLine(t *testing.T) {
	server := httptest.NewServer(httpx.Handler(newChangingMux(t), httpx.Options{}))
	defer server.Close()
	for _, tt := range []struct{ request, status string }{
		{"GET /ace/table-diff HTTP/1.1\r\nHost: localhost\r\n", "200"},
		{"GET http://evil.example/ace/table-diff HTTP/1.1\r\nHost: localhost\r\n", "403"},
		{"GET http://localhost@evil.example/ace/table-diff HTTP/1.1\r\nHost: localhost\r\n", "403"},
		{"GET /ace/table-diff HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", "400"},
		{"GET /ace/table-diff HTTP/1.1\r\n", "400"},
		{"GET /ace/table-diff HTTP/1.0\r\n", "403"},
		{"OPTIONS /ace/table-diff HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n" +
			"Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: x-ace-request\r\n", "403"},
		{"OPTIONS /ace/table-diff HTTP/1.1\r\nHost: localhost\r\n", "405"},
		{"HEAD /ace/table-diff HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: GET\r\n", "405"},
		{"DELETE /ace/table-diff HTTP/1.1\r\nHost: localhost\r\nX-HTTP-Method-Override: POST\r\n", "405"},
	} {
		answer := raw(t, server, tt.request+"Connection: close\r\n\r\n")
		if fields := strings.Fields(answer); len(fields) < 2 || fields[1] != tt.status || strings.Contains(answer, "Access-Control-") {
			t.Errorf("%q is answered with\n%s\nwant %s", tt.request, answer, tt.status)
		}
	}
}

// raw sends bytes and returns the whole response.
func raw(t *testing.T, server *httptest.Server, request string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestGuarded_ForeignPagesCannotReadProfiles(t *testing.T) {
	handler := httpx.Guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }), httpx.Options{})
	for _, tt := range []struct {
		host, site string
		status     int
	}{
		{"localhost:6060", "", 200}, {"localhost:6060", "none", 200}, {"localhost:6060", "cross-site", 403}, {"evil.example:6060", "", 403},
	} {
		r := httptest.NewRequest("GET", "/debug/pprof/", nil)
		r.Host = tt.host
		if tt.site != "" {
			r.Header.Set("Sec-Fetch-Site", tt.site)
		}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != tt.status {
			t.Errorf("%+v: got %d %s", tt, w.Code, w.Body)
		}
	}
}

func FuzzAuthority(f *testing.F) {
	for _, seed := range []string{"localhost:5000", "[::1]:5000", "evil@localhost", "[::1%25lo]", "127.0.0.1", "localhost:5000@evil", "[", ":"} {
		f.Add(seed)
	}
	handler := httpx.Guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }), httpx.Options{})
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, r); w.Code != 200 {
			return
		}
		// If the guard parses the host as this machine, the parser of URLs must too.
		u, err := url.Parse("http://" + host)
		if err != nil || u.User != nil || u.Host != host || u.Path+u.RawQuery+u.Fragment != "" {
			t.Fatalf("%q is let in: %+v, %v", host, u, err)
		}
		if ip := net.ParseIP(u.Hostname()); !strings.EqualFold(u.Hostname(), "localhost") && (ip == nil || !ip.IsLoopback()) {
			t.Fatalf("%q is let in as %q", host, u.Hostname())
		}
	})
}

func TestGuard_RequiresTheToken(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		allow  bool
	}{
		{"right", []string{"Bearer correct-horse"}, true},
		{"scheme in lower case", []string{"bearer correct-horse"}, true},
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"wrong", []string{"Bearer correct-horsf"}, false},
		{"prefix", []string{"Bearer correct"}, false},
		{"without scheme", []string{"correct-horse"}, false},
		{"another scheme", []string{"Basic correct-horse"}, false},
		{"twice", []string{"Bearer correct-horse", "Bearer correct-horse"}, false},
	}
	handler := httpx.Handler(newMux(t, io.Discard, nil), httpx.Options{Callers: caller.Single("correct-horse")})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://localhost:5000/ace/nothing", nil)
			r.Header["Authorization"] = tt.values
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if want := map[bool]int{true: 404, false: 401}[tt.allow]; w.Code != want || (w.Header().Get("WWW-Authenticate") != `Bearer realm="ace"`) != tt.allow {
				t.Errorf("got %d %v %s, want %d", w.Code, w.Header(), w.Body, want)
			}

			for _, path := range []string{"/healthz", "/readyz", "/readyz/"} { // probes need no token
				r = httptest.NewRequest("GET", "http://localhost:5000"+path, nil)
				r.Header["Authorization"] = tt.values
				checkGuard(t, handler, r, true)
			}
		})
	}
}

func checkGuard(t *testing.T, handler http.Handler, r *http.Request, allow bool) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	want := 403
	if allow {
		want = 200
	}
	if w.Code != want {
		t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
	}
	if !allow && !strings.HasPrefix(w.Body.String(), `{"error":"`) {
		t.Errorf("the refusal is %s", w.Body)
	}
	if got := w.Header().Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}
