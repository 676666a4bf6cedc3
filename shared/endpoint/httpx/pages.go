package httpx

import (
	"net/http"

	"ace/shared/endpoint"
	"ace/shared/fault"
)

// Pages returns a handler for the web pages of the service. It refuses the requests that
// the options do not allow, and passes the others to h. h must change something only on
// POST, and only if the request contains the CSRF token of a form that h has sent.
//
// A browser cannot send Authorization: Bearer for a page. If a token is required, Pages
// therefore also accepts it as the password of HTTP basic authentication. The browser
// keeps a password for the scheme, host and port for which it was entered. A cookie would
// be sent to the servers on all ports of the host. The browser also sends the password if
// a foreign page causes the request. Only h may therefore accept it: the API does not.
func Pages(h http.Handler, opts Options) http.Handler {
	g := newGuard(opts)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isolate(w.Header(), r)
		if err := g.checkPage(r); err != nil {
			resp := endpoint.ErrorResponse(err)
			if fault.CodeOf(err) == fault.Unauthorized {
				resp.Header["WWW-Authenticate"] = `Basic realm="ace", charset="UTF-8"`
			}
			write(w, resp)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// checkPage returns an error if the request for a page must be rejected.
func (g guard) checkPage(r *http.Request) error {
	_, err := g.checkSource(r)
	switch {
	case err != nil:
		return err
	case !g.knowsToken(r.Header.Values("Authorization")) && !g.knowsPassword(r):
		return fault.New(fault.Unauthorized, "a valid token is required: enter it as the password, with any user name")
	case r.Method != http.MethodGet && r.Method != http.MethodHead && !isOwn(r.Header):
		return fault.New(fault.Forbidden, "a form must be sent by a page of this service (Origin)")
	}
	return nil
}

// knowsPassword reports whether a request has the required token as the password of HTTP
// basic authentication. The name of the user has no meaning.
func (g guard) knowsPassword(r *http.Request) bool {
	_, password, ok := r.BasicAuth()
	return ok && len(r.Header.Values("Authorization")) == 1 && g.isToken(password)
}

// isOwn reports whether a request that passed checkSource is known to be from a page of
// this service. A browser sends at least one of the two headers with every form.
func isOwn(header http.Header) bool {
	return header.Get("Origin") != "" || header.Get("Sec-Fetch-Site") == "same-origin"
}
