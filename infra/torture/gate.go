package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"regexp"
	"sync"

	"ace/infra/testkit/pgserver"
)

// gate is a proxy directly before a server. It reads the messages of PostgreSQL's
// protocol, so that a fault can happen at one of them: at the COMMIT of a task, or in the
// middle of a row.
type gate struct {
	listener net.Listener
	upstream func() string // address of the server

	mu      sync.Mutex
	refuses bool // every connection is closed
	links   map[*link]bool
	commits map[*commitTrap]bool
	rows    map[*rowTrap]bool
	slowed  map[*slowness]bool
}

// commitTrap is called when a transaction of a task is about to commit. It forwards the
// COMMIT, or ends the connection, and reports whether the connection continues.
type commitTrap struct {
	task   string
	spring func(l *link, forward func() error) (continues bool)
}

// rowTrap cuts a connection in the middle of a row.
type rowTrap struct{ skip int64 } // rows of all connections before that one

// link is a connection of a client with the server.
type link struct {
	gate           *gate
	client, server net.Conn
	task           string // the task that the newest transaction works for; only for requests

	mu       sync.Mutex
	silent   bool          // answers are discarded
	answered chan struct{} // closed when an answer was discarded, or the server has closed the connection
	isDone   sync.Once     // closes answered
}

func startGate(upstream func() string) (*gate, error) {
	listener, err := net.Listen("tcp", pgserver.Host+":0") //nolint:noctx // returns at once
	if err != nil {
		return nil, err
	}
	g := &gate{listener: listener, upstream: upstream, links: map[*link]bool{}, commits: map[*commitTrap]bool{}, rows: map[*rowTrap]bool{}, slowed: map[*slowness]bool{}}
	go g.accept()
	return g, nil
}

func (g *gate) address() string { return g.listener.Addr().String() }

func (g *gate) close() error {
	err := g.listener.Close()
	g.refuse()
	return err
}

func (g *gate) accept() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return // the gate was closed
		}
		go g.connect(client)
	}
}

func (g *gate) connect(client net.Conn) {
	server, err := net.Dial("tcp", g.upstream()) //nolint:noctx // on this host, so it returns at once
	if err != nil {
		client.Close()
		return
	}
	l := &link{gate: g, client: client, server: server, answered: make(chan struct{})}
	g.mu.Lock()
	refused := g.refuses
	if !refused {
		g.links[l] = true
	}
	g.mu.Unlock()
	if refused {
		l.end()
		return
	}
	go func() { _ = l.answers(); l.end() }()
	_ = l.requests()
	l.end()
}

// end closes both connections.
func (l *link) end() {
	l.client.Close()
	l.server.Close()
	l.gate.mu.Lock()
	defer l.gate.mu.Unlock()
	delete(l.gate.links, l)
}

// refuse closes every connection, until allow is called.
func (g *gate) refuse() {
	g.mu.Lock()
	g.refuses = true
	links := make([]*link, 0, len(g.links))
	for l := range g.links {
		links = append(links, l)
	}
	g.mu.Unlock()
	for _, l := range links {
		l.end()
	}
}

func (g *gate) allow() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuses = false
}

// Codes of messages that precede a session.
const (
	cancelRequest = 80877102
	sslRequest    = 80877103
	gssRequest    = 80877104
)

// requests forwards what the client sends, message by message.
func (l *link) requests() error {
	from, to := bufio.NewReader(l.client), bufio.NewWriter(l.server)
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return err
	}
	startup := make([]byte, binary.BigEndian.Uint32(length[:])-4)
	if _, err := io.ReadFull(from, startup); err != nil {
		return err
	}
	switch binary.BigEndian.Uint32(startup) {
	case cancelRequest:
		_, err := l.server.Write(append(length[:], startup...))
		return errors.Join(err, waitForEnd(l.client))
	case sslRequest, gssRequest:
		return errors.New("the gate does not encrypt")
	}
	if _, err := to.Write(append(length[:], startup...)); err != nil {
		return err
	}
	for {
		if from.Buffered() == 0 {
			if err := to.Flush(); err != nil {
				return err
			}
		}
		if err := l.request(from, to); err != nil {
			return err
		}
	}
}

// waitForEnd waits until the other side closes the connection.
func waitForEnd(conn net.Conn) error {
	_, err := io.Copy(io.Discard, conn)
	return err
}

// longestRead is the size of the messages whose contents the gate reads.
const longestRead = 8 << 10

// taskPattern matches the application_name that a transaction sets.
var taskPattern = regexp.MustCompile(`\bace (t[a-z]_[0-9a-z_]+)`)

// request forwards a message.
func (l *link) request(from *bufio.Reader, to *bufio.Writer) error {
	header, err := readHeader(from)
	if err != nil {
		return err
	}
	size := int64(binary.BigEndian.Uint32(header[1:])) - 4
	if size > longestRead {
		return forward(from, to, header, size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(from, body); err != nil {
		return err
	}
	if found := taskPattern.FindSubmatch(body); found != nil {
		l.task = string(found[1])
	}
	send := func() error {
		_, err := to.Write(append(header, body...))
		return errors.Join(err, to.Flush())
	}
	if header[0] == 'Q' && string(body) == "COMMIT\x00" {
		if trap := l.gate.commitTrap(l.task); trap != nil {
			if !trap.spring(l, send) {
				return errors.New("a fault ended the connection")
			}
			return nil
		}
	}
	_, err = to.Write(append(header, body...))
	return err
}

func readHeader(from *bufio.Reader) ([]byte, error) {
	header := make([]byte, 5)
	_, err := io.ReadFull(from, header)
	return header, err
}

func forward(from *bufio.Reader, to *bufio.Writer, header []byte, size int64) error {
	if _, err := to.Write(header); err != nil {
		return err
	}
	_, err := io.CopyN(to, from, size)
	return err
}

// answers forwards what the server sends, message by message.
func (l *link) answers() error {
	defer l.isDone.Do(func() { close(l.answered) })
	from, to := bufio.NewReader(l.server), bufio.NewWriter(slowWriter{l})
	for {
		if from.Buffered() == 0 {
			if err := to.Flush(); err != nil {
				return err
			}
		}
		header, err := readHeader(from)
		if err != nil {
			return errors.Join(err, to.Flush())
		}
		if l.isSilent() {
			l.isDone.Do(func() { close(l.answered) })
			return waitForEnd(l.server)
		}
		size := int64(binary.BigEndian.Uint32(header[1:])) - 4
		if header[0] == 'D' && l.gate.cutsRow() {
			_, err := to.Write(header)
			_, copyErr := io.CopyN(to, from, size/2)
			return errors.Join(err, copyErr, to.Flush())
		}
		if err := forward(from, to, header, size); err != nil {
			return err
		}
	}
}

// silence discards all further answers.
func (l *link) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.silent = true
}

func (l *link) isSilent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.silent
}

// onCommit sets a trap and returns the function that removes it.
func (g *gate) onCommit(task string, spring func(l *link, forward func() error) bool) (remove func()) {
	trap := &commitTrap{task, spring}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.commits[trap] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.commits, trap)
	}
}

func (g *gate) commitTrap(task string) *commitTrap {
	g.mu.Lock()
	defer g.mu.Unlock()
	for trap := range g.commits {
		if trap.task == task {
			return trap
		}
	}
	return nil
}

// cutRow cuts the connection that sends a row after a number of rows, in the middle of
// that row. It returns the function that prevents it.
func (g *gate) cutRow(skip int64) (remove func()) {
	trap := &rowTrap{skip}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rows[trap] = true
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.rows, trap)
	}
}

// cutsRow counts a row, and reports whether it is to be cut.
func (g *gate) cutsRow() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for trap := range g.rows {
		trap.skip--
		if trap.skip < 0 {
			delete(g.rows, trap)
			return true
		}
	}
	return false
}
