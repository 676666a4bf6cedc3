package pg

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// limits bound how long the client waits for the server.
type limits struct {
	silence time.Duration // the longest wait without a byte received or sent
	total   time.Duration // the maximum sum of all waits for one statement
}

// silentError means that the server sent nothing for too long.
type silentError struct {
	waited time.Duration // the sum of all waits for the statement
	limits limits
}

func (e *silentError) Error() string {
	return fmt.Sprintf("no answer after %s", e.waited.Round(time.Millisecond))
}

// errLinkDead is the error of a read or write on a connection that has already exceeded a
// limit.
var errLinkDead = errors.New("the connection was given up")

// writeChunk is the maximum number of bytes that Write sends at once. Each chunk that was
// sent counts as progress.
const writeChunk = 64 << 10

// link is a connection to a server. Reads and writes fail once the client has waited for
// the server as long as the limits of the link allow. Without these limits, only the
// server would end a statement (by statement_timeout), so the client would wait forever
// if the server's process hangs or packets are lost.
//
// Only the time during which the client waits counts. A client that reads slowly does not
// exceed a limit. messages.go bounds how much a server sends that does not let the client
// wait.
type link struct {
	net.Conn

	mu      sync.Mutex
	limits  limits
	waiting int           // number of reads and writes in progress
	since   time.Time     // when the first of these reads and writes began
	waited  time.Duration // sum of the earlier waits for the statement
	last    time.Time     // when bytes were last received or sent
	end     time.Time     // the deadline that the driver has set; zero if it has set none
	open    bool          // the server has accepted the session
	dead    bool          // no further byte is read or written
	because error         // why the link was abandoned; nil if it was not
	writing bool          // a write is in progress

	began    time.Time // when the statement began
	received received  // what the server has sent, see messages.go
}

// allow sets the limits of the next statement. The time that the client waited for
// earlier statements no longer counts.
func (l *link) allow(to limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limits, l.waited, l.since = to, 0, time.Now()
	l.began = l.since
	l.received.rows, l.received.aside, l.received.late, l.received.unread = 0, 0, 0, 0
}

// Read reads what the server has sent.
func (l *link) Read(b []byte) (int, error) {
	if err := l.begin(); err != nil {
		return 0, err
	}
	defer l.finish()
	for {
		if err := l.arm(l.Conn.SetReadDeadline); err != nil {
			return 0, err
		}
		n, err := l.Conn.Read(b)
		if n > 0 || !isTimeout(err) {
			l.progress(n)
			return n, cmp.Or(l.countUnread(n), err)
		}
		if err := l.expired(err); err != nil {
			return 0, err
		}
	}
}

// Write sends bytes to the server in chunks. So a large write over a slow link is not
// taken for silence.
func (l *link) Write(b []byte) (written int, err error) {
	if err := l.begin(); err != nil {
		return 0, err
	}
	defer l.finish()
	l.setWriting(true)
	defer l.setWriting(false)
	for written < len(b) {
		if err := l.arm(l.Conn.SetWriteDeadline); err != nil {
			return written, err
		}
		n, err := l.Conn.Write(b[written:min(len(b), written+writeChunk)])
		written += n
		l.progress(n)
		if err != nil && !isTimeout(err) {
			return written, err
		}
		if isTimeout(err) {
			if err := l.expired(err); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// begin records that a read or write begins to wait for the server.
func (l *link) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return l.reason()
	}
	if l.waiting == 0 {
		l.since = time.Now()
	}
	l.waiting++
	return nil
}

// finish records that a read or write has ended its wait for the server.
func (l *link) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
	if l.waiting == 0 {
		l.waited += time.Since(l.since)
	}
}

// progress records that bytes were received or sent.
func (l *link) progress(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if bytes > 0 {
		l.last = time.Now()
	}
}

// deadline returns the time at which the wait exceeds a limit. The caller must hold the
// mutex.
func (l *link) deadline() time.Time {
	progress := l.since
	if l.last.After(progress) {
		progress = l.last
	}
	silent, total := progress.Add(l.limits.silence), l.since.Add(l.limits.total-l.waited)
	if silent.Before(total) {
		return silent
	}
	return total
}

// arm sets the deadline of the next read or write by calling set.
func (l *link) arm(set func(time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return l.reason()
	}
	return set(l.next())
}

// next returns the deadline of the next read or write: the earlier of deadline and the
// deadline of the driver. The caller must hold the mutex.
func (l *link) next() time.Time {
	at := l.deadline()
	if !l.end.IsZero() && l.end.Before(at) {
		return l.end
	}
	return at
}

// expired returns the error of a read or write whose deadline has passed. It returns nil
// if the connection has made progress since the deadline was set.
func (l *link) expired(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	switch {
	case l.dead:
		return l.reason()
	case !l.end.IsZero() && !now.Before(l.end):
		l.dead = true // no response to a cancel request before the deadline of the driver
		return err
	case now.Before(l.deadline()):
		return nil
	}
	l.dead = true
	return &silentError{waited: l.waited + now.Sub(l.since), limits: l.limits}
}

// SetDeadline sets the deadline of the driver; zero means none. The driver sets a
// deadline when a context has ended, and when it closes a connection after an error, for
// which it allows 15 seconds. SetDeadline limits the deadline to cancelGrace from now, so
// that the connection is closed sooner.
func (l *link) SetDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if latest := time.Now().Add(cancelGrace); !at.IsZero() && at.After(latest) {
		at = latest
	}
	l.end = at
	return l.Conn.SetDeadline(l.next())
}

// idle sets the limits for the messages that the pool sends between transactions, such as
// a ping.
func (l *link) idle() { l.allow(limits{silence: connectTimeout, total: connectTimeout}) }

// sessionOpened records that the server has accepted the session.
func (l *link) sessionOpened() {
	l.idle()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
}

// mayCancel reports whether the server has accepted the session of the link. Once it has,
// the driver opens further connections only for cancel requests. If the server has not
// responded to a cancel request for this session, mayCancel returns an error, and the
// caller must not send another cancel request.
func (l *link) mayCancel() (open bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open && l.dead && !l.end.IsZero() {
		return true, errLinkDead
	}
	return l.open, nil
}

// dialer opens the connections of one session: first the link, and later a connection for
// each cancel request.
type dialer struct {
	limit   time.Duration // the time limit for opening the link, see connectLimit
	traffic *traffic
	mu      sync.Mutex
	link    *link
}

// keepAlive returns the settings with which the kernel notices within a minute that the
// peer of an idle connection is gone. TCP_USER_TIMEOUT is not set, because it would
// replace this limit. It would also end a connection whose peer is alive but does not
// read, such as a server that runs the first statement of a large pipeline.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
}

// dial opens the link, or a connection for a cancel request if the session is open.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	current := d.link
	d.mu.Unlock()
	if current != nil {
		open, err := current.mayCancel()
		if err != nil {
			return nil, err
		}
		if open {
			return dialToCancel(ctx, network, address)
		}
	}

	conn, err := (&net.Dialer{KeepAliveConfig: keepAlive()}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	opened := &link{Conn: countedConn{conn, d.traffic}}
	opened.allow(limits{silence: 2 * d.limit, total: 2 * d.limit}) // normally the limit of the driver, which is half as long, ends the login first
	d.mu.Lock()
	d.link = opened
	d.mu.Unlock()
	return opened, nil
}

// dialToCancel opens a connection for a cancel request. The connection ends after
// cancelGrace.
func dialToCancel(ctx context.Context, network, address string) (net.Conn, error) {
	end := time.Now().Add(cancelGrace)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cancelConn{Conn: conn, end: end}, conn.SetDeadline(end)
}

// cancelConn is a connection for a cancel request.
type cancelConn struct {
	net.Conn
	end time.Time
}

// SetDeadline sets the deadline of the driver, or the end of the connection if that is
// earlier.
func (c *cancelConn) SetDeadline(at time.Time) error {
	if at.IsZero() || at.After(c.end) {
		at = c.end
	}
	return c.Conn.SetDeadline(at)
}

// linkOf returns the link of a session, whose connection is conn.
func linkOf(conn net.Conn) *link {
	switch c := conn.(type) {
	case *link:
		return c
	case *tls.Conn:
		if l, ok := c.NetConn().(*link); ok {
			return l
		}
	}
	return &link{Conn: conn} // not reached: every session uses a link
}
