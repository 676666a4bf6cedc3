//go:build !unit

package pg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"ace/infra/testkit/liar"
	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// bulk repeats a message until it has about a megabyte, so that a test ends sooner.
func bulk(m liar.Message) []byte {
	one := m.Append(nil)
	return bytes.Repeat(one, 1+(1<<20)/len(one))
}

// endless returns a lie that follows each row with messages without end. next returns
// them in pieces.
func endless(next func() []byte) liar.Lie {
	return func(out io.Writer, m liar.Message) error {
		if err := liar.Truth(out, m); err != nil || m.Type != rowMessage {
			return err
		}
		for {
			if _, err := out.Write(next()); err != nil {
				return err
			}
		}
	}
}

// A node that sends messages without end, or announces a length that no message has,
// ends the statement at once and is named.
func TestMessages_NoneIsTooLongAndNoAnswerIsEndless(t *testing.T) {
	t.Parallel()
	row, notice := bulk(liar.Row("1")), bulk(liar.Notice("n"))
	complete, described := bulk(liar.Message{Type: '2'}), bulk(liar.Message{Type: 'T', Body: []byte{0, 0}})
	names := 0
	parameter := func() []byte {
		names++
		return liar.Message{Type: parameterMessage, Body: []byte("p" + strconv.Itoa(names) + "\x00on\x00")}.Append(nil)
	}
	long := func(kind byte, length int) func() []byte {
		return func() []byte { return binary.BigEndian.AppendUint32([]byte{kind}, uint32(length+4)) }
	}
	for _, tt := range []struct {
		name, want string
		next       func() []byte
		values     bool // the rows have values of columns
	}{
		{"rows", "more rows", func() []byte { return row }, false},
		{"rows with values", "after the time limit", func() []byte { return row }, true},
		{"notices", "16 MB of notices", func() []byte { return notice }, true},
		{"confirmations", "16 MB of notices", func() []byte { return complete }, false},
		{"descriptions", "16 MB of notices", func() []byte { return described }, false},
		{"parameters", "more than 200 parameters", parameter, false},
		{"a long name", "name of more than", func() []byte {
			return liar.Message{Type: parameterMessage, Body: letters(maxParameterName + 1)}.Append(nil)
		}, false},
		{"a long row", "67108865 bytes", long(rowMessage, maxAnswer+1), false},
		{"a long row with values", "1073741825 bytes", long(rowMessage, maxBody+1), true},
		{"a long error", "16777217 bytes", long(errorMessage, maxReport+1), true},
		{"a long parameter", "65537 bytes", long(parameterMessage, maxParameter+1), true},
		{"a long confirmation", "16777217 bytes", long('C', maxReport+1), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Nodes(1))
			server := liar.New(t, c.Nodes[0])
			at := target(c, 0)
			at.Host, at.Port = "127.0.0.1", uint16(server.Port())
			timeout := 5 * time.Minute
			if tt.name == "rows with values" { // nothing but time bounds their sum
				timeout = time.Second
			}
			pools := NewPools(Options{MaxConns: 1, StatementTimeout: timeout, AnswerMargin: time.Second})
			t.Cleanup(pools.Close)
			n, err := pools.Node(at)
			if err != nil {
				t.Fatal(err)
			}
			tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Close()

			if err := tx.run(t.Context(), "testing", query{sql: "SELECT 1"}); err != nil {
				t.Fatal(err)
			}
			server.Lie(endless(tt.next))
			err = tx.run(t.Context(), "testing", query{sql: "SELECT 1", values: tt.values})
			if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), `node "n1"`) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want Unavailable with %q", err, tt.want)
			}
		})
	}
}

// letters returns a text of the given length.
func letters(length int) []byte { return bytes.Repeat([]byte("n"), length) }

// What a session announces before it begins is bounded too.
func TestMessages_TheBeginningOfASessionIsShort(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	server := liar.New(t, c.Nodes[0])
	at := target(c, 0)
	at.Host, at.Port = "127.0.0.1", uint16(server.Port())
	n := nodeAt(t, at)
	for name, message := range map[string]liar.Message{
		"notices":             liar.Notice(strings.Repeat("n", 1000)), // short ones take seconds with the race detector
		"a long notice":       liar.Notice(strings.Repeat("n", maxStartupMessage)),
		"a parameter":         {Type: parameterMessage, Body: []byte("a\x00" + strings.Repeat("b", 1000) + "\x00")},
		"a long parameter":    {Type: parameterMessage, Body: letters(maxStartupMessage + 1)},
		"authentication":      {Type: 'R', Body: make([]byte, 4)},
		"long authentication": {Type: 'R', Body: make([]byte, maxStartupMessage+1)},
	} {
		t.Run(name, func(t *testing.T) {
			server.Startup(func(conn net.Conn) {
				for {
					if _, err := conn.Write(bulk(message)); err != nil {
						return
					}
				}
			})
			if _, err := n.Login(t.Context()); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "before a session begins") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A node cannot make the driver read without end in the background either, by not
// accepting what the driver writes.
func TestMessages_AreBoundedWhileTheServerAcceptsNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	server := liar.New(t, c.Nodes[0])
	server.Startup(func(conn net.Conn) {
		ready := liar.Message{Type: 'Z', Body: []byte("I")}.Append(liar.Message{Type: 'R', Body: make([]byte, 4)}.Append(nil))
		_, err := conn.Write(ready)
		if _, reading := io.ReadFull(conn, make([]byte, 1<<20)); reading != nil { // the startup and the beginning of a statement
			return
		}
		for row := bulk(liar.Row("1")); err == nil; {
			_, err = conn.Write(row)
		}
	})
	at := target(c, 0)
	at.Host, at.Port = "127.0.0.1", uint16(server.Port())
	tx := begin(t, nodeAt(t, at), table.Source{SearchPath: "pg_catalog"})

	began := time.Now()
	err := tx.run(t.Context(), "testing", query{sql: "SELECT $1", args: [][]byte{make([]byte, 256<<20)}})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "accepted nothing") {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

// Every row that PostgreSQL can send is read where a row has values of columns. Functions
// may raise any number of notices.
func TestMessages_AcceptWhatAnHonestNodeSends(t *testing.T) {
	t.Parallel()
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Nodes(1), pgtest.Majors(major))
		c.Exec(t, 0, `CREATE FUNCTION loud() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
			FOR i IN 1..20 LOOP RAISE NOTICE '%', repeat('n', 1000000); END LOOP; RETURN 1; END $$`)
		tx := begin(t, nodeOf(t, c, 0), table.Source{SearchPath: "pg_catalog, public"})
		var length int
		length70 := query{sql: "SELECT repeat('x', 70000000)", values: true, row: func(v [][]byte) error { length = len(v[0]); return nil }}
		if err := tx.run(t.Context(), "testing", length70); err != nil || length != 70_000_000 {
			t.Errorf("PostgreSQL %d: a value of 70 MB: %d bytes, %v", major, length, err)
		}
		if err := tx.run(t.Context(), "testing", query{sql: "SELECT public.loud()"}); err != nil {
			t.Errorf("PostgreSQL %d: many notices: %v", major, err)
		}
	}
}

// reading returns the messages of a stream on an open link that expects no values.
func reading(r io.Reader) *messages {
	conn := &link{Conn: new(net.TCPConn), open: true}
	conn.allow(limits{silence: time.Minute, total: time.Minute})
	return newMessages(r, conn)
}

func TestMessages_AreTheSameInAnyPieces(t *testing.T) {
	t.Parallel()
	name := liar.Message{Type: parameterMessage, Body: []byte("name\x00value\x00")}.Append(nil)
	honest := bytes.Join([][]byte{liar.Row("1", "two").Append(nil), name, liar.Row().Append(nil), liar.Notice("n").Append(nil)}, nil)
	for what, in := range map[string]io.Reader{
		"whole": bytes.NewReader(honest), "bytes": iotest.OneByteReader(bytes.NewReader(honest)), "halves": iotest.HalfReader(bytes.NewReader(honest)),
	} {
		m := reading(in)
		if got, err := io.ReadAll(m); err != nil || !bytes.Equal(got, honest) {
			t.Errorf("%s: %q, %v, want %q", what, got, err, honest)
		}
		if seen := m.link.received.parameters; len(seen) != 1 || !seen["name"] {
			t.Errorf("%s: the parameters are %v", what, seen)
		}
	}
}

// No piece of a stream changes what the driver reads, and it never reads a whole head of
// a message that is too long.
func FuzzMessages(f *testing.F) {
	f.Add(liar.Row("1").Append(nil))
	f.Add(liar.Message{Type: parameterMessage, Body: []byte("a\x00b\x00")}.Append(nil))
	f.Add([]byte("D\x7f\xff\xff\xff"))
	f.Add([]byte("S\xff\xff\xff\xff\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, err := io.ReadAll(reading(bytes.NewReader(in)))
		if !bytes.HasPrefix(in, whole) || (err == nil && len(whole) != len(in)) {
			t.Fatalf("%q became %q, %v", in, whole, err)
		}
		pieces, inPieces := io.ReadAll(reading(iotest.OneByteReader(bytes.NewReader(in))))
		var refused, refusedInPieces *messageError
		if errors.As(err, &refused) != errors.As(inPieces, &refusedInPieces) {
			t.Fatalf("%q: %v, in pieces %v", in, err, inPieces)
		}
		if err == nil && !bytes.Equal(whole, pieces) {
			t.Fatalf("%q became %q", in, pieces)
		}
	})
}
