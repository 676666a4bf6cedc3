package pg

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"

	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/table"
)

const (
	// connectTimeout bounds the fetching of a password. Unless the cluster definition has
	// connect_timeout, it also bounds the lookup of a host and the opening of a connection.
	connectTimeout = 10 * time.Second
	// idleTime is the time after which an unused connection is closed.
	idleTime = 30 * time.Second
	// cancelGrace bounds the wait for the response to a cancel request, to a ping, or to the
	// statement that ends a transaction. If there is no response in that time, the
	// connection is closed.
	cancelGrace = 2 * time.Second
	// defaultMargin is the default of Options.AnswerMargin.
	defaultMargin = 30 * time.Second
)

// Options are the options of Pools.
type Options struct {
	// MaxConns limits the connections to one node. A caller must not use more connections at
	// the same time, because it would wait forever for a connection that it holds itself.
	MaxConns int
	// StatementTimeout is the time after which the server cancels a statement.
	StatementTimeout time.Duration
	// AnswerMargin is added to StatementTimeout. The sum bounds the client's wait for one
	// statement. 0 means 30 seconds.
	AnswerMargin time.Duration
	// RepairAnswerTimeout bounds two waits of a transaction that may hold row locks: the
	// wait of the client for a server that sends nothing, and the wait of the server for the
	// client. 0 means the sum of StatementTimeout and AnswerMargin.
	RepairAnswerTimeout time.Duration
	// Passwords returns the passwords that the cluster definitions do not contain. If it is
	// nil, no connection can be opened to a target whose password must be fetched
	// (Target.Resolved).
	Passwords Passwords
}

// Passwords returns the password of a target whose cluster definition has
// db_password_secret or rds_iam instead of a password. It is called for every new
// connection, so that a changed password takes effect at once.
type Passwords interface {
	Password(ctx context.Context, target cluster.Target) (cluster.Secret, error)
}

// Pools has one pool of connections per node and database. All tasks and units of work of
// a process use the same Pools, in a Lambda function also those of later invocations. It
// is safe for concurrent use and must be closed.
type Pools struct {
	options Options
	traffic traffic
	mu      sync.Mutex
	pools   map[string]*pgxpool.Pool
}

// NewPools returns Pools without connections. Each connection is opened when a
// transaction needs it.
func NewPools(options Options) *Pools {
	return &Pools{options: options, pools: map[string]*pgxpool.Pool{}}
}

// Close closes all connections. It waits until the connections in use are released.
func (p *Pools) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Close the pools in parallel, so that the waits for nodes that do not answer do not
	// add up.
	var wait sync.WaitGroup
	for _, pool := range p.pools {
		wait.Go(pool.Close)
	}
	wait.Wait()
	clear(p.pools)
}

// Node returns access to one node. It opens no connection.
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
	return p.node(target, pool), nil
}

func (p *Pools) node(target cluster.Target, pool *pgxpool.Pool) *Node {
	n := &Node{name: target.Node, application: sessionName(target), address: address(target), pool: pool, timeout: p.options.StatementTimeout}
	n.connectLimit, n.noPassword = connectLimit(target), target.NoPassword
	answer := n.timeout + cmp.Or(p.options.AnswerMargin, defaultMargin)
	n.wait = limits{silence: answer, total: answer}
	n.whileLocked = cmp.Or(p.options.RepairAnswerTimeout, answer)
	return n
}

func (p *Pools) open(target cluster.Target) (*pgxpool.Pool, error) {
	config, err := parseConfig(target)
	if err != nil {
		return nil, err
	}

	config.MaxConns = int32(max(1, min(p.options.MaxConns, 10_000)))
	config.MinConns = 0
	config.MaxConnIdleTime = idleTime
	config.HealthCheckPeriod = idleTime / 2
	config.PingTimeout = cancelGrace
	config.BeforeConnect = p.beforeConnect(target)
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		linkOf(conn.PgConn().Conn()).sessionOpened()
		return nil
	}

	cc := config.ConnConfig
	cc.Password = target.Password.Reveal()
	applyOptions(cc, target)
	cc.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		conn, _ := w.(net.Conn) // the driver passes its connection
		return pgproto3.NewFrontend(newMessages(r, conn), w)
	}
	cc.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cancelGrace}
	}

	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "node %q: cannot create a connection pool", target.Node)
	}

	return pool, nil
}

// beforeConnect returns the function that completes the configuration of a connection
// before it is opened. The function sets how the link is opened (link.go) and how long
// the lookup of the host may take. It also fetches the password, if the cluster
// definition only refers to a password in AWS.
func (p *Pools) beforeConnect(target cluster.Target) func(context.Context, *pgx.ConnConfig) error {
	return func(ctx context.Context, config *pgx.ConnConfig) error {
		limit := connectLimit(target)
		config.DialFunc = (&dialer{limit: limit, traffic: &p.traffic}).dial
		lookup := config.LookupFunc
		config.LookupFunc = func(ctx context.Context, host string) ([]string, error) {
			ctx, cancel := context.WithTimeout(ctx, limit)
			defer cancel()
			return lookup(ctx, host)
		}
		if !target.Resolved() {
			return nil
		}
		if p.options.Passwords == nil {
			return fault.New(fault.Invalid, "node %q: db_password_secret and rds_iam are not supported by this program: set db_password", target.Node)
		}
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		password, err := p.options.Passwords.Password(ctx, target)
		config.Password = password.Reveal()
		return err
	}
}

// Node provides access to one database of one PostgreSQL server.
type Node struct {
	name    string
	address string
	// application is the application_name of a session that works for no task.
	application string
	pool        *pgxpool.Pool
	timeout     time.Duration // the time after which the server cancels a statement
	wait        limits        // how long the client waits for the server, for each statement of a transaction
	// whileLocked is the time for which the server may send nothing in a transaction that
	// may hold row locks.
	whileLocked time.Duration

	connectLimit time.Duration // the time limit for opening a connection
	noPassword   string        // why no password was found, see cluster.Target.NoPassword
	// expected is the server with which a task began. nil means that any server is
	// accepted.
	expected *table.Identity
	discreet bool // errors contain no message of the server that may quote a value, see Discreet
}

// WhileLocked returns a copy of the node for transactions during which a repair may hold
// row locks, on this node or another. To release these locks soon, the client waits no
// longer than RepairAnswerTimeout for a server that sends nothing.
func (n *Node) WhileLocked() *Node {
	hurried := *n
	hurried.wait.silence = min(n.whileLocked, n.wait.total)
	return &hurried
}

// Name returns the node's name in the cluster definition.
func (n *Node) Name() string { return n.name }

// ranUserSQL is the key in a connection's custom data that marks a session in which a
// table_filter ran.
const ranUserSQL = "ace.user_sql"

// acquire returns a connection for a transaction. A session in which a table_filter ran
// is never used for a transaction without a filter: the filter may have changed the state
// of an extension, which DISCARD ALL does not reset. If the pool returns such a session
// and access.UserSQL is false, acquire closes the session and acquires another one.
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

// take returns a connection from the pool. The error names the node and its address,
// never a secret.
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
