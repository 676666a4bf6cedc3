package pg

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// The driver allocates the memory for a message when its length arrives, and it reads
// rows, notices and parameters for as long as the server sends them. So the functions of
// this file check the length of every message before the driver sees it.
const (
	// maxBody bounds a row with the values of columns, in bytes. PostgreSQL never sends a
	// longer message.
	maxBody = 1 << 30
	// maxAnswer bounds any other row: a digest, a key, or what the catalogs contain.
	maxAnswer = 64 << 20
	// maxAnswers bounds the sum of all rows of a statement whose rows have no values of
	// columns. The caller collects such rows in memory.
	maxAnswers = 1 << 30
	// maxReport bounds an error, a notice, or any other message that is not a row. An error
	// may quote a value.
	maxReport = 16 << 20
	// maxAside bounds the sum of the messages that arrive during a statement and are neither
	// rows nor errors, such as notices.
	maxAside = 16 << 20
	// maxLate bounds the sum of the messages that begin to arrive when the server should
	// have ended the statement long ago. They may have been in the buffers of the network.
	maxLate = 64 << 20
	// maxUnread bounds what a server sends while it does not accept what the client writes.
	// The driver reads it in the background, so that both sides cannot wait for each other.
	maxUnread = 64 << 20
	// maxStartup and maxStartupMessage bound what a server sends before the session begins.
	maxStartup        = 1 << 20
	maxStartupMessage = 64 << 10
	// maxParameters bounds the number of parameters that a server reports during a session,
	// which the driver keeps in a map. PostgreSQL 18 reports 15.
	maxParameters = 200
	// maxParameterName and maxParameter bound the name of a parameter, and its message.
	maxParameterName = 128
	maxParameter     = 64 << 10
	// messageCost is added to the length of a message when lengths are summed up, because a
	// short message needs more memory and time than its length suggests.
	messageCost = 64
)

// The types of messages that have limits of their own.
const (
	rowMessage       = 'D'
	errorMessage     = 'E'
	parameterMessage = 'S'
)

// messageError means that the server sent a message that is too long, or too many
// messages.
type messageError struct{ problem string }

func (e *messageError) Error() string { return e.problem }

func tooMuch(format string, args ...any) error {
	return &messageError{fmt.Sprintf("the server sent "+format, args...)}
}

// received counts the messages of a link, in bytes.
type received struct {
	startup    int
	values     bool // the rows may have values of columns, so a row may have maxBody bytes
	rows       int  // since the statement began
	aside      int  // since the statement began
	late       int  // since the statement began
	unread     int  // since the statement began, while the client was writing
	parameters map[string]bool
}

// expectValues sets whether the rows of the next statements may have values of columns.
func (l *link) expectValues(values bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received.values = values
}

// admit counts a message of the server. It returns an error if the driver must not read
// the message. now is the time at which the message began to arrive.
func (l *link) admit(kind byte, length int, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &l.received
	if !l.open {
		r.startup += length + messageCost
		if length > maxStartupMessage || r.startup > maxStartup {
			return tooMuch("more than a server sends before a session begins")
		}
		return nil
	}

	limit := maxReport
	switch {
	case kind == rowMessage && r.values:
		limit = maxBody
	case kind == rowMessage:
		limit = maxAnswer
		r.rows += length + messageCost
	case kind == parameterMessage:
		limit = maxParameter
		r.aside += length + messageCost
	case kind != errorMessage:
		r.aside += length + messageCost
	}

	switch {
	case length > limit:
		return tooMuch("a message of type %q with %d bytes, and at most %d are possible", kind, length, limit)
	case r.rows > maxAnswers:
		return tooMuch("more rows than any result of the statement has")
	case r.aside > maxAside:
		return tooMuch("more than %d MB of notices and parameters", maxAside>>20)
	case r.late > maxLate:
		return tooMuch("rows after the time limit of the statement")
	}
	if now.After(l.began.Add(l.limits.total)) {
		r.late += length + messageCost
	}
	return nil
}

func (l *link) setWriting(writing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing = writing
}

// countUnread counts bytes that were received, if the client is writing meanwhile. If
// they are too many, it abandons the link.
func (l *link) countUnread(bytes int) error {
	l.mu.Lock()
	if l.writing {
		l.received.unread += bytes
	}
	unread := l.received.unread
	l.mu.Unlock()
	if unread <= maxUnread {
		return nil
	}
	err := tooMuch("more than %d MB and accepted nothing meanwhile", maxUnread>>20)
	l.abandon(err)
	return err
}

// addParameter counts the name of a parameter that the server has reported.
func (l *link) addParameter(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.received.parameters == nil {
		l.received.parameters = map[string]bool{}
	}
	l.received.parameters[name] = true
	if len(l.received.parameters) > maxParameters {
		return tooMuch("more than %d parameters", maxParameters)
	}
	return nil
}

// abandon makes every read and write of the link fail, also those in progress. The caller
// must not use the transaction afterwards.
func (l *link) abandon(because error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		l.dead, l.because = true, because
		_ = l.Conn.SetDeadline(time.Unix(1, 0)) // an error is ignored, because the connection then is closed
	}
}

// reason returns the error of reads and writes of a link that is dead. The caller must
// hold the mutex.
func (l *link) reason() error { return cmp.Or(l.because, errLinkDead) }

// messages returns what the server sends, up to the first message that the link does not
// admit.
type messages struct {
	io.Reader

	link *link
	head []byte // the type and length of a message, as far as they have arrived
	left int    // bytes of the message's body that have not arrived
	name []byte // the name of the parameter that arrives; nil if there is none
	err  error
}

// newMessages returns the messages of conn. r is the reader of the driver, which may have
// read ahead.
func newMessages(r io.Reader, conn net.Conn) *messages {
	return &messages{Reader: r, link: linkOf(conn), head: make([]byte, 0, headLength)}
}

// headLength is the length in bytes of a message's type and length.
const headLength = 5

// Read implements io.Reader.
func (m *messages) Read(b []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.Reader.Read(b)
	now := time.Now()
	for at := 0; at < n; {
		var piece []byte
		if m.left > 0 {
			piece = b[at:min(n, at+m.left)]
			m.left -= len(piece)
			m.err = m.readName(piece)
		} else {
			piece = b[at:min(n, at+headLength-len(m.head))]
			m.head = append(m.head, piece...)
			m.err = m.begin(now)
		}
		if m.err != nil {
			m.link.abandon(m.err) // what follows is not even discarded, because it may have no end
			return at, m.err
		}
		at += len(piece)
	}
	return n, err
}

// begin begins the next message if its type and length have arrived.
func (m *messages) begin(now time.Time) error {
	if len(m.head) < headLength {
		return nil
	}
	kind, length := m.head[0], int(int32(binary.BigEndian.Uint32(m.head[1:])))
	m.head = m.head[:0]
	m.left = max(0, length-4) // the driver refuses a length below 4
	if kind == parameterMessage {
		m.name = make([]byte, 0, maxParameterName)
	}
	return m.link.admit(kind, m.left, now)
}

// readName reads the name of a parameter, which ends with a zero byte, from a part of its
// message.
func (m *messages) readName(body []byte) error {
	if m.name == nil {
		return nil
	}
	name, _, complete := bytes.Cut(body, []byte{0})
	if len(m.name)+len(name) > maxParameterName {
		return tooMuch("a parameter with a name of more than %d bytes", maxParameterName)
	}
	m.name = append(m.name, name...)
	if !complete && m.left > 0 {
		return nil
	}
	err := m.link.addParameter(string(m.name))
	m.name = nil
	return err
}
