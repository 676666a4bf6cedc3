package httpx

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"

	"ace/shared/fault"
)

// guard refuses requests that a browser makes on behalf of somebody else. The API changes state on GET, so the usual
// protection (safe methods need none) does not apply.
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

// check gives a fault with code Forbidden unless the request may be served.
func (g guard) check(r *http.Request) error {
	switch {
	case !g.knowsHost(r.Host):
		return fault.New(fault.Forbidden,
			"Host is %.100q, allowed are localhost, loopback addresses and the configured hosts", r.Host)
	case !sameSite(r.Header.Values("Sec-Fetch-Site")):
		return fault.New(fault.Forbidden, "requests from other web sites are refused (Sec-Fetch-Site)")
	case !ownOrigin(r.Header.Values("Origin"), r.Host):
		return fault.New(fault.Forbidden, "requests from other web sites are refused (Origin)")
	case prefetch(r.Header):
		return fault.New(fault.Forbidden, "prefetching is refused: requests start work")
	case !g.knowsToken(r.Header.Values("Authorization")):
		return fault.New(fault.Forbidden, "a valid token is required: Authorization: Bearer <token>")
	}
	return nil
}

// knowsHost stops a foreign name that was made to resolve to our address (DNS rebinding).
func (g guard) knowsHost(hostPort string) bool {
	host := strings.ToLower(hostName(hostPort))
	if host == "localhost" || g.hosts[host] {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// hostName is a Host field without its port and brackets.
func hostName(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return strings.Trim(hostPort, "[]")
}

func sameSite(values []string) bool {
	for _, value := range values {
		if value != "same-origin" && value != "none" {
			return false
		}
	}
	return true
}

// ownOrigin says whether every Origin names the very host and port that was asked. "null" does not.
func ownOrigin(values []string, hostPort string) bool {
	for _, value := range values {
		origin, err := url.Parse(value)
		if err != nil || (origin.Scheme != "http" && origin.Scheme != "https") {
			return false
		}
		port := map[string]string{"http": ":80", "https": ":443"}[origin.Scheme]
		own := strings.TrimSuffix(strings.ToLower(hostPort), port)
		if strings.TrimSuffix(strings.ToLower(origin.Host), port) != own {
			return false
		}
	}
	return true
}

func prefetch(header http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose"} {
		for _, value := range header.Values(name) {
			if strings.Contains(strings.ToLower(value), "prefetch") {
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
