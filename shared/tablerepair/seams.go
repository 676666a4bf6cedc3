package tablerepair

import (
	"context"

	"ace/shared/rowdigest"
	"ace/shared/rules"
	"ace/shared/table"
)

// Opener opens the nodes of a cluster. It returns them in the order of the given names
// and contacts none of them.
type Opener interface {
	Open(ctx context.Context, cluster, database string, nodes []string) ([]Node, error)
}

// Node is one node's database. Errors name the node.
type Node interface {
	rules.Node // evaluates expressions of a rules document

	Name() string
	// Expecting returns the same node, bound to a server: a transaction on the returned node
	// fails if the connection leads to another server.
	Expecting(server table.Identity) Node
	// Discreet returns a copy of the node whose errors do not contain a message of the
	// server that may quote a value of a row.
	Discreet() Node
	Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error)
	// DescribeWriting reads what could prevent writes to a table, and which effects a write
	// would have on other rows and tables.
	DescribeWriting(ctx context.Context, schema, name string) (*table.Writing, error)
	// Abilities returns, among others, how far the node's clock is ahead of this host's.
	Abilities(ctx context.Context) (table.Abilities, error)
	// RankKeys returns the rank of each key in key order. Keys that the index considers
	// equal have the same rank.
	RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// UnreadableKeys finds keys that the node cannot convert to values of the key columns'
	// types. The result has the reason for each such key, by the index of the key in keys.
	UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error)
	// Subscriptions returns this node's subscriptions that carry the table.
	Subscriptions(ctx context.Context, schema, name string) ([]table.Subscription, error)
	// Position returns the current end of the node's WAL.
	Position(ctx context.Context) (table.Position, error)
	// FlushLog flushes the node's WAL to disk, so that it is sent to subscribers.
	FlushLog(ctx context.Context) error
	// SlotLag returns the lag of the subscriber that uses this replication slot: the number
	// of bytes of this node's WAL, up to position, that the subscriber has not confirmed.
	// It returns false if this node has no such slot.
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Begin opens a read-only transaction. The first read locks the table and then takes the
	// snapshot, which all further reads use. The caller must close the transaction.
	Begin(ctx context.Context, access table.Access) (Source, error)
	// BeginRepair opens a transaction that writes. The caller must close it. Close rolls
	// back what was not committed.
	BeginRepair(ctx context.Context, access table.Access) (Tx, error)
}

// Reader reads rows by key. Only one goroutine may use it at a time.
type Reader interface {
	// Rows opens a stream of the rows with these keys, in the order of keys. The stream has
	// no entry for a key without a row.
	Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// Digests returns for each key the digest of its row, or nil if no row has the key.
	Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error)
	// Fingerprints returns the digests and, if requested, the keys of the rows of each
	// range.
	Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, options ...table.CallOption) ([]table.Fingerprint, error)
	// CheckAbsent checks keys for which the index finds no row. It scans the table without
	// the index, and returns an error if the table has a row for one of the keys.
	CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error
	SetSearchPath(ctx context.Context, path string) error
	// Convert returns each value as the node would store it in columns of these types.
	Convert(ctx context.Context, to []table.Conversion, rows []table.Row) ([]table.Row, error)
	Close()
}

// Source is a Reader that can read again in a new snapshot.
type Source interface {
	Reader
	// Renew releases the snapshot: the next read takes a new snapshot.
	Renew(ctx context.Context) error
	// WrittenSince returns one element for each key. It is true if the key's row was written
	// after snapshot, a snapshot of this node, was taken, or if there is no such row.
	WrittenSince(ctx context.Context, s table.Source, keys []table.Key, snapshot string) ([]bool, error)
	// Orphans counts the rows that violate the foreign key f because of changed rows of the
	// table t. columns are the indexes in t.Names of the foreign key's columns in this
	// table, and each element of rows holds their values in a changed row: its new values
	// or, if f is incoming, its old ones. gone means that rows still have these old values
	// but are about to lose them.
	Orphans(ctx context.Context, t table.Target, f table.ForeignKey, columns []int, rows []table.Row, gone bool) (int64, error)
}

// Tx is a transaction that writes. Its changes are lost unless Commit is called. If the
// node refuses a row, the error is a table.ViolationError.
type Tx interface {
	Reader
	// TryAdvisoryLock acquires the lock that only one repair of a table can hold, until the
	// transaction ends. It returns false if another transaction holds the lock.
	TryAdvisoryLock(ctx context.Context, schema, name string) (bool, error)
	// Hold locks the table until the transaction ends, so that it cannot be rewritten. If
	// s.Files is set (to the files that the table had when the plan was made), Hold returns
	// an error if the table has other files now.
	Hold(ctx context.Context, s table.Source) error
	// KeepLocal marks the transaction's changes so that subscribers that skip changes with a
	// replication origin do not apply them. If the changes cannot be marked, KeepLocal
	// returns the reason. It must be the first call.
	KeepLocal(ctx context.Context) (reason string, err error)
	// DisableTriggers disables triggers and foreign keys, except those that are enabled
	// for replicas.
	DisableTriggers(ctx context.Context) error
	// EnableTriggers enables triggers and foreign keys, even if the configuration of the
	// role or database disables them.
	EnableTriggers(ctx context.Context) error
	// Lock is like Rows, but locks every row that it finds.
	Lock(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// Position returns the current end of the node's WAL. All changes that this transaction
	// has seen are before this position. SlotLag is the same as Node.SlotLag.
	Position(ctx context.Context) (string, error)
	SlotLag(ctx context.Context, slot, position string) (int64, bool, error)
	// Columns returns name, declared type and Generated of the table's columns. The columns
	// cannot change once this transaction has read rows of the table.
	Columns(ctx context.Context, schema, name string) ([]table.Column, error)
	// Mark returns what identifies this transaction: its server, timeline and transaction
	// number. Server returns only the server and its timeline.
	Mark(ctx context.Context) (table.Mark, error)
	Server(ctx context.Context) (table.Mark, error)
	// Status returns the status of another transaction of this server: "committed",
	// "aborted" or "in progress". The status is empty if the server no longer knows the
	// transaction.
	Status(ctx context.Context, xid string) (string, error)
	// GuardWrites guards every later call of Delete, Update and Insert: a
	// table.ViolationError undoes only that call, and the transaction continues.
	GuardWrites()
	Delete(ctx context.Context, t table.Target, keys []table.Key) error
	// Update sets some columns of the rows with these keys, Insert inserts rows. columns are
	// indexes in t.Names. Each element of rows has one value per element of columns. If
	// Insert, or Update with guarded set, returns a table.ViolationError, only that call is
	// undone and the transaction continues.
	Update(ctx context.Context, t table.Target, columns []int, keys []table.Key, rows []table.Row, guarded bool) error
	Insert(ctx context.Context, t table.Target, columns []int, rows []table.Row) error
	// CheckNow checks deferred constraints and fires deferred triggers now instead of at
	// COMMIT.
	CheckNow(ctx context.Context) error
	// Duplicate returns the index in keys of a row that violates the deferrable constraint d
	// because another row has the same values. It returns -1 if there is none.
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
