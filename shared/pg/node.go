package pg

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/table"
)

const (
	connectTimeout = 10 * time.Second
	// idleTime is how long an unused connection is kept for the next batch or check.
	idleTime = 30 * time.Second
	// cancelGrace is how long the server may take to answer a cancelled query before the connection is cut.
	cancelGrace = 2 * time.Second
)

// Options of a set of pools.
type Options struct {
	// MaxConns caps the connections to one node. Callers that hold several nodes at once must not need more.
	MaxConns int
	// StatementTimeout ends a statement on the server.
	StatementTimeout time.Duration
	// Passwords finds those that are not in the definitions.
	Passwords Passwords
}

// Passwords finds the password of a target whose login is to be resolved. It is asked anew for every connection, so that
// a password that was changed is used at once.
type Passwords interface {
	Password(ctx context.Context, target cluster.Target) (cluster.Secret, error)
}

// Pools keeps one pool of connections per node and database, so that batches, tasks and warm functions share them.
// It is safe for concurrent use and must be closed.
type Pools struct {
	options Options
	mu      sync.Mutex
	pools   map[string]*pgxpool.Pool
}

// NewPools makes an empty set; connections are made when they are needed.
func NewPools(options Options) *Pools {
	return &Pools{options: options, pools: map[string]*pgxpool.Pool{}}
}

// Close closes every connection, waiting for those in use.
func (p *Pools) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, pool := range p.pools {
		pool.Close()
		delete(p.pools, key)
	}
}

// Node gives access to one node. No connection is made before it is used.
func (p *Pools) Node(target cluster.Target) (*Node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := poolKey(target)
	pool, ok := p.pools[key]
	if !ok {
		var err error
		if pool, err = p.open(target); err != nil {
			return nil, err
		}
		p.pools[key] = pool
	}
	return &Node{name: target.Node, address: address(target), pool: pool, timeout: p.options.StatementTimeout}, nil
}

func (p *Pools) open(target cluster.Target) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(connString(target))
	if err != nil {
		// The error of ParseConfig quotes the connection string: it must not travel.
		return nil, fault.New(fault.Invalid, "node %q: its connection settings are not valid: check host, port and sslmode in the cluster definition", target.Node)
	}
	config.MaxConns = int32(max(1, min(p.options.MaxConns, 10_000)))
	config.MinConns = 0
	config.MaxConnIdleTime = idleTime
	config.HealthCheckPeriod = idleTime / 2
	if target.Resolved() {
		config.BeforeConnect = p.passwordResolver(target)
	}
	cc := config.ConnConfig
	cc.Password = target.Password.Reveal()
	cc.ConnectTimeout = connectTimeout
	cc.RuntimeParams["application_name"] = "ace"
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelGrace}
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "node %q: no connection pool", target.Node)
	}
	return pool, nil
}

// passwordResolver gives what finds the password of a target before a connection is made.
func (p *Pools) passwordResolver(target cluster.Target) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, config *pgx.ConnConfig) error {
		if p.options.Passwords == nil {
			return fault.New(fault.Invalid, "node %q: db_password_secret and rds_iam are not resolved here", target.Node)
		}
		password, err := p.options.Passwords.Password(ctx, target)
		config.Password = password.Reveal()
		return err
	}
}

// Node is one PostgreSQL server's database.
type Node struct {
	name    string
	address string
	pool    *pgxpool.Pool
	timeout time.Duration
	// expected is the server that a task began with; nil: any.
	expected *table.Identity
}

// Name is the node's name in the cluster definition.
func (n *Node) Name() string { return n.name }

// ranUserSQL marks a session in which a table_filter ran.
const ranUserSQL = "ace.user_sql"

// acquire takes a connection for a transaction. A session in which a table_filter ran is closed before
// another kind of transaction would use it: DISCARD ALL does not end what an extension keeps there.
func (n *Node) acquire(ctx context.Context, access table.Access) (*pgxpool.Conn, error) {
	for {
		conn, err := n.take(ctx)
		if err != nil {
			return nil, err
		}
		marks := conn.Conn().PgConn().CustomData()
		if access.UserSQL {
			marks[ranUserSQL] = true
		}
		if access.UserSQL || marks[ranUserSQL] == nil {
			return conn, nil
		}
		closing, cancel := context.WithTimeout(ctx, cancelGrace)
		_ = conn.Conn().Close(closing)
		cancel()
		conn.Release()
	}
}

// take takes a connection; the error names the node and its address, never a secret.
func (n *Node) take(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := n.pool.Acquire(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("node %s: %w", n.name, context.Cause(ctx))
		}
		return nil, n.connectFault(err)
	}
	return conn, nil
}
