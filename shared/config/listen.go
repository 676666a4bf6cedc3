package config

import (
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

const unixPrefix = "unix://"

// Listen is an address to listen on. Its fields are the arguments of net.Listen.
type Listen struct {
	Network string // "tcp" or "unix"
	Address string // host:port, or the path of the socket
}

// UnmarshalText parses host:port or unix:///path.
func (l *Listen) UnmarshalText(text []byte) error {
	if path, isUnix := strings.CutPrefix(string(text), unixPrefix); isUnix {
		if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
			return errors.New("the path of the socket must be absolute")
		}
		*l = Listen{"unix", path}
		return nil
	}

	_, port, err := net.SplitHostPort(string(text))
	if err != nil {
		return err
	}

	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return err
	}

	*l = Listen{"tcp", string(text)}
	return nil
}

// String returns the address in the form that UnmarshalText parses.
func (l Listen) String() string {
	if l.Network == "unix" {
		return unixPrefix + l.Address
	}
	return l.Address
}

// Host returns the host to listen on. It is "" for all addresses of the host and for a
// Unix socket.
func (l Listen) Host() string {
	if l.Network == "unix" {
		return ""
	}
	host, _, _ := net.SplitHostPort(l.Address) // validated by UnmarshalText
	return host
}

// Loopback reports whether only this machine can reach the address.
func (l Listen) Loopback() bool {
	if l.Network != "tcp" || l.Host() == "localhost" {
		return true
	}
	ip := net.ParseIP(l.Host())
	return ip != nil && ip.IsLoopback()
}
