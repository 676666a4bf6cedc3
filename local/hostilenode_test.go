//go:build !unit

package main_test

import (
	be "encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"ace/infra/testkit/liar"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// hostileMemory bounds the resident memory of a service whose node is hostile. Without
// hostile answers it is about 60 MB.
const hostileMemory = 256 << 20

// startups returns, by name, what a hostile node sends before the session begins.
func startups() map[string]func(net.Conn) {
	const ready = "R\x00\x00\x00\x08\x00\x00\x00\x00"
	authentication := func(body string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Write(liar.Message{Type: 'R', Body: []byte(body)}.Append(nil))
			_, _ = io.Copy(io.Discard, conn)
		}
	}
	endless := func(message liar.Message) func(net.Conn) {
		return func(conn net.Conn) {
			for _, err := io.WriteString(conn, ready); err == nil; {
				_, err = conn.Write(message.Append(nil))
			}
		}
	}
	return map[string]func(net.Conn){
		"Kerberos":                authentication("\x00\x00\x00\x02"),
		"GSSAPI":                  authentication("\x00\x00\x00\x07"),
		"an unknown method":       authentication("\x00\x00\x00\x63"),
		"an unknown SASL method":  authentication("\x00\x00\x00\x0aX-UNKNOWN\x00\x00"),
		"a truncated method":      authentication("\x00\x00"),
		"notices without end":     endless(liar.Notice(strings.Repeat("n", 10_000))),
		"parameters without end":  endless(liar.Message{Type: 'S', Body: []byte("a\x00" + strings.Repeat("b", 10_000) + "\x00")}),
		"many names of parameter": manyParameters(ready),
	}
}

// manyParameters returns a startup in which each parameter has another name.
func manyParameters(ready string) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, ready)
		for n := uint64(0); err == nil; n++ {
			name := be.BigEndian.AppendUint64([]byte("n"), n|0x8080808080808080)
			_, err = conn.Write(liar.Message{Type: 'S', Body: append(append(name, 0), strings.Repeat("b", 10_000)+"\x00"...)}.Append(nil))
		}
	}
}

// answers returns, by name, what a hostile node sends instead of a row.
func answers() map[string]liar.Lie {
	instead := func(write func(out io.Writer, m liar.Message) error) liar.Lie {
		return func(out io.Writer, m liar.Message) error {
			if m.Type != 'D' {
				return liar.Truth(out, m)
			}
			return write(out, m)
		}
	}
	return map[string]liar.Lie{
		"a message of 1 GB": instead(func(out io.Writer, _ liar.Message) error {
			if _, err := out.Write(be.BigEndian.AppendUint32([]byte{'D'}, 1<<30-1)); err != nil {
				return err
			}
			_, err := out.Write(make([]byte, 1<<20))
			if err == nil {
				err = io.EOF
			}
			return err
		}),
		"an error of 10 MB": instead(func(out io.Writer, _ liar.Message) error {
			return liar.Truth(out, liar.Error("XX000", strings.Repeat("e", 10<<20)))
		}),
		"rows without end": instead(func(out io.Writer, m liar.Message) (err error) {
			for err == nil {
				err = liar.Truth(out, m)
			}
			return err
		}),
		"notices without end": instead(func(out io.Writer, _ liar.Message) (err error) {
			for err == nil {
				err = liar.Truth(out, liar.Notice(strings.Repeat("n", 10_000)))
			}
			return err
		}),
	}
}

// Whatever a hostile node sends, the task ends FAILED and names it, no answer or log line
// is long, and the memory of the service is bounded.
//
// Case O-F10, see docs/RELIABILITY.md.
func TestServe_AHostileNodeNeedsLittleMemory(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 100) i`)
	server := liar.New(t, c.Nodes[1])
	c.Nodes[1].Host, c.Nodes[1].Port = "127.0.0.1", server.Port()
	s := newHome(t, c).serve(t, settings{"ACE_STATEMENT_TIMEOUT": "2s", "ACE_PATIENCE": "1s", "ACE_CLUSTERS": "clusters",
		"ACE_REQUEST_LOG": "none", // the test polls the status
	})

	check := func(t *testing.T) {
		t.Helper()
		logged := len(s.output.String())
		end := s.end(t, s.submit(t, c, "public.t"))
		if end.Status != api.StatusFailed || !strings.Contains(end.Error, `"n2"`) || len(end.Error) > 20<<10 {
			t.Errorf("ended %s: %.500s (%d bytes)", end.Status, end.Error, len(end.Error))
		}
		if grown := len(s.output.String()) - logged; grown > 64<<10 {
			t.Errorf("the log has grown by %d bytes", grown)
		}
		if peak := s.peakMemory(t); peak > hostileMemory {
			t.Fatalf("the service has used %d MB of memory, want at most %d", peak>>20, hostileMemory>>20)
		}
	}
	for name, startup := range startups() {
		t.Run("startup: "+name, func(t *testing.T) {
			server.Startup(startup)
			defer server.Startup(nil)
			check(t)
		})
	}
	for name, lie := range answers() {
		t.Run(name, func(t *testing.T) {
			server.Cut()
			server.Lie(lie)
			defer server.Lie(nil)
			check(t)
		})
	}
	t.Logf("peak memory %d MB", s.peakMemory(t)>>20)
}
