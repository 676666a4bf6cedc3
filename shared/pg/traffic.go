package pg

import (
	"net"
	"sync/atomic"
)

// traffic counts the bytes of all connections to the nodes.
type traffic struct{ received, sent atomic.Int64 }

// Traffic returns how many bytes were received from the nodes and sent to them, without
// those of cancel requests.
func (p *Pools) Traffic() (received, sent int64) {
	return p.traffic.received.Load(), p.traffic.sent.Load()
}

// countedConn is a connection whose bytes are counted.
type countedConn struct {
	net.Conn
	traffic *traffic
}

// Read implements net.Conn.
func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.traffic.received.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.traffic.sent.Add(int64(n))
	return n, err
}
