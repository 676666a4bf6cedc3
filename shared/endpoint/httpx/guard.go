package httpx

import (
	"net/http"
	"strings"

	"ace/shared/api"
	"ace/shared/caller"
	"ace/shared/fault"
)

// guard rejects requests that a browser sends for a foreign page. The API changes state
// on GET, so the usual rule, that safe methods need no protection, does not apply.
//
// Browsers send Sec-Fetch-Site only to addresses that they trust: https, and http on this
// machine. To a name from ACE_HOSTS over plain HTTP they send no Sec-Fetch-Site, and with
// a GET no Origin either. Sec-Fetch-Site is "none" for an address that the user opened,
// even after a redirect by a foreign server. A request that changes something therefore
// needs a proof that no foreign page can send; see isDeliberate.
type guard struct {
	Options
	hosts map[string]bool
}

func newGuard(opts Options) guard {
	g := guard{Options: opts, hosts: make(map[string]bool, len(opts.Hosts))}
	for _, host := range opts.Hosts {
		g.hosts[strings.ToLower(strings.Trim(host, "[]"))] = true
	}
	return g
}

// check returns the caller of the request, or an error if the request must be rejected: a
// fault with code Unauthorized if the token is missing or wrong, and Forbidden for every
// other reason. changes means that the request starts or changes something. A probe needs
// no token (see api.Route.IsProbe).
func (g guard) check(r *http.Request, changes bool) (caller.Identity, error) {
	addressed, err := g.checkSource(r)
	if err != nil {
		return caller.Identity{}, err
	}
	id, known := g.identify(r, viaHTTP, bearer(r))
	switch {
	case !known && !isProbe(r.URL.Path):
		return id, fault.New(fault.Unauthorized, "a valid token is required: Authorization: Bearer <token>")
	case changes && !g.isDeliberate(r.Header, addressed):
		return id, fault.New(fault.Forbidden, "a request that starts or changes something needs the header X-ACE-Request: 1 if it is "+
			"addressed to a name other than localhost or comes from a browser; with curl: -H 'X-ACE-Request: 1'")
	}
	return id, nil
}

// checkSource returns an error if a foreign web page may have sent the request. It
// returns the host and port to which the request is addressed.
func (g guard) checkSource(r *http.Request) (authority, error) {
	addressed, ok := parseAuthority(r.Host)
	switch {
	case !ok || !addressed.loopback() && !g.hosts[addressed.host]:
		return addressed, fault.New(fault.Forbidden,
			"Host is %.100q; it must be localhost, a loopback address or a configured host (ACE_HOSTS)", r.Host)
	case !sameSite(r.Header.Values("Sec-Fetch-Site")):
		return addressed, fault.New(fault.Forbidden, "requests from other web sites are refused (Sec-Fetch-Site)")
	case !ownOrigin(r.Header.Values("Origin"), addressed, r.TLS != nil):
		return addressed, fault.New(fault.Forbidden, "requests from other web sites are refused (Origin)")
	case prefetch(r.Header):
		return addressed, fault.New(fault.Forbidden, "prefetching is refused, because a request can start a task")
	}
	return addressed, nil
}

// isProbe reports whether a path is that of a probe.
func isProbe(path string) bool {
	for _, route := range api.Routes() {
		if _, ok := route.Match(path); ok {
			return route.IsProbe()
		}
	}
	return false
}

// isDeliberate reports whether a request that passed the other checks comes from a
// program that the operator runs or from a page of this service. A foreign page can send
// neither the header X-ACE-Request nor a token: the browser would first ask for
// permission (a CORS preflight), which the service never grants.
//
// A request with neither of them must be addressed to this machine. It must come from a
// page of this service (Sec-Fetch-Site is "same-origin") or from a program that is not a
// browser. A browser's request without Sec-Fetch-Site, or with "none", is refused,
// because a foreign page can cause such a request.
func (g guard) isDeliberate(header http.Header, addressed authority) bool {
	proof := header.Values("X-ACE-Request")
	switch {
	case g.Callers != nil:
		return true
	case len(proof) > 0:
		return len(proof) == 1 && proof[0] == "1"
	case !addressed.loopback():
		return false
	case len(header.Values("Sec-Fetch-Site")) > 0:
		return header.Get("Sec-Fetch-Site") == "same-origin"
	}
	return header.Get("Referer") == "" && !strings.HasPrefix(header.Get("User-Agent"), "Mozilla/")
}

// sameSite reports whether every value of Sec-Fetch-Site is "same-origin" or "none".
func sameSite(values []string) bool {
	for _, value := range values {
		if value != "same-origin" && value != "none" {
			return false
		}
	}
	return true
}

// ownOrigin reports whether the Origin is the host and port to which the request is
// addressed, or whether the request has no Origin. It returns false for "null" and for
// several origins. Over TLS, the Origin must be https. Without TLS, a proxy may serve TLS
// under another name than a loopback name, so an https Origin is accepted for such names.
// An https page at a loopback name belongs to another server.
func ownOrigin(values []string, addressed authority, overTLS bool) bool {
	if len(values) == 0 {
		return true
	}

	scheme, rest, ok := strings.Cut(values[0], "://")
	if !ok || len(values) > 1 {
		return false
	}

	origin, ok := parseAuthority(rest)
	if !ok || origin.host != addressed.host {
		return false
	}

	switch strings.ToLower(scheme) {
	case "http":
		return !overTLS && origin.portOr("80") == addressed.portOr("80")
	case "https":
		return (overTLS || !addressed.loopback()) && origin.portOr("443") == addressed.portOr("443")
	}
	return false
}

// prefetch reports whether a browser sent the request to prefetch an address that the
// user has not opened.
func prefetch(header http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		for _, value := range header.Values(name) {
			value = strings.ToLower(value)
			if strings.Contains(value, "prefetch") || strings.Contains(value, "prerender") || strings.Contains(value, "preview") {
				return true
			}
		}
	}
	return false
}
