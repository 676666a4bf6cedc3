package httpx

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"ace/shared/fault"
)

// guard refuses requests that a browser sends on behalf of a foreign page. The API changes state on GET, so the usual
// protection (safe methods need none) does not apply.
//
// Browsers send Sec-Fetch-Site only to addresses that they trust: https, and http on this machine. To a name from
// ACE_HOSTS over plain HTTP they send neither that nor, with a GET, an Origin. And Sec-Fetch-Site is "none" for an
// address that the user opened, also where a foreign server redirected it to us. A request that changes something
// therefore needs proof that no page can send it, see deliberate.
type guard struct {
	hosts map[string]bool
	token *[sha256.Size]byte // nil: none is demanded
}

func newGuard(opts Options) guard {
	g := guard{hosts: make(map[string]bool, len(opts.Hosts))}
	for _, host := range opts.Hosts {
		g.hosts[strings.ToLower(strings.Trim(host, "[]"))] = true
	}
	if opts.Token != "" {
		sum := sha256.Sum256([]byte(opts.Token))
		g.token = &sum
	}
	return g
}

// check returns a fault with code Forbidden unless the request may be served. The caller says whether the request starts
// or changes something.
func (g guard) check(r *http.Request, changes bool) error {
	addressed, ok := parseAuthority(r.Host)
	switch {
	case !ok || !addressed.loopback() && !g.hosts[addressed.host]:
		return fault.New(fault.Forbidden,
			"Host is %.100q, allowed are localhost, loopback addresses and the configured hosts (ACE_HOSTS)", r.Host)
	case !sameSite(r.Header.Values("Sec-Fetch-Site")):
		return fault.New(fault.Forbidden, "requests from other web sites are refused (Sec-Fetch-Site)")
	case !ownOrigin(r.Header.Values("Origin"), addressed):
		return fault.New(fault.Forbidden, "requests from other web sites are refused (Origin)")
	case prefetch(r.Header):
		return fault.New(fault.Forbidden, "prefetching is refused: requests start work")
	case !g.knowsToken(r.Header.Values("Authorization")):
		return fault.New(fault.Forbidden, "a valid token is required: Authorization: Bearer <token>")
	case changes && !g.deliberate(r.Header, addressed):
		return fault.New(fault.Forbidden, "a request that starts or changes something needs the header X-ACE-Request: 1 if it is "+
			"addressed to a name other than localhost or comes from a browser; with curl: -H 'X-ACE-Request: 1'")
	}
	return nil
}

// deliberate reports whether a request, which check has let pass so far, comes from a program that the operator runs or
// from a page of ours. A foreign page can send neither the header nor a token: the browser would ask us for permission
// first (a CORS preflight), which is never granted. Without them, a request to this machine must not look like one of a
// browser, since even a browser's request without Sec-Fetch-Site, or with "none", may be the work of a foreign page.
func (g guard) deliberate(header http.Header, addressed authority) bool {
	proof := header.Values("X-ACE-Request")
	switch {
	case g.token != nil:
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

// sameSite reports whether no Sec-Fetch-Site names another site.
func sameSite(values []string) bool {
	for _, value := range values {
		if value != "same-origin" && value != "none" {
			return false
		}
	}
	return true
}

// ownOrigin reports whether the Origin, if there is one, is the host and port that the request is addressed to. "null" and
// several origins are not. No TLS ends here, so an https page of this machine is another server's.
func ownOrigin(values []string, addressed authority) bool {
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
		return origin.portOr("80") == addressed.portOr("80")
	case "https":
		return !addressed.loopback() && origin.portOr("443") == addressed.portOr("443")
	}
	return false
}

// prefetch reports whether the browser asks for an address that the user has not opened.
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

// knowsToken compares sums, so that neither content nor length shows in the time it takes.
func (g guard) knowsToken(values []string) bool {
	if g.token == nil {
		return true
	}
	if len(values) != 1 {
		return false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	sum := sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}
