package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/metrics"
)

// published returns a service's handler.
func published(t *testing.T, s *service, token string) http.Handler {
	t.Helper()
	mux, err := endpoint.New(endpoint.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	opts := httpx.Options{Hosts: []string{"ace.example"}}
	if token != "" {
		opts.Callers = caller.Single(token)
	}
	return s.measured(mux, opts)
}

func TestMeasured_ProtectsTheMetricsLikeTheAPI(t *testing.T) {
	const token = "correct-horse-battery"
	for _, tt := range []struct {
		name   string
		token  string
		host   string
		path   string
		header map[string]string
		status int
	}{
		{"without a token", "", "localhost:5000", "/metrics", nil, 200},
		{"with a slash", "", "localhost:5000", "/metrics/", nil, 200},
		{"another path", "", "localhost:5000", "/metrics/x", nil, 404},
		{"a configured name", "", "ace.example:5000", "/metrics", nil, 200},
		{"another name", "", "evil.example", "/metrics", nil, 403},
		{"a foreign page", "", "localhost:5000", "/metrics", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a foreign origin", "", "localhost:5000", "/metrics", map[string]string{"Origin": "https://evil.example"}, 403},
		{"no token", token, "localhost:5000", "/metrics", nil, 401},
		{"a wrong token", token, "localhost:5000", "/metrics", map[string]string{"Authorization": "Bearer x"}, 401},
		{"the token", token, "localhost:5000", "/metrics", map[string]string{"Authorization": "Bearer " + token}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "http://"+tt.host+tt.path, nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			published(t, &service{metrics: metrics.New()}, tt.token).ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("got %d %v, want %d", w.Code, w.Header(), tt.status)
			}
			if strings.Contains(w.Body.String(), "ace_") != (tt.status == 200) {
				t.Errorf("the answer is %s", w.Body)
			}
		})
	}
}

func TestMeasured_HasNoMetricsIfTheyAreOff(t *testing.T) {
	w := httptest.NewRecorder()
	published(t, &service{}, "").ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:5000/metrics", nil))
	if w.Code != 404 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestRouteOf_ReturnsPatterns(t *testing.T) {
	for _, route := range api.Routes() {
		if got := routeOf(route.Path("td_20240315_123456")); got != string(route) {
			t.Errorf("%s: %q", route, got)
		}
	}
	if got := routeOf("/ace/unknown/td_20240315_123456"); got != "" {
		t.Errorf("an unknown path has the route %q", got)
	}
}
