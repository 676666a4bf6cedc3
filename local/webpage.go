package main

import (
	"net/http"

	"ace/local/page"
	"ace/shared/config"
	"ace/shared/endpoint"
	"ace/shared/endpoint/httpx"
)

// withPage returns a handler that serves the web page and passes all other requests to
// next. If ACE_PAGE is false, it returns next. Requests for the web page are not in the
// metrics of the API. Otherwise a stream of events that is open for minutes would count
// as a slow request.
func (s *service) withPage(next http.Handler, mux *endpoint.Mux, c config.Config, opts httpx.Options) (http.Handler, error) {
	if !c.Page {
		return next, nil
	}

	var err error
	s.page, err = page.New(page.Options{
		API: mux, OpenTasks: s.app.Tasks().Open, Refused: s.app.Refused, Log: s.log, Version: version(),
		// Downloads needs no token, because httpx.Pages has already identified the caller.
		Downloads: httpx.Handler(mux, httpx.Options{Hosts: c.AllowedHosts()}),
	})
	if err != nil {
		return nil, err
	}
	pages := httpx.Pages(s.page, opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.page.Serves(r.URL.Path) {
			endpoint.TraceOf(r.Context()).Route = s.page.Route(r.URL.Path)
			pages.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	}), nil
}
