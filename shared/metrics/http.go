package metrics

import (
	"context"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Path is the path of the metrics.
const Path = "/metrics"

// otherRoute is the label of all paths that belong to no route.
const otherRoute = "other"

// routeKey is the key of a request's route in its context.
type routeKey struct{}

// Handler returns the handler that answers GET and HEAD requests for the metrics.
func (m *Metrics) Handler() http.Handler {
	serve := promhttp.HandlerFor(m.families.registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMethodNotAllowed)
			_, _ = w.Write([]byte(`{"error":"the method is not supported; use GET, HEAD"}` + "\n")) // fails only if the client is gone
			return
		}
		serve.ServeHTTP(w, r)
	})
}

// IsPath reports whether a path is that of the metrics. It may end in a slash.
func IsPath(path string) bool { return strings.TrimSuffix(path, "/") == Path }

// Requests returns a handler that counts the requests that next answers. routeOf returns
// the pattern of a path, such as /ace/diffs/{task_id}, or "" if it belongs to no route.
func (m *Metrics) Requests(next http.Handler, routeOf func(path string) string) http.Handler {
	route := promhttp.WithLabelFromCtx("route", func(ctx context.Context) string {
		pattern, _ := ctx.Value(routeKey{}).(string)
		return pattern
	})
	counted := promhttp.InstrumentHandlerCounter(m.requests, next, route)
	counted = promhttp.InstrumentHandlerDuration(m.requestTimes, counted, route)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		pattern := routeOf(r.URL.Path)
		switch {
		case IsPath(r.URL.Path):
			pattern = Path
		case pattern == "":
			pattern = otherRoute
		}
		counted.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), routeKey{}, pattern)))
	})
}
