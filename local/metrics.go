package main

import (
	"context"
	"net/http"
	"time"

	"ace/shared/api"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
	"ace/shared/metrics"
	"ace/shared/retry"
)

// measured returns a handler that serves the API, and the metrics unless ACE_METRICS is
// false. The metrics contain names of tables and counts of rows, so they need the token
// like the rest of the API.
func (s *service) measured(mux *endpoint.Mux, opts httpx.Options) http.Handler {
	serve := httpx.Handler(mux, opts)
	if s.metrics == nil {
		return serve
	}
	published := httpx.Guarded(s.metrics.Handler(), opts)
	return s.metrics.Requests(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if metrics.IsPath(r.URL.Path) {
			published.ServeHTTP(w, r)
			return
		}
		serve.ServeHTTP(w, r)
	}), routeOf)
}

// routeOf returns the pattern of the route to which a path belongs, or "".
func routeOf(path string) string {
	for _, route := range api.Routes() {
		if _, ok := route.Match(path); ok {
			return string(route)
		}
	}
	return ""
}

const (
	// restoreEvery is the time after which a failed restoration of the metrics is repeated.
	restoreEvery = time.Minute
	// refreshEvery is the time between two readings of the comparisons of other processes.
	refreshEvery = time.Minute
)

// restoreMetrics restores the metrics of the tables from the archive. It retries until it
// succeeds. Then it adds the comparisons of other processes, until the context ends.
func (s *service) restoreMetrics(ctx context.Context) {
	if s.metrics == nil {
		return
	}
	begun := time.Now()
	policy := retry.Policy{
		Backoff: retry.Backoff{First: restoreEvery, Max: restoreEvery},
		Notify: func(err error, wait time.Duration) {
			s.log.WarnContext(ctx, "metrics of tables not restored; that is tried again", "error", err, "after", wait)
		},
	}
	_ = policy.Do(ctx, func() error { // fails only if the context has ended
		return s.metrics.Restore(ctx, s.app.Diffs(), s.app.Tasks())
	})
	s.refreshMetrics(ctx, begun)
}

// refreshMetrics adds the comparisons that ended after since and those that end later,
// until the context ends.
func (s *service) refreshMetrics(ctx context.Context, since time.Time) {
	every(ctx, refreshEvery, func() {
		begun := time.Now()
		if err := s.metrics.Refresh(ctx, s.app.Diffs(), s.app.Tasks(), since); err != nil {
			s.log.DebugContext(ctx, "metrics of tables not refreshed; that is tried again", "error", err)
			return
		}
		since = begun
	})
}
