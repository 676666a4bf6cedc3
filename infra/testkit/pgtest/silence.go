package pgtest

import (
	"bytes"
	"encoding/binary"
	"syscall"
)

// Silence is a way in which a server falls silent, without closing a connection.
type Silence string

// The ways in which a server falls silent.
const (
	// RequestLost means that nothing is forwarded on the connection any more. The message
	// that triggers the silence is not forwarded either.
	RequestLost Silence = "request lost"
	// AnswerLost is like RequestLost, but the message that triggers the silence reaches
	// the server.
	AnswerLost Silence = "answer lost"
	// Unreachable means that nothing is forwarded on any connection any more. Connections
	// are accepted.
	Unreachable Silence = "unreachable"
	// Frozen means that the backend of the connection is stopped (SIGSTOP) before it
	// receives the message that triggers the silence.
	Frozen Silence = "frozen"
)

// trigger makes the server fall silent at a message of a client.
type trigger struct {
	how   Silence
	at    func(n int, message []byte) bool // n is the number of the message, from 0
	fired chan struct{}
	count int
	after *forwarding // AnswerLost: the connection whose message is being forwarded
}

// SilenceAt makes the server fall silent at the first message of a client that contains
// text. The returned channel is closed as soon as the server is silent. A message is the
// data that the proxy receives from a client in one read.
func (p *Proxy) SilenceAt(text string, how Silence) <-chan struct{} {
	return p.arm(how, func(_ int, message []byte) bool { return bytes.Contains(message, []byte(text)) })
}

// SilenceAtMessage is like SilenceAt for the n-th message from now on, counted from 0
// over all connections.
func (p *Proxy) SilenceAtMessage(n int, how Silence) <-chan struct{} {
	return p.arm(how, func(at int, _ []byte) bool { return at == n })
}

func (p *Proxy) arm(how Silence, at func(int, []byte) bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trigger = &trigger{how: how, at: at, fired: make(chan struct{})}
	return p.trigger.fired
}

// Record makes the proxy record the messages of clients. The returned function ends the
// recording and returns the messages.
func (p *Proxy) Record() (end func() []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records, p.sent = true, nil
	return func() []string {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.records = false
		return p.sent
	}
}

// Resume forwards everything again, and continues stopped backends.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trigger, p.stalled = nil, false
	for f := range p.open {
		f.deaf, f.mute = false, false
	}
	for _, backend := range p.stopped {
		_ = syscall.Kill(backend, syscall.SIGCONT) // the test may have killed the server
	}
	p.stopped = nil
	p.announce()
}

// fromClient is called for each message of a client before the message is forwarded. It
// records the message if Record was called. If the message is the one that triggers the
// silence, it makes the server fall silent. AnswerLost is completed by sentTo.
func (p *Proxy) fromClient(f *forwarding, message []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.records {
		p.sent = append(p.sent, string(message))
	}

	t := p.trigger
	if t == nil {
		return
	}
	t.count++
	if !t.at(t.count-1, message) {
		return
	}

	switch t.how {
	case AnswerLost:
		f.mute = true
		t.after = f
		return
	case RequestLost:
		f.deaf, f.mute = true, true
	case Unreachable:
		p.stalled = true
	case Frozen:
		if f.backend == 0 { // the backend has not sent its id yet: the next message triggers the silence
			t.at = func(int, []byte) bool { return true }
			return
		}
		_ = syscall.Kill(f.backend, syscall.SIGSTOP)
		p.stopped = append(p.stopped, f.backend)
	}
	p.trigger = nil
	close(t.fired)
}

// sentTo completes the silence of AnswerLost: after the message that triggers the silence
// was forwarded, nothing more is forwarded to the server. copy calls sentTo after each
// piece of data that it has forwarded.
func (p *Proxy) sentTo(f *forwarding, stalled *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trigger; t != nil && t.after == f && stalled == &f.deaf {
		f.deaf = true
		p.trigger = nil
		close(t.fired)
	}
}

// fromServer records the process id of the backend, which the backend sends in its
// BackendKeyData message.
func (p *Proxy) fromServer(f *forwarding, message []byte) {
	if at := bytes.Index(message, []byte("K\x00\x00\x00\x0c")); at >= 0 && len(message) >= at+9 {
		p.mu.Lock()
		defer p.mu.Unlock()
		if f.backend == 0 {
			f.backend = int(binary.BigEndian.Uint32(message[at+5:]))
		}
	}
}
