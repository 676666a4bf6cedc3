package tablerepair

import (
	"context"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Opener reaches the nodes of a cluster. The nodes come in the order of their names in the list; opening contacts none.
type Opener interface {
	Open(ctx context.Context, cluster, database string, nodes []string) ([]Node, error)
}

// Node is one node's database. Errors name the node.
type Node interface {
	Name() string
	// Expecting returns the same node, every transaction of which makes sure that it is on this server.
	Expecting(server table.Identity) Node
	Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error)
	// DescribeWriting reads what stands in the way of writing to a table, and what would happen beside it.
	DescribeWriting(ctx context.Context, schema, name string) (*table.Writing, error)
	// RankKeys gives each key's place in key order; keys that the index holds equal have the same.
	RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// UnreadableKeys returns why the node cannot read some of the keys, by their places.
	UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error)
	// Subscriptions gives those of this node that carry the table.
	Subscriptions(ctx context.Context, schema, name string) ([]table.Subscription, error)
	// Position is where the node's log ends now.
	Position(ctx context.Context) (table.Position, error)
	// FlushLog has the log on disk, so that subscribers are sent it.
	FlushLog(ctx context.Context) error
	// SlotLag gives how many bytes up to a position in the log the subscriber of a slot of this node has not applied; false: this
	// node has no such slot.
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Begin opens a read-only transaction with one snapshot, which the first read takes once the
	// table is locked. It must be closed.
	Begin(ctx context.Context, access table.Access) (Source, error)
	// BeginRepair opens a transaction that writes. It must be closed, which rolls back what was not committed.
	BeginRepair(ctx context.Context, access table.Access) (Tx, error)
}

// Reader reads rows by key. It is used by one goroutine at a time.
type Reader interface {
	Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// CheckAbsent makes sure that keys without a row by the index have none in the table either.
	CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error
	// Convert gives each value as the node would store it in columns of these types.
	Convert(ctx context.Context, to []table.Conversion, rows []table.Row) ([]table.Row, error)
	Close()
}

// Source is a Reader that can look again.
type Source interface {
	Reader
	// Renew gives up the snapshot: the next read takes a new one.
	Renew(ctx context.Context) error
	// WrittenSince says for each key whether its row was written after this snapshot of the node, or is not there.
	WrittenSince(ctx context.Context, s table.Source, keys []table.Key, snapshot string) ([]bool, error)
}

// Tx is a transaction that writes. What it wrote is gone unless Commit was called. A row that the node refuses is a
// table.ViolationError.
type Tx interface {
	Reader
	// TryAdvisoryLock takes the lock that only one repair of a table can hold, until the transaction ends; false: another has it.
	TryAdvisoryLock(ctx context.Context, schema, name string) (bool, error)
	// Hold locks the table until the transaction ends, so that it is not rewritten, and checks that it has
	// the files of the plan, unless these are not known.
	Hold(ctx context.Context, s table.Source) error
	// KeepLocal unitProgress what is written so that subscribers do not apply it again, or says why it could not.
	KeepLocal(ctx context.Context) (reason string, err error)
	// DisableTriggers keeps triggers and foreign keys from firing, but for those that are enabled for replicas.
	DisableTriggers(ctx context.Context) error
	// EnableTriggers lets them fire, whatever role or database are configured to.
	EnableTriggers(ctx context.Context) error
	SetSearchPath(ctx context.Context, path string) error
	// Lock is Rows that locks every row it finds.
	Lock(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// Position is where the node's log ends now, behind whatever this transaction has seen; SlotLag is that of the node.
	Position(ctx context.Context) (string, error)
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Columns gives name, declared type and Generated of the table's columns; what rows were read of stays like this.
	Columns(ctx context.Context, schema, name string) ([]table.Column, error)
	// Mark names this transaction, Server the server and its timeline only.
	Mark(ctx context.Context) (table.Mark, error)
	Server(ctx context.Context) (table.Mark, error)
	// Status says how another transaction of this server ended; empty where the server does not know it any more.
	Status(ctx context.Context, xid string) (string, error)
	Delete(ctx context.Context, t table.Target, keys []table.Key) error
	// Update and Insert take one value per column in each row. After a table.ViolationError of Insert, or of Update if it is
	// guarded, the transaction goes on as if it had not been called.
	Update(ctx context.Context, t table.Target, columns []int, keys []table.Key, rows []table.Row, guarded bool) error
	Insert(ctx context.Context, t table.Target, columns []int, rows []table.Row) error
	// CheckNow has deferred constraints checked.
	CheckNow(ctx context.Context) error
	// Duplicate looks for a row of these keys that has a twin by a deferrable constraint; -1 for none.
	Duplicate(ctx context.Context, t table.Target, d table.Deferrable, keys []table.Key) (int, error)
	Commit(ctx context.Context) error
}

// Leases says whether a task still belongs to the runner that has this token: nil, or why the work must stop.
type Leases interface {
	CheckLease(ctx context.Context, taskID, token string) error
}

// Invoker has one unit of work done, somewhere.
type Invoker interface {
	Invoke(ctx context.Context, u Unit) (Totals, error)
}
