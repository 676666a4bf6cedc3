package httpx

import (
	"net/netip"
	"strconv"
	"strings"
)

// authority is the host and port in a Host or Origin field.
type authority struct {
	host string // the host in lower case; an IPv6 address has no brackets
	port string // the port; "" if the field has none
}

// parseAuthority parses host or host:port. It returns false for a user
// ("http://evil@localhost"), a zone of an IPv6 address, brackets around anything but an
// IPv6 address, and a port that is not a number. A less strict parser might accept as an
// allowed host what a browser understands as another host.
func parseAuthority(text string) (authority, bool) {
	text = strings.ToLower(text)
	if rest, isIPv6 := strings.CutPrefix(text, "["); isIPv6 {
		address, after, closed := strings.Cut(rest, "]")
		if ip, err := netip.ParseAddr(address); !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return authority{}, false
		}
		if after == "" {
			return authority{address, ""}, true
		}
		port := strings.TrimPrefix(after, ":")
		return authority{address, port}, len(port) < len(after) && isPort(port)
	}

	host, port, hasPort := strings.Cut(text, ":")
	return authority{host, port}, isName(host) && (!hasPort || isPort(port))
}

// isPort reports whether text is the number of a port.
func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// isName reports whether text consists of the characters of a host name or an IPv4
// address.
func isName(text string) bool {
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	}
	return text != "" && !strings.ContainsFunc(text, other)
}

// portOr returns the port of the authority, or own if the authority has no port. own is
// the default port of the scheme, such as 80.
func (a authority) portOr(own string) string {
	if a.port == "" {
		return own
	}
	return a.port
}

// loopback reports whether the host is localhost, an address in 127.0.0.0/8, or ::1. It
// returns false for other forms ("localhost.", 0.0.0.0, ::ffff:127.0.0.1), which no
// client needs.
func (a authority) loopback() bool {
	if a.host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(a.host)
	return err == nil && !ip.Is4In6() && ip.IsLoopback()
}
