//go:build !unit

package pg

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// busy is what a busy machine may add to a time limit. Without the limit, the waits that
// are tested here would last longer than that, most of them for ever.
const busy = 10 * time.Second

// throughProxy returns a node that is reached through a proxy.
func throughProxy(t *testing.T, o Options) (*Node, *pgtest.Proxy, *pgtest.Cluster) {
	t.Helper()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	proxy := pgtest.NewProxy(t, c.Nodes[0])
	at := target(c, 0)
	at.Port = uint16(proxy.Port())
	pools := NewPools(o)
	t.Cleanup(func() {
		began := time.Now()
		pools.Close()
		if took := time.Since(began); took > 2*cancelGrace+busy {
			t.Errorf("closing the connections took %s", took)
		}
	})
	n, err := pools.Node(at)
	if err != nil {
		t.Fatal(err)
	}
	return n, proxy, c
}

// Case O-F3, see docs/RELIABILITY.md.
func TestSilence_EndsEveryWaitOfAConnection(t *testing.T) {
	t.Parallel()
	const limit = 500 * time.Millisecond
	for _, tt := range []struct {
		name string
		how  pgtest.Silence
		at   string
	}{
		{"a statement, frozen", pgtest.Frozen, "SELECT 1"},
		{"a statement, request lost", pgtest.RequestLost, "SELECT 1"},
		{"a statement, answer lost", pgtest.AnswerLost, "SELECT 1"},
		{"a statement, unreachable", pgtest.Unreachable, "SELECT 1"},
		{"the end of a transaction", pgtest.Frozen, "ROLLBACK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, proxy, _ := throughProxy(t, Options{MaxConns: 1, StatementTimeout: limit, AnswerMargin: limit})
			tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
			if err != nil {
				t.Fatal(err)
			}
			fired := proxy.SilenceAt(tt.at, tt.how)
			began := time.Now()
			err = tx.run(t.Context(), "testing", query{sql: "SELECT 1"})
			tx.Close()
			if tt.at == "ROLLBACK" {
				if err != nil {
					t.Fatal(err)
				}
			} else if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), `node "n1"`) ||
				!strings.Contains(fault.PublicMessage(err), "is silent") {
				t.Errorf("got %v, want Unavailable, naming the node and that it is silent", err)
			}
			if took := time.Since(began); took > 2*limit+2*cancelGrace+busy {
				t.Errorf("it took %s", took)
			}
			<-fired
		})
	}
}

// Case O-F3, see docs/RELIABILITY.md.
func TestSilence_AnIdleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	n, proxy, _ := throughProxy(t, Options{MaxConns: 1, StatementTimeout: time.Minute})
	use := func() error {
		tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
		if err != nil {
			return err
		}
		defer tx.Close()
		return tx.run(t.Context(), "testing", query{sql: "SELECT 1"})
	}
	if err := use(); err != nil {
		t.Fatal(err)
	}

	fired := proxy.SilenceAt("-- ping", pgtest.Frozen)
	time.Sleep(1100 * time.Millisecond) // the pool checks connections that were idle longer than a second
	began := time.Now()
	if err := use(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*cancelGrace+busy {
		t.Errorf("it took %s", took)
	}
	<-fired
}

// Case O-F3, see docs/RELIABILITY.md. `ace doctor` does not wait for a silent node.
func TestLogin_ASilentNodeIsUnreachable(t *testing.T) {
	t.Parallel()
	for at, how := range map[string]pgtest.Silence{"application_name": pgtest.Unreachable, "server_version_num": pgtest.Frozen} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			n, proxy, _ := throughProxy(t, Options{MaxConns: 1, StatementTimeout: time.Minute})
			fired := proxy.SilenceAt(at, how)
			began := time.Now()
			_, err := n.Login(t.Context())
			if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(fault.PublicMessage(err), "no answer within 5s") {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > loginTimeout+2*cancelGrace+busy {
				t.Errorf("it took %s", took)
			}
			<-fired
		})
	}
}

// As long as the server is alive, a statement is not ended before its own timeout,
// whatever the client does meanwhile. A result that arrives slowly does not count as
// silence.
func TestSilence_DoesNotEndALongStatementOfALivingServer(t *testing.T) {
	t.Parallel()
	n, _, _ := throughProxy(t, Options{MaxConns: 2, StatementTimeout: 4 * time.Second, AnswerMargin: time.Second, RepairAnswerTimeout: time.Second})
	tx, err := n.WhileLocked().Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	rows := 0
	err = tx.run(t.Context(), "testing",
		// Each row arrives 0.3 s after the last one, with enough bytes to be sent at once.
		query{sql: "SELECT repeat('x', 100000), pg_sleep(0.3) FROM generate_series(1, 8)", row: func([][]byte) error { rows++; return nil }})
	if err != nil || rows != 8 {
		t.Errorf("%d rows, %v", rows, err)
	}
	err = tx.run(t.Context(), "testing", query{sql: "SELECT generate_series(1, 100000)", row: func(v [][]byte) error {
		if string(v[0]) == "1" {
			time.Sleep(1500 * time.Millisecond) // longer than the limit, but the server is not the one that is slow
		}
		return nil
	}})
	if err != nil {
		t.Errorf("a client that reads slowly: %v", err)
	}
	err = tx.run(t.Context(), "testing", query{sql: "SELECT pg_sleep(3)"})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "ACE_REPAIR_ANSWER_TIMEOUT") || !strings.Contains(err.Error(), "needs longer") {
		t.Errorf("without a byte for longer than the limit of a repair: %v", err)
	}

	reading, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	if err := reading.run(t.Context(), "testing", query{sql: "SELECT pg_sleep(2)"}); err != nil {
		t.Errorf("a long statement of a comparison: %v", err)
	}
	if err := reading.run(t.Context(), "testing", query{sql: "SELECT pg_sleep(10)"}); sqlState(err) != statementCancelled {
		t.Errorf("a statement that is too long: %v, want the error of the server", err)
	}
}

// Case O-F4, see docs/RELIABILITY.md. The server of a repair ends the transaction if the
// client falls silent, but not while the client waits for something else.
func TestRepairTx_KeepsItsLocksWhileItsClientIsAlive(t *testing.T) {
	t.Parallel()
	n, proxy, c := throughProxy(t, Options{MaxConns: 2, StatementTimeout: time.Minute, RepairAnswerTimeout: time.Second})
	s := numbers(t, c, n, 100_000)
	tx, err := n.BeginRepair(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := tx.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // the archive is slow

	stream, err := tx.Lock(t.Context(), s, []table.Key{key("1"), key("2")})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2500 * time.Millisecond) // the other node is slow
	found := 0
	if err := eachRow(stream, func() { found++ }); err != nil || found != 2 {
		t.Fatalf("%d rows, %v", found, err)
	}
	if _, err := tx.Position(t.Context()); err != nil {
		t.Fatal(err)
	}

	proxy.SilenceAtMessage(0, pgtest.RequestLost) // the next heartbeat does not arrive
	began := time.Now()
	c.Exec(t, 0, `SET lock_timeout = '20s'`, `SELECT FROM t WHERE id = 1 FOR UPDATE`)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the locks were released after %s", took)
	}
	if err := tx.Commit(t.Context()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("COMMIT after the connection was lost: %v", err)
	}
}

// A heartbeat does not use the connection while values are tested.
func TestRepairTx_TestsValuesBetweenHeartbeats(t *testing.T) {
	t.Parallel()
	n, _, c := throughProxy(t, Options{MaxConns: 2, StatementTimeout: time.Minute})
	s := numbers(t, c, n, 10)
	tx, err := n.BeginRepair(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := tx.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx.stopBeats()
	tx.tx.idle = 3 * time.Millisecond // the server already has its limit
	tx.stopBeats = tx.tx.startHeartbeat()

	rows := make([]table.Row, 3*maxPipelined)
	for i := range rows {
		rows[i] = text("x" + strconv.Itoa(i))
	}
	for range 3 {
		if _, err := tx.Convert(t.Context(), []table.Conversion{{Type: "integer"}}, rows); !isViolation(err) {
			t.Fatalf("values that the type does not accept: %v", err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A transaction whose context has ended does not wait for the response to a heartbeat.
func TestRepairTx_ASilentHeartbeatDelaysACancelledTaskOnlyBriefly(t *testing.T) {
	t.Parallel()
	n, proxy, c := throughProxy(t, Options{MaxConns: 2, StatementTimeout: time.Minute, RepairAnswerTimeout: 20 * time.Second})
	s := numbers(t, c, n, 10)
	tx, err := n.BeginRepair(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := tx.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}

	<-proxy.SilenceAtMessage(0, pgtest.Frozen) // the next heartbeat
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := tx.Mark(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the end of the context", err)
	}
	if took := time.Since(began); took > 2*cancelGrace+busy {
		t.Errorf("it took %s", took)
	}
}

// Case O-F4, see docs/RELIABILITY.md. A task that is cancelled, or a service that stops,
// does not wait long for the response to COMMIT.
func TestRepairTx_ASilentCommitDelaysACancelledTaskOnlyBriefly(t *testing.T) {
	t.Parallel()
	n, proxy, c := throughProxy(t, Options{MaxConns: 2, StatementTimeout: time.Minute, RepairAnswerTimeout: time.Minute})
	s := numbers(t, c, n, 10)
	tx, err := n.BeginRepair(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if _, err := tx.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}

	fired := proxy.SilenceAt("COMMIT", pgtest.Frozen)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-fired
		cancel()
	}()
	began := time.Now()
	if err := tx.Commit(ctx); err == nil {
		t.Error("COMMIT without a response succeeded")
	}
	if took := time.Since(began); took < commitGrace || took > commitGrace+cancelGrace+busy {
		t.Errorf("Commit returned after %s", took)
	}
}

// eachRow reads a stream to its end.
func eachRow(stream table.RowStream, fn func()) error {
	for {
		at, _, err := stream.Next()
		if err != nil {
			return err
		}
		if at < 0 {
			return stream.Close()
		}
		fn()
	}
}
