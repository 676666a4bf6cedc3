package httpx_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
)

// newMux gives a mux that answers on /healthz and offers file as the diff of any task.
func newMux(t *testing.T, log io.Writer, file *endpoint.File) *endpoint.Mux {
	t.Helper()
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(log, nil))},
		endpoint.JSON(api.RouteHealth, api.DecodeHealth,
			func(context.Context, api.HealthRequest) (api.Health, error) { return api.Health{Status: "ok"}, nil }),
		endpoint.Download(api.RouteDiff, api.DecodeDiff,
			func(context.Context, api.DiffRequest) (*endpoint.File, error) { return file, nil }))
	if err != nil {
		t.Fatal(err)
	}
	return mux
}

func TestGuard_LetsCommandLineToolsInAndForeignPagesNot(t *testing.T) {
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
		{"prefetch", "localhost:5000", http.Header{"Sec-Purpose": {"prefetch"}}, false},
		{"prerender", "localhost:5000", http.Header{"Sec-Purpose": {"prefetch;prerender"}}, false},
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

func TestGuard_DemandsTheToken(t *testing.T) {
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
	handler := httpx.Handler(newMux(t, io.Discard, nil), httpx.Options{Token: "correct-horse"})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://localhost:5000/healthz", nil)
			r.Header["Authorization"] = tt.values
			checkGuard(t, handler, r, tt.allow)
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
