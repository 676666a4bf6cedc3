//go:build !unit

package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/table"
)

func TestCodeOf_SeparatesTemporaryFromPermanentErrors(t *testing.T) {
	for sqlstate, want := range map[string]fault.Code{
		"08006": fault.Unavailable, // connection failure
		"40001": fault.Unavailable, // serialization failure, also a recovery conflict on a standby
		"40P01": fault.Unavailable, // deadlock
		"53300": fault.Unavailable, // too many connections
		"53200": fault.Unavailable, // out of memory
		"55P03": fault.Unavailable, // lock timeout
		"57P01": fault.Unavailable, // admin shutdown
		"57P02": fault.Unavailable, // crash
		"57P03": fault.Unavailable, // starting up
		"58030": fault.Unavailable, // I/O error
		"XX001": fault.Unavailable, // data corrupted
		"72000": fault.Unavailable, // snapshot too old
		"57014": fault.Invalid,     // statement timeout: the same statement would take as long again
		"42501": fault.Invalid,     // insufficient privilege
		"42P01": fault.Invalid,     // undefined table
		"42703": fault.Invalid,     // undefined column
		"22P02": fault.Invalid,     // text that is no value of the type
		"22021": fault.Invalid,     // bytes that are no character
		"22012": fault.Invalid,     // division by zero in a filter
		"54000": fault.Invalid,     // program limit exceeded
		"":      fault.Invalid,
		"4":     fault.Invalid,
	} {
		if got := codeOf(sqlstate); got != want {
			t.Errorf("SQLSTATE %s is %s, want %s", sqlstate, got, want)
		}
	}
}

func TestFault_NamesTheNodeAndPreservesKnownErrors(t *testing.T) {
	n := &Node{name: "n1", address: "127.0.0.1:5432/app", timeout: 90 * time.Second}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(fault.New(fault.Cancelled, "cancelled on request"))
	pgErr := &pgconn.PgError{Code: "42703", Message: "no column x", Detail: "secret row", Hint: "try y", Position: 7}
	for name, tt := range map[string]struct {
		over bool // the caller's context has ended
		err  error
		code fault.Code
		says string
	}{
		"the server's error":          {false, pgErr, fault.Invalid, `node "n1": reading: no column x (SQLSTATE 42703) at character 7. Hint: try y`},
		"the server's error, wrapped": {false, fmt.Errorf("x: %w", pgErr), fault.Invalid, `node "n1": reading: no column x (SQLSTATE 42703) at character 7. Hint: try y`},
		"a cancelled statement": {false, &pgconn.PgError{Code: "57014", Message: "canceling"}, fault.Invalid,
			`node "n1": reading: canceling (SQLSTATE 57014)`},
		"a lost connection": {false, io.ErrUnexpectedEOF, fault.Unavailable, `node "n1" (127.0.0.1:5432/app): the connection was lost while reading`},
		"a fault":           {false, fault.New(fault.Conflict, "rewritten"), fault.Conflict, "rewritten"},
		"the caller's end":  {true, pgErr, fault.Cancelled, "cancelled on request"},
	} {
		ctx := t.Context()
		if tt.over {
			ctx = ended
		}
		err := n.fault(ctx, "reading", tt.err)
		if fault.CodeOf(err) != tt.code || fault.PublicMessage(err) != tt.says || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %s %q, want %s %q", name, fault.CodeOf(err), fault.PublicMessage(err), tt.code, tt.says)
		}
	}
	if err := n.fault(t.Context(), "reading", table.ErrMore); !errors.Is(err, table.ErrMore) {
		t.Errorf("ErrMore became %v", err)
	}
	if n.fault(ended, "reading", nil) != nil {
		t.Error("no error became one")
	}
}

// Case O-P31, see docs/RELIABILITY.md.
func TestCancelFault_NamesWhoCancelledTheStatement(t *testing.T) {
	n := &Node{name: "n1", timeout: time.Minute}
	const ours = "(ACE_STATEMENT_TIMEOUT)"
	for _, tt := range []struct {
		code, message string
		elapsed       time.Duration
		want          string
	}{
		{"57014", "canceling statement due to statement timeout", time.Minute, ours},
		{"57014", "storniere Anfrage wegen Zeitüberschreitung der Anfrage", time.Minute, ours},
		{"57014", "canceling statement due to statement timeout", time.Second, "RESET statement_timeout"},
		{"57014", "canceling statement due to user request", time.Hour, "pg_cancel_backend"},
		{"57014", "storniere Anfrage wegen Benutzeraufforderung", time.Second, ""},
		{"55P03", "canceling statement due to lock timeout", time.Hour, ""},
	} {
		err := n.cancelFault(tt.elapsed, n.fault(t.Context(), "reading", &pgconn.PgError{Code: tt.code, Message: tt.message}))
		_, hint, hinted := strings.Cut(fault.PublicMessage(err), ". Hint: ")
		if hinted != (tt.want != "") || !strings.Contains(hint, tt.want) {
			t.Errorf("%s after %s: got %v, want the hint %q", tt.message, tt.elapsed, err, tt.want)
		}
	}
}

// Case O-P31, see docs/RELIABILITY.md.
func TestConnect_AMissingPasswordIsNotReportedAsAWrongOne(t *testing.T) {
	at := target(pgtest.NewCluster(t, pgtest.Nodes(1)), 0)
	at.Password, at.NoPassword = "", "and the password file /p does not exist"
	want := fmt.Sprintf("node %q (%s) requires a password: the cluster definition has none, and the password file /p does not exist", at.Node, address(at))
	if err := connect(t, at); fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	at.Password, at.NoPassword = "wrong", ""
	if err := connect(t, at); !strings.Contains(fault.PublicMessage(err), "password authentication failed") {
		t.Errorf("a wrong password returned %v", err)
	}
}

const secret = "hunter2 'quoted' \\ @:/?&=%"

// closedPort returns a port on which no process listens.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return uint16(listener.Addr().(*net.TCPAddr).Port)
}

func TestConnect_ErrorsNeverContainThePassword(t *testing.T) {
	good := target(pgtest.NewCluster(t, pgtest.Nodes(1)), 0)
	closed := closedPort(t)
	tests := []struct {
		name   string
		change func(*cluster.Target)
		code   fault.Code
	}{
		{"a wrong password", func(*cluster.Target) {}, fault.Invalid},
		{"no such role", func(at *cluster.Target) { at.User = "no 'such' \\role" }, fault.Invalid},
		{"no such database", func(at *cluster.Target) { at.Database = "no such=database" }, fault.Invalid},
		{"no process listens", func(at *cluster.Target) { at.Port = closed }, fault.Unavailable},
		{"a host that does not exist", func(at *cluster.Target) { at.Host = "does-not-exist.invalid" }, fault.Unavailable},
		{"a socket that does not exist", func(at *cluster.Target) { at.Host = "/does/not/exist" }, fault.Unavailable},
		{"a setting that is none", func(at *cluster.Target) { at.Options["sslmode"] = "sometimes" }, fault.Invalid},
		{"a certificate that is not there", func(at *cluster.Target) { at.Options["sslmode"], at.Options["sslrootcert"] = "verify-full", "/none" }, fault.Invalid},
		{"an authentication that is none", func(at *cluster.Target) { at.Options["require_auth"] = "magic" }, fault.Invalid},
		{"a server parameter that is none", func(at *cluster.Target) { at.Options["no_such_parameter"], at.Password = "x", good.Password }, fault.Invalid},
		{"the password among the options", func(at *cluster.Target) { at.Options["password"], at.Port = secret, closed }, fault.Unavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := good
			at.Options = map[string]string{"sslmode": "disable"}
			at.Password = cluster.Secret(secret)
			tt.change(&at)
			err := connect(t, at)
			if fault.CodeOf(err) != tt.code || !strings.Contains(fault.PublicMessage(err), `node "n1"`) {
				t.Errorf("got code %s: %v; want %s and the node's name", fault.CodeOf(err), err, tt.code)
			}
			for _, part := range []string{secret, "hunter2"} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), part) {
					t.Errorf("the error contains the password: %v", err)
				}
			}
		})
	}
}

// connect returns the error of the first use of a node.
func connect(t *testing.T, at cluster.Target) error {
	t.Helper()
	pools := NewPools(Options{MaxConns: 1})
	defer pools.Close()
	n, err := pools.Node(at)
	if err != nil {
		return err
	}
	tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
	if err == nil {
		tx.Close()
	}
	return err
}

func TestNode_DifferentTargetsShareNoConnections(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	pools := NewPools(Options{MaxConns: 1})
	defer pools.Close()
	good := target(c, 0)
	first, err := pools.Node(good)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pools.Node(good); err != nil || again.pool != first.pool {
		t.Errorf("the same target has another pool, error %v", err)
	}
	other := good
	other.Password = "another"
	if n, err := pools.Node(other); err != nil || n.pool == first.pool {
		t.Errorf("another password shares the connections, error %v", err)
	}
}

// Case T-P5, see docs/RELIABILITY.md.
func TestFault_TooLargeValueIsPermanent(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	tooLarge := tx.run(t.Context(), "reading", query{sql: "SELECT repeat('x', 2000000000)"})
	internal := n.fault(t.Context(), "reading", &pgconn.PgError{Code: "XX000", Message: "invalid memory alloc request size 1200000003"})
	for _, err := range []error{tooLarge, internal} {
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "ignore_columns") {
			t.Errorf("%s: %v, want an error that stays and names the way out", fault.CodeOf(err), err)
		}
	}
	if other := n.fault(t.Context(), "reading", &pgconn.PgError{Code: "XX000", Message: "cache lookup failed"}); fault.CodeOf(other) != fault.Unavailable {
		t.Errorf("another internal error is %s, want one that may pass", fault.CodeOf(other))
	}
}

// Case T-P9, T-P10, see docs/RELIABILITY.md.
func TestFault_MissingPrivilegeNamesTheRoleAndTheRemedy(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	role := "r_" + c.DB[:20]
	c.Exec(t, 0, "CREATE ROLE "+role+" LOGIN PASSWORD 'secret'", "CREATE SCHEMA hidden; CREATE TYPE hidden.e AS ENUM ('a')",
		"CREATE TABLE t (id int PRIMARY KEY); GRANT SELECT ON t TO "+role, "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t USING (id > 1)")
	t.Cleanup(func() { c.Exec(t, 0, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	at := target(c, 0)
	at.User, at.Login = role, cluster.Login{Password: "secret"}
	n := nodeAt(t, at)
	for sql, remedy := range map[string]string{
		"SELECT * FROM public.t":       "BYPASSRLS",
		"SELECT 'a'::hidden.e":         `GRANT USAGE ON SCHEMA "hidden" TO "` + role + `"`,
		"SELECT * FROM pg_authid":      "GRANT",
		"SELECT pg_read_file('/none')": "EXECUTE on its function",
	} {
		tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog"})
		if err != nil {
			t.Fatal(err)
		}
		err = tx.run(t.Context(), "reading", query{sql: sql})
		tx.Close()
		if text := fault.PublicMessage(err); !strings.Contains(text, remedy) || !strings.Contains(text, role) {
			t.Errorf("%s: %q, want it to name %s and %s", sql, text, role, remedy)
		}
	}
}

func TestSilenceFault_NamesOnlyASettingThatHelps(t *testing.T) {
	t.Parallel()
	answer := 10*time.Minute + defaultMargin
	n := &Node{name: "n1", timeout: 10 * time.Minute, wait: limits{answer, answer}, whileLocked: time.Minute}
	for _, tt := range []struct {
		name     string
		waited   time.Duration
		limits   limits
		has, not string
	}{
		{"a comparison", answer, limits{answer, answer}, "ACE_STATEMENT_TIMEOUT", "needs longer"},
		{"a repair", n.whileLocked, limits{n.whileLocked, answer}, "needs longer. Hint: in a repair or undo, ACE waits 1m0s for an answer (ACE_REPAIR_ANSWER_TIMEOUT)", "hold locks"},
		{"a slow result in a repair", answer, limits{n.whileLocked, answer}, "ACE_STATEMENT_TIMEOUT", "ACE_REPAIR_ANSWER_TIMEOUT"},
		{"COMMIT", commitTimeout, limits{commitTimeout, commitTimeout}, "needs longer. Hint: ACE waits 30s for this answer", "TIMEOUT"},
	} {
		text := n.silenceFault("testing", &silentError{tt.waited, tt.limits}).Error()
		if !strings.Contains(text, tt.has) || strings.Contains(text, tt.not) {
			t.Errorf("%s: %s", tt.name, text)
		}
	}
}
