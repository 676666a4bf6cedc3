package pgtest

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Proxy forwards TCP connections to a server that the test selects, as a load balancer
// does. It can make the server fall silent, see Silence.
type Proxy struct {
	listener net.Listener
	wait     sync.WaitGroup
	mu       sync.Mutex
	to       string
	open     map[*forwarding]bool
	closed   bool
	stalled  bool          // nothing is forwarded on any connection
	changed  chan struct{} // closed and replaced when waiting connections must check the state again
	sent     []string      // what clients sent, if it is recorded
	records  bool
	trigger  *trigger
	stopped  []int // process ids of stopped backends
}

// forwarding is one connection through the proxy.
type forwarding struct {
	client, server net.Conn // server is nil until the proxy has connected to it
	cut            bool
	deaf, mute     bool // deaf: nothing is forwarded to the server; mute: nothing is forwarded to the client
	backend        int  // process id of the server's backend; 0 until the server sent it
}

// NewProxy starts a proxy that forwards to a node. It is closed when the test ends.
func NewProxy(tb testing.TB, to Node) *Proxy {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	p := &Proxy{listener: listener, to: address(to), open: map[*forwarding]bool{}, changed: make(chan struct{})}
	p.wait.Go(p.serve)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.Resume()
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
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
	for f := range p.open {
		f.cut = true
		f.close()
	}
	p.announce()
}

// announce makes waiting connections check the state of the proxy again. The caller must
// hold the mutex.
func (p *Proxy) announce() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (f *forwarding) close() {
	_ = f.client.Close()
	if f.server != nil {
		_ = f.server.Close()
	}
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
	f := &forwarding{client: client}
	p.mu.Lock()
	p.open[f] = true
	f.cut = p.closed
	to := p.to
	p.mu.Unlock()

	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		f.close()
		delete(p.open, f)
	}()

	if !p.pass(f, nil) {
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "tcp", to)
	if err != nil {
		return
	}
	p.mu.Lock()
	f.server = server
	p.mu.Unlock()

	var wait sync.WaitGroup
	wait.Go(func() { p.copy(f, &f.deaf, p.fromClient) })
	wait.Go(func() { p.copy(f, &f.mute, p.fromServer) })
	wait.Wait()
}

// copy forwards bytes in one direction until one of the connections is closed. stalled
// selects the direction: &f.deaf for bytes to the server, and &f.mute for bytes to the
// client. copy calls look with each piece of data before it forwards the data.
func (p *Proxy) copy(f *forwarding, stalled *bool, look func(*forwarding, []byte)) {
	from, to := f.client, f.server
	if stalled == &f.mute {
		from, to = f.server, f.client
	}
	defer f.close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			look(f, buffer[:n])
		}
		// While the connection is silent, the proxy also hides that the other side has
		// closed its connection.
		if !p.pass(f, stalled) {
			return
		}
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
			p.sentTo(f, stalled)
		}
		if err != nil {
			return
		}
	}
}

// pass waits while the direction stalled of a connection (see copy) or the whole proxy is
// stalled. It returns false if the connection was cut. If stalled is nil, only the state
// of the whole proxy counts.
func (p *Proxy) pass(f *forwarding, stalled *bool) bool {
	for {
		p.mu.Lock()
		wait, cut, changed := p.stalled || stalled != nil && *stalled, f.cut, p.changed
		p.mu.Unlock()
		switch {
		case cut:
			return false
		case !wait:
			return true
		}
		<-changed
	}
}
