package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"ace/infra/testkit/pgserver"
)

const (
	database = "shop"
	aceRole  = "ace" // the role that the services connect as
)

// node is a PostgreSQL server with two proxies: one disturbs the network, and the gate
// knows the protocol. The services connect through both, the suite itself connects
// directly.
type node struct {
	name  string
	proxy *toxiproxy.Proxy
	gate  *gate

	mu      sync.Mutex
	server  *pgserver.Server
	standby *pgserver.Server // takes over in a failover; nil if the run has none
}

func startNode(ctx context.Context, installation pgserver.Installation, name string) (*node, error) {
	server, err := pgserver.Start(ctx, pgserver.Options{Installation: installation, InMemory: true, Settings: map[string]string{
		"track_commit_timestamp": "on", "wal_level": "logical", "max_connections": "60", "deadlock_timeout": "200ms",
		"autovacuum_naptime": "5s", "max_prepared_transactions": "2",
	}})
	if err != nil {
		return nil, err
	}
	n := &node{name: name, server: server}
	if n.gate, err = startGate(func() string { return address(n.primary()) }); err != nil {
		return nil, errors.Join(err, server.Close())
	}
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	n.proxy = toxiproxy.NewProxy(proxies, name, pgserver.Host+":0", n.gate.address())
	if err := n.proxy.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("proxy of %s: %w", name, err), n.gate.close(), server.Close())
	}
	return n, nil
}

func address(s *pgserver.Server) string {
	return net.JoinHostPort(pgserver.Host, strconv.Itoa(s.Port()))
}

// port returns the port of the proxy.
func (n *node) port() string {
	if n.proxy == nil {
		return strconv.Itoa(n.primary().Port())
	}
	_, port, _ := net.SplitHostPort(n.proxy.Listen)
	return port
}

// primary returns the server that is in use.
func (n *node) primary() *pgserver.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.server
}

// connect connects to a database as the superuser, without the proxy.
func (n *node) connect(ctx context.Context, db string) (*pgx.Conn, error) {
	return connectTo(ctx, n.primary(), db)
}

func connectTo(ctx context.Context, s *pgserver.Server, db string) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable connect_timeout=20 timezone=UTC client_encoding=UTF8 application_name=torture",
		s.SocketDir(), s.Port(), pgserver.Superuser, db))
}

// query runs statements in the database of the tables and returns the rows of the last
// one, as text.
func (n *node) query(ctx context.Context, statements ...string) ([][]string, error) {
	return n.queryIn(ctx, database, statements...)
}

func (n *node) queryIn(ctx context.Context, db string, statements ...string) ([][]string, error) {
	conn, err := n.connect(ctx, db)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var rows [][]string
	for _, sql := range statements {
		results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %s", n.name, err, firstLine(sql))
		}
		rows = nil
		for _, row := range results[len(results)-1].Rows {
			rows = append(rows, texts(row))
		}
	}
	return rows, nil
}

// surely is query, repeated until it succeeds. So statements must be repeatable.
func (n *node) surely(ctx context.Context, statements ...string) ([][]string, error) {
	for {
		rows, err := n.query(ctx, statements...)
		if err == nil {
			return rows, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func texts(raw [][]byte) []string {
	values := make([]string, len(raw))
	for i, value := range raw {
		values[i] = null
		if value != nil {
			values[i] = string(value)
		}
	}
	return values
}

func firstLine(sql string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(sql), "\n")
	return line[:min(len(line), 100)]
}

func (n *node) close() error {
	n.proxy.Stop()
	err := n.gate.close()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.standby != nil {
		_ = n.standby.Close() // the error of the server matters
	}
	return errors.Join(err, n.server.Close())
}
