package pgtest

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Pooler simulates a transaction pooler: each transaction of a client runs in a session
// that the test selects, so two transactions on one connection may run on two servers. It
// has one session per node, does not reset sessions, and does not require a password.
type Pooler struct {
	cluster  *Cluster
	choose   func() int // returns the node of the next transaction
	listener net.Listener
	wait     sync.WaitGroup
	mu       sync.Mutex
	clients  map[net.Conn]bool
	sessions []*session // indexed by node; nil until the session is used
}

// session is a connection to a server, with a buffer of what was read from it.
type session struct {
	conn net.Conn
	in   *bufio.Reader
}

// NewPooler starts a pooler, which serves one client at a time. It is closed when the
// test ends.
func NewPooler(tb testing.TB, c *Cluster, choose func() int) *Pooler {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	p := &Pooler{cluster: c, choose: choose, listener: listener, clients: map[net.Conn]bool{}, sessions: make([]*session, len(c.Nodes))}
	p.wait.Go(p.serve)
	tb.Cleanup(func() {
		_ = listener.Close()
		p.mu.Lock()
		for client := range p.clients {
			_ = client.Close()
		}
		p.mu.Unlock()
		p.wait.Wait()
		for node := range p.sessions {
			p.discard(node)
		}
	})
	return p
}

// Port returns the port on which the pooler listens on 127.0.0.1.
func (p *Pooler) Port() int {
	at, _ := p.listener.Addr().(*net.TCPAddr)
	return at.Port
}

// serve serves one client after the other.
func (p *Pooler) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.clients[client] = true
		p.mu.Unlock()

		if greet(client) == nil {
			p.pool(client)
		}
		_ = client.Close()
		p.mu.Lock()
		delete(p.clients, client)
		p.mu.Unlock()
	}
}

// greet answers the startup message of a client. It returns an error if the client sends
// a cancel request instead. The caller then closes the connection.
func greet(client net.Conn) error {
	var size [4]byte
	if _, err := io.ReadFull(client, size[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:])-4)
	if _, err := io.ReadFull(client, body); err != nil {
		return err
	}
	var startup pgproto3.StartupMessage
	if err := startup.Decode(body); err != nil {
		return err
	}
	var answer []byte
	for _, message := range []pgproto3.BackendMessage{
		&pgproto3.AuthenticationOk{},
		&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}},
		&pgproto3.ReadyForQuery{TxStatus: 'I'},
	} {
		var err error
		if answer, err = message.Encode(answer); err != nil {
			return err
		}
	}
	_, err := client.Write(answer)
	return err
}

// pool runs the transactions of a client. If the client disconnects within a transaction,
// pool closes the session, so that the server rolls the transaction back.
func (p *Pooler) pool(client net.Conn) {
	in := bufio.NewReader(client)
	for node := -1; ; {
		message, err := readMessage(in)
		if err != nil || message[0] == 'X' {
			p.discard(node)
			return
		}
		if node < 0 {
			node = p.choose()
		}
		status, err := p.exchange(node, message, client)
		switch {
		case err != nil:
			p.discard(node)
			return
		case status == 'I':
			node = -1
		}
	}
}

// exchange sends a message to a session. After a Sync or Query it sends the answers to
// the client and returns the status of the transaction ('I' means that none is open). For
// any other message it returns 0.
func (p *Pooler) exchange(node int, message []byte, client net.Conn) (status byte, err error) {
	s, err := p.session(node)
	if err != nil {
		return 0, err
	}
	if _, err := s.conn.Write(message); err != nil {
		return 0, err
	}
	if message[0] != 'S' && message[0] != 'Q' {
		return 0, nil
	}
	for {
		answer, err := readMessage(s.in)
		if err != nil {
			return 0, err
		}
		if _, err := client.Write(answer); err != nil {
			return 0, err
		}
		if answer[0] == 'Z' {
			return answer[5], nil
		}
	}
}

// session returns the session on a node. The first call for a node opens the session over
// TCP.
func (p *Pooler) session(node int) (*session, error) {
	if p.sessions[node] != nil {
		return p.sessions[node], nil
	}
	conn, err := pgconn.Connect(context.Background(), p.cluster.DSN(node))
	if err != nil {
		return nil, err
	}
	hijacked, err := conn.Hijack()
	if err != nil {
		return nil, err
	}
	p.sessions[node] = &session{conn: hijacked.Conn, in: bufio.NewReader(hijacked.Conn)}
	return p.sessions[node], nil
}

// discard closes the session on a node, if there is one.
func (p *Pooler) discard(node int) {
	if node >= 0 && p.sessions[node] != nil {
		_ = p.sessions[node].conn.Close()
		p.sessions[node] = nil
	}
}

// readMessage reads a message of the protocol with its type and length.
func readMessage(from *bufio.Reader) ([]byte, error) {
	head, err := from.Peek(5)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size < 4 || size > 1<<24 {
		return nil, errors.New(fmt.Sprint("pgtest: a message of ", size, " bytes"))
	}
	message := make([]byte, size+1)
	_, err = io.ReadFull(from, message)
	return message, err
}
