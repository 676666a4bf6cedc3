package httpx

import (
	"net/netip"
	"strconv"
	"strings"
)

// authority is the host and port that a Host or Origin field names.
type authority struct {
	host string // in lower case, an IPv6 address without brackets
	port string // "" if there is none
}

// parseAuthority reads host or host:port. It accepts no user ("http://evil@localhost"), no zone of an IPv6 address, no
// brackets around anything else, and no port that is not a number: what a browser would take for another host must not
// be taken for ours.
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

// isName reports whether text has the characters of a host name or an IPv4 address only.
func isName(text string) bool {
	other := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_'
	}
	return text != "" && !strings.ContainsFunc(text, other)
}

// portOr returns the port, or the scheme's own one if none is named.
func (a authority) portOr(own string) string {
	if a.port == "" {
		return own
	}
	return a.port
}

// loopback reports whether the host is localhost, 127.0.0.0/8 or ::1. Other spellings of these ("localhost.", 0.0.0.0,
// ::ffff:127.0.0.1) are not: no client needs them.
func (a authority) loopback() bool {
	if a.host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(a.host)
	return err == nil && !ip.Is4In6() && ip.IsLoopback()
}
