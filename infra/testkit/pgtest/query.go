package pgtest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/pgserver"
)

// Null is the text that QueryStrings returns for NULL.
const Null = "<NULL>"

const (
	maintenanceDB    = "postgres"
	statementTimeout = 2 * time.Minute
)

// Exec runs SQL on one node as superuser. It runs all strings on one connection, which it
// closes afterwards. If a string contains several statements, they are one transaction.
func (c *Cluster) Exec(tb testing.TB, node int, sql ...string) {
	tb.Helper()
	if err := c.exec(node, c.DB, sql); err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
}

// ExecAll runs SQL on all nodes at once.
func (c *Cluster) ExecAll(tb testing.TB, sql ...string) {
	tb.Helper()
	c.onEveryNode(tb, func(i int) error { return c.exec(i, c.DB, sql) })
}

// QueryStrings returns the rows of a query in PostgreSQL's text format, with Null for
// NULL.
func (c *Cluster) QueryStrings(tb testing.TB, node int, sql string, args ...any) [][]string {
	tb.Helper()
	rows, err := c.query(node, sql, args)
	if err != nil {
		tb.Fatalf("pgtest: node %s: %v\n%s", c.Nodes[node].Name, err, sql)
	}
	return rows
}

// Connect opens a superuser's session on a node, for tests that run several statements in
// one session. It is closed when the test ends.
func (c *Cluster) Connect(tb testing.TB, node int) *pgx.Conn {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn, err := c.dial(ctx, node, c.DB)
	if err != nil {
		tb.Fatalf("pgtest: node %s: %v", c.Nodes[node].Name, err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test may have killed the server
	return conn
}

func (c *Cluster) exec(node int, db string, sql []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn, err := c.dial(ctx, node, db)
	if err != nil {
		return fmt.Errorf("node %s: %w", c.Nodes[node].Name, err)
	}
	defer conn.Close(ctx)
	for _, statement := range sql {
		if _, err := conn.PgConn().Exec(ctx, statement).ReadAll(); err != nil {
			return fmt.Errorf("node %s: %w\n%s", c.Nodes[node].Name, err, statement)
		}
	}
	return nil
}

func (c *Cluster) query(node int, sql string, args []any) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn, err := c.dial(ctx, node, c.DB)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]string, error) {
		return texts(row.RawValues()), nil
	})
}

func texts(raw [][]byte) []string {
	values := make([]string, len(raw))
	for i, v := range raw {
		values[i] = Null
		if v != nil {
			values[i] = string(v)
		}
	}
	return values
}

// dial connects to the server of a node directly, even if Host and Port of the node are
// those of a proxy. It uses the Unix socket if there is one.
func (c *Cluster) dial(ctx context.Context, node int, db string) (*pgx.Conn, error) {
	server := c.Nodes[node].Server
	direct := &Cluster{
		DB: db, User: c.User, Password: c.Password,
		Nodes: []Node{{Host: pgserver.Host, Port: server.Port()}},
	}
	config, err := pgx.ParseConfig(direct.DSN(0))
	if err != nil {
		return nil, err
	}
	if dir := server.SocketDir(); dir != "" {
		config.Host = dir
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	return pgx.ConnectConfig(ctx, config)
}
