package httpx

import (
	"net/http"

	"ace/shared/caller"
	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Pages returns a handler for the web pages of the service. It refuses the requests that
// the options do not allow, and passes the others to h. h must change something only on
// POST, and only if the request contains the CSRF token of a form that h has sent.
//
// A browser cannot send Authorization: Bearer for a page. If a token is required, Pages
// therefore also accepts the token as the password of HTTP basic authentication. The
// browser sends a password only to the scheme, host and port for which it was entered. A
// cookie would be sent to the servers on all ports of the host. But the browser also
// sends the password if a foreign page causes the request. So only Pages accepts it, and
// the API does not.
func Pages(h http.Handler, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isolate(w.Header())
		id, err := g.checkPage(r)
		if err != nil {
			resp := endpoint.ErrorResponse(err)
			if fault.CodeOf(err) == fault.Unauthorized {
				resp.Header["WWW-Authenticate"] = `Basic realm="ace", charset="UTF-8"`
			}
			write(w, resp)
			return
		}
		h.ServeHTTP(w, r.WithContext(caller.NewContext(r.Context(), id)))
	})
}

// checkPage returns the caller of the request for a page, or an error if the request must
// be rejected.
func (g guard) checkPage(r *http.Request) (caller.Identity, error) {
	if _, err := g.checkSource(r); err != nil {
		return caller.Identity{}, err
	}
	token := bearer(r)
	if token == "" {
		token = password(r)
	}
	id, known := g.identify(r, viaPage, token)
	switch {
	case !known:
		return id, fault.New(fault.Unauthorized, "a valid token is required: enter it as the password, with any user name")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !isOwn(r.Header):
		return id, fault.New(fault.Forbidden, "a form must be sent by a page of this service (Origin)")
	}
	return id, nil
}

// isOwn reports whether a request that passed checkSource is known to be from a page of
// this service. A browser sends at least one of the two headers with every form.
func isOwn(header http.Header) bool {
	return header.Get("Origin") != "" || header.Get("Sec-Fetch-Site") == "same-origin"
}
