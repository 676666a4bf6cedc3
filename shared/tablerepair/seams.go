package tablerepair

import (
	"context"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Opener opens the nodes of a cluster. It returns them in the order of the given names
// and contacts none of them.
type Opener interface {
	Open(ctx context.Context, cluster, database string, nodes []string) ([]Node, error)
}

// Node is one node's database. Errors name the node.
type Node interface {
	Name() string
	// Expecting returns the same node, bound to a server: each of its transactions fails if
	// it is on another server.
	Expecting(server table.Identity) Node
	Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error)
	// DescribeWriting reads what could prevent writes to a table, and which effects a write
	// would have on other rows and tables.
	DescribeWriting(ctx context.Context, schema, name string) (*table.Writing, error)
	// RankKeys returns the rank of each key in key order. Keys that the index considers
	// equal have the same rank.
	RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// UnreadableKeys returns, by index in keys, why the node cannot read some keys as values
	// of the key's types.
	UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error)
	// Subscriptions returns this node's subscriptions that carry the table.
	Subscriptions(ctx context.Context, schema, name string) ([]table.Subscription, error)
	// Position returns the current end of the node's WAL.
	Position(ctx context.Context) (table.Position, error)
	// FlushLog flushes the node's WAL to disk, so that it is sent to subscribers.
	FlushLog(ctx context.Context) error
	// SlotLag returns how many bytes of WAL before a position the subscriber of a slot has
	// not applied yet. It returns false if this node has no such slot.
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Begin opens a read-only transaction with one snapshot, which the first read takes
	// once the table is locked. The caller must close it.
	Begin(ctx context.Context, access table.Access) (Source, error)
	// BeginRepair opens a transaction that writes. The caller must close it, which rolls
	// back what was not committed.
	BeginRepair(ctx context.Context, access table.Access) (Tx, error)
}

// Reader reads rows by key. Only one goroutine may use it at a time.
type Reader interface {
	Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// CheckAbsent checks that the table has no row for these keys, which the index does not
	// find.
	CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error
	SetSearchPath(ctx context.Context, path string) error
	// Convert returns each value as the node would store it in columns of these types.
	Convert(ctx context.Context, to []table.Conversion, rows []table.Row) ([]table.Row, error)
	Close()
}

// Source is a Reader that can read again in a new snapshot.
type Source interface {
	Reader
	// Renew releases the snapshot: the next read takes a new one.
	Renew(ctx context.Context) error
	// WrittenSince reports for each key whether its row was written after the given snapshot
	// of the node was taken, or does not exist.
	WrittenSince(ctx context.Context, s table.Source, keys []table.Key, snapshot string) ([]bool, error)
}

// Tx is a transaction that writes. Its changes are lost unless Commit is called. If the
// node refuses a row, the error is a table.ViolationError.
type Tx interface {
	Reader
	// TryAdvisoryLock acquires the lock that only one repair of a table can hold, until
	// the transaction ends. It returns false if another transaction holds it.
	TryAdvisoryLock(ctx context.Context, schema, name string) (bool, error)
	// Hold locks the table until the transaction ends, so that it is not rewritten. If
	// the plan has the table's files, Hold checks them.
	Hold(ctx context.Context, s table.Source) error
	// KeepLocal marks the transaction's changes so that subscribers that skip changes with a
	// replication origin do not apply them. If it cannot, it returns the reason.
	KeepLocal(ctx context.Context) (reason string, err error)
	// DisableTriggers disables triggers and foreign keys, except those that are enabled
	// for replicas.
	DisableTriggers(ctx context.Context) error
	// EnableTriggers enables triggers and foreign keys, even if the configuration of the
	// role or database disables them.
	EnableTriggers(ctx context.Context) error
	// Lock is like Rows, but locks every row that it finds.
	Lock(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// Position returns the current end of the node's WAL. Everything that this transaction
	// has seen is before it. SlotLag is the same as Node.SlotLag.
	Position(ctx context.Context) (string, error)
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Columns returns name, declared type and Generated of the table's columns. They
	// cannot change once this transaction has read rows of the table.
	Columns(ctx context.Context, schema, name string) ([]table.Column, error)
	// Mark returns what identifies this transaction: its server, timeline and transaction
	// number. Server returns only the server and its timeline.
	Mark(ctx context.Context) (table.Mark, error)
	Server(ctx context.Context) (table.Mark, error)
	// Status returns how another transaction of this server ended. It is empty if the
	// server no longer knows the transaction.
	Status(ctx context.Context, xid string) (string, error)
	Delete(ctx context.Context, t table.Target, keys []table.Key) error
	// Update and Insert take one value per column in each row. After a
	// table.ViolationError of Insert, or of a guarded Update, the transaction continues
	// as if the call had not been made.
	Update(ctx context.Context, t table.Target, columns []int, keys []table.Key, rows []table.Row, guarded bool) error
	Insert(ctx context.Context, t table.Target, columns []int, rows []table.Row) error
	// CheckNow makes the node check deferred constraints.
	CheckNow(ctx context.Context) error
	// Duplicate returns the index of a key whose row violates the deferrable constraint
	// because another row has the same values, or -1.
	Duplicate(ctx context.Context, t table.Target, d table.Deferrable, keys []table.Key) (int, error)
	Commit(ctx context.Context) error
}

// Leases checks that the runner with this token still has the lease of a task. It returns
// nil, or the reason why the unit must stop.
type Leases interface {
	CheckLease(ctx context.Context, taskID, token string) error
}

// Invoker does one unit of work, in this process or another one.
type Invoker interface {
	Invoke(ctx context.Context, u Unit) (Totals, error)
}
