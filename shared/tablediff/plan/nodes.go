package plan

import (
	"context"

	"ace/shared/redact"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Opener opens the nodes of a cluster. It returns them in the order of the given names
// and contacts none of them.
type Opener interface {
	Open(ctx context.Context, cluster, database string, nodes []string) ([]Node, error)
}

// Node is the database of one node. Its errors name the node.
type Node interface {
	Name() string
	// Expecting returns the same node, bound to a server: a transaction on the returned node
	// fails if the connection leads to another server.
	Expecting(server table.Identity) Node
	// Discreet returns a copy of the node whose errors do not contain a message of the
	// server that may quote a value of a row.
	Discreet() Node
	// Describe reads the table's columns, key, partitions and size. It also digests some
	// constants with the seeds. If the digests of two nodes differ, the nodes do not digest
	// equal rows alike.
	Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error)
	// Facts reads the catalog facts. The ages of rows show what has changed only as long as
	// these facts stay the same.
	Facts(ctx context.Context, schema, name string) (table.Facts, error)
	// CheckFilter returns the server's estimate of the number of rows that the source's
	// filter selects. It returns an error if the filter is not valid on the server.
	CheckFilter(ctx context.Context, s table.Source) (int64, error)
	// ProveFilter returns the source's filter as the server prints it. doubt is why the
	// filter may select other rows even if no row has changed; doubt is empty if there is no
	// such reason.
	ProveFilter(ctx context.Context, s table.Source, columns []string) (shown, doubt string, err error)
	// Sample reads about count keys, evenly spaced in physical order. If countPages is set,
	// it also reports how many pages the server read for them.
	Sample(ctx context.Context, s table.Source, count int, countPages bool) (table.Sample, error)
	// Every reads every step-th key in key order.
	Every(ctx context.Context, s table.Source, step int64) ([]table.Key, error)
	// RankKeys returns the rank of each key in key order. Keys that the index considers
	// equal have the same rank.
	RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// UnreadableKeys returns, by index in keys, why the node cannot read some keys as values
	// of the key's types. A key without an entry is readable.
	UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error)
	// Begin opens a short read-only transaction with one snapshot. If access.Lock is set,
	// the transaction locks the table before it takes the snapshot. The caller must close
	// the transaction.
	Begin(ctx context.Context, access table.Access) (Tx, error)
}

// Tx is a short read-only transaction on one node. It must not be used by two goroutines
// at once.
type Tx interface {
	// Sums returns the sum (row count and digest) of the rows of each range, and the xmin of
	// the snapshot.
	Sums(ctx context.Context, s table.Source, ranges []table.Range, options ...table.CallOption) ([]table.Sum, int64, error)
	// Freshness returns, for each range, the number of its rows and the xmin of the youngest
	// of these rows.
	Freshness(ctx context.Context, s table.Source, ranges []table.Range) ([]table.Freshness, error)
	// List returns key and digest of each row of each range, in key order. The error is
	// table.ErrMore if there are more than limit rows.
	List(ctx context.Context, s table.Source, ranges []table.Range, limit int64, options ...table.CallOption) ([][]table.Listed, error)
	// Fingerprints returns the digests of the rows of each range, and their keys if
	// want.Keys is set. The error is table.ErrMore if there are more rows than want allows.
	Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, want table.FingerprintRequest, options ...table.CallOption) ([]table.Fingerprint, error)
	// Cut returns keys that divide a range into pieces of about step rows.
	Cut(ctx context.Context, s table.Source, r table.Range, step int64) ([]table.Key, error)
	// Rank is like Node.RankKeys, but within this transaction.
	Rank(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// PageSums calls each with the sum of every group of rows on every page range; span is
	// the index of the page range in spans. If by.Coarse is not 0, these groups are the
	// coarse buckets. Then PageSums also calls each with sums of the fine buckets, with
	// table.AllPageRanges as span. Such a sum covers several page ranges. The caller must
	// add up all sums of a fine bucket, which together cover every page range once. PageSums
	// returns, for each page range, the xmin of the snapshot in which the range was read, or
	// 0 if the range has no rows.
	PageSums(ctx context.Context, s table.Source, spans []table.PageRange, by table.Grouping, each func(span, group int, sum table.Sum), options ...table.CallOption) ([]int64, error)
	// PageFreshness is like Freshness, but for page ranges.
	PageFreshness(ctx context.Context, s table.Source, spans []table.PageRange, options ...table.CallOption) ([]table.Freshness, error)
	// ScanList is like List, but reads the table in physical order. bounds divide the key
	// space into len(bounds)+1 ranges. ranges has the indexes of the ranges to list; nil
	// means all. The result has an entry for every one of the len(bounds)+1 ranges. The
	// entry of a range that is not listed is empty.
	ScanList(ctx context.Context, s table.Source, bounds []table.Key, ranges []int, limit int64, options ...table.CallOption) ([][]table.Listed, error)
	// Digests returns the digest of the row of each key, or nil for a key without a row.
	Digests(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]*int64, error)
	// Rows streams the rows of the keys, in the order of the keys. The stream has no entry
	// for a key without a row.
	Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	// Spellings returns each key as it is spelt in its row, or nil for a key without a row.
	Spellings(ctx context.Context, s table.Source, keys []table.Key, options ...table.CallOption) ([]table.Key, error)
	// CheckAbsent verifies that the table has no row for these keys, which the index does
	// not find.
	CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error
	// CountRows counts the rows that the filter selects, without an index.
	CountRows(ctx context.Context, s table.Source) (int64, error)
	// CheckIndex verifies that reading the ranges by the index returns exactly the
	// table's rows. The ranges must cover all keys.
	CheckIndex(ctx context.Context, s table.Source, ranges []table.Range) error
	// Export returns a name for this transaction's snapshot. Other transactions can Import
	// the snapshot by this name as long as this transaction is open.
	Export(ctx context.Context) (string, error)
	// Import makes the transaction use an exported snapshot. It must be called before any
	// other method of the transaction. If the transaction that exported the snapshot has
	// ended, the error has the code fault.Unavailable.
	Import(ctx context.Context, name string) error
	Close()
}

// OpenNodes opens the nodes of a plan. Every transaction on them verifies that it is on
// the server that the plan was made for.
func OpenNodes(ctx context.Context, opener Opener, p *Plan) ([]Node, error) {
	nodes, err := opener.Open(ctx, p.ClusterName, p.DBName, p.Nodes)
	if err != nil {
		return nil, err
	}
	return BindServers(ForRedaction(nodes, p.Redaction), p.Servers), nil
}

// ForRedaction returns the nodes for a task with this redaction. If any column is
// redacted, the errors of the returned nodes do not quote values (see Node.Discreet).
func ForRedaction(nodes []Node, r redact.Redaction) []Node {
	if !r.Active() {
		return nodes
	}
	discreet := make([]Node, len(nodes))
	for i, node := range nodes {
		discreet[i] = node.Discreet()
	}
	return discreet
}

// BindServers binds each node to its server (see Node.Expecting) and returns the bound
// nodes. Plans of earlier versions name no servers. For such a plan, BindServers returns
// the nodes unchanged.
func BindServers(nodes []Node, servers []table.Identity) []Node {
	if len(servers) != len(nodes) {
		return nodes
	}
	bound := make([]Node, len(nodes))
	for i, node := range nodes {
		bound[i] = node.Expecting(servers[i])
	}
	return bound
}
