// Package liar is a PostgreSQL server that cannot be trusted: it relays a session to a
// real server and changes what that server answers.
package liar

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
)

// Message is one message of the server: its type and its body.
type Message struct {
	Type byte
	Body []byte
}

// Append appends the bytes of the message to b.
func (m Message) Append(b []byte) []byte {
	b = append(b, m.Type)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Body)+4))
	return append(b, m.Body...)
}

// Lie writes to the client what the server pretends to answer instead of m. An error ends
// the connection. out is closed when the test ends.
type Lie func(out io.Writer, m Message) error

// Server relays the sessions of clients to a real server.
type Server struct {
	listener net.Listener
	to       string
	wait     sync.WaitGroup
	mu       sync.Mutex
	lie      Lie
	startup  func(net.Conn)
	open     map[net.Conn]bool
	closed   bool
}

// New starts a server that relays to a node and changes nothing until the test calls Lie.
// It is closed when the test ends.
func New(tb testing.TB, to pgtest.Node) *Server {
	tb.Helper()
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("liar: %v", err)
	}
	s := &Server{
		listener: listener, to: net.JoinHostPort("127.0.0.1", strconv.Itoa(to.Server.Port())), open: map[net.Conn]bool{},
	}
	s.wait.Go(s.serve)
	tb.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.Cut()
		s.wait.Wait()
	})
	return s
}

// Port returns the port on which the server listens on 127.0.0.1.
func (s *Server) Port() int {
	at, _ := s.listener.Addr().(*net.TCPAddr)
	return at.Port
}

// Lie makes the server pass each further message to lie. nil means the truth.
func (s *Server) Lie(lie Lie) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lie = lie
}

// Startup makes answer serve each further connection, from its first byte. nil means that
// connections are relayed.
func (s *Server) Startup(answer func(net.Conn)) {
	s.mu.Lock()
	s.startup = answer
	s.mu.Unlock()
	s.Cut()
}

// Cut closes all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

func (s *Server) serve() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wait.Go(func() { s.session(client) })
	}
}

// track closes conn when the server is closed or cut. The returned function closes it.
func (s *Server) track(conn net.Conn) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	if s.closed {
		_ = conn.Close()
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, conn)
		_ = conn.Close()
	}
}

func (s *Server) session(client net.Conn) {
	defer s.track(client)()
	s.mu.Lock()
	startup := s.startup
	s.mu.Unlock()
	if startup != nil {
		startup(client)
		return
	}

	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(context.Background(), "tcp", s.to)
	if err != nil {
		return
	}
	defer s.track(server)()

	in := bufio.NewReader(server)
	if !s.negotiate(client, server, in) {
		return
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	s.answer(client, in)
	_ = client.Close()
	wait.Wait()
}

// negotiate relays the first packet, and the one byte that answers a request for TLS.
func (s *Server) negotiate(client, server net.Conn, in *bufio.Reader) bool {
	const tlsRequest = 80877103
	head := make([]byte, 8)
	if _, err := io.ReadFull(client, head); err != nil {
		return false
	}
	if _, err := server.Write(head); err != nil {
		return false
	}
	if binary.BigEndian.Uint32(head[4:]) != tlsRequest {
		return true
	}
	answer, err := in.ReadByte()
	if err != nil {
		return false
	}
	_, err = client.Write([]byte{answer})
	return err == nil
}

// answer relays the messages of the server, or what the lie makes of them.
func (s *Server) answer(client io.Writer, in io.Reader) {
	head := make([]byte, 5)
	for {
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		m := Message{Type: head[0], Body: make([]byte, binary.BigEndian.Uint32(head[1:])-4)}
		if _, err := io.ReadFull(in, m.Body); err != nil {
			return
		}
		s.mu.Lock()
		lie := s.lie
		s.mu.Unlock()
		if lie == nil {
			lie = Truth
		}
		if err := lie(client, m); err != nil {
			return
		}
	}
}

// Truth writes what the server has answered.
func Truth(out io.Writer, m Message) error {
	_, err := out.Write(m.Append(nil))
	return err
}

// Row returns a DataRow with these values.
func Row(values ...string) Message {
	body := binary.BigEndian.AppendUint16(nil, uint16(len(values)))
	for _, v := range values {
		body = binary.BigEndian.AppendUint32(body, uint32(len(v)))
		body = append(body, v...)
	}
	return Message{Type: 'D', Body: body}
}

// Columns returns the number of columns of a DataRow or RowDescription.
func (m Message) Columns() int { return int(binary.BigEndian.Uint16(m.Body)) }

// Error returns an ErrorResponse with a message.
func Error(sqlState, message string) Message { return report('E', "ERROR", sqlState, message) }

// Notice returns a NoticeResponse with a message.
func Notice(message string) Message { return report('N', "NOTICE", "00000", message) }

func report(kind byte, severity, sqlState, message string) Message {
	return Message{Type: kind, Body: []byte("S" + severity + "\x00V" + severity + "\x00C" + sqlState + "\x00M" + message + "\x00\x00")}
}
