package pgtest

import (
	"context"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Proxy forwards TCP connections to a server that the test selects, as a load balancer
// does.
type Proxy struct {
	listener net.Listener
	wait     sync.WaitGroup
	mu       sync.Mutex
	to       string
	open     map[net.Conn]bool
}

// NewProxy starts a proxy that forwards to a node. It is closed when the test ends.
func NewProxy(tb testing.TB, to Node) *Proxy {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	p := &Proxy{listener: listener, to: address(to), open: map[net.Conn]bool{}}
	p.wait.Go(p.serve)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.wait.Wait()
	})
	return p
}

func address(n Node) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.Server.Port())) }

// Port returns the port on which the proxy listens on 127.0.0.1.
func (p *Proxy) Port() int {
	at, _ := p.listener.Addr().(*net.TCPAddr)
	return at.Port
}

// Switch makes the proxy forward new connections to another node, and closes the open
// connections.
func (p *Proxy) Switch(to Node) {
	p.mu.Lock()
	p.to = address(to)
	p.mu.Unlock()
	p.Cut()
}

// Cut closes all open connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		_ = conn.Close()
	}
	clear(p.open)
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wait.Go(func() { p.forward(client) })
	}
}

func (p *Proxy) forward(client net.Conn) {
	p.mu.Lock()
	to := p.to
	p.mu.Unlock()
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	var wait sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		wait.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = client.Close(), server.Close()
		})
	}
	wait.Wait()
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}
