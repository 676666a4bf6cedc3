package plan

import (
	"context"

	"ace/shared/rowdigest"
	"ace/shared/table"
)

// Opener reaches the nodes of a cluster. The nodes come in the order of their names in the list; opening contacts none.
type Opener interface {
	Open(ctx context.Context, cluster, database string, nodes []string) ([]Node, error)
}

// Node is one node's database, as planning needs it. Errors name the node.
type Node interface {
	Name() string
	// Expecting returns the same node, every transaction of which makes sure that it is on this server.
	Expecting(server table.Identity) Node
	// Describe reads the table's columns, key, leaves and size, and digests constants with the seeds.
	Describe(ctx context.Context, schema, name string, seeds rowdigest.Seeds) (*table.Description, error)
	// Facts reads what the ages of the table's rows prove something on.
	Facts(ctx context.Context, schema, name string) (table.Facts, error)
	// CheckFilter has the server judge the source's filter, and estimates the rows it selects.
	CheckFilter(ctx context.Context, s table.Source) (int64, error)
	// ProveFilter gives the source's filter as the server shows it, and says why its answer for a row may change though the row
	// does not.
	ProveFilter(ctx context.Context, s table.Source, columns []string) (shown, doubt string, err error)
	// Sample reads about count keys, evenly spaced in physical order.
	Sample(ctx context.Context, s table.Source, count int) ([]table.Sampled, error)
	// Every reads every step-th key in key order.
	Every(ctx context.Context, s table.Source, step int64) ([]table.Key, error)
	// RankKeys gives each key's place in the run's order; keys that the index holds equal have the same.
	RankKeys(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// UnreadableKeys returns why the node cannot read some of the keys, by their places.
	UnreadableKeys(ctx context.Context, s table.Source, keys []table.Key) (map[int]error, error)
	// Begin opens a short read-only transaction with one snapshot, which it takes once the table is
	// locked. It must be closed.
	Begin(ctx context.Context, access table.Access) (Tx, error)
}

// Tx is a short read-only transaction on one node. It is used by one goroutine at a time.
type Tx interface {
	// Sums gives the sum of each range, and the xmin of the snapshot.
	Sums(ctx context.Context, s table.Source, ranges []table.Range) ([]table.Sum, int64, error)
	// Freshness counts the rows of each range and tells the youngest.
	Freshness(ctx context.Context, s table.Source, ranges []table.Range) ([]table.Freshness, error)
	List(ctx context.Context, s table.Source, ranges []table.Range, limit int64) ([][]table.Listed, error)
	Fingerprints(ctx context.Context, s table.Source, ranges []table.Range, keys bool, each, all int64) ([]table.Fingerprint, error)
	Cut(ctx context.Context, s table.Source, r table.Range, step int64) ([]table.Key, error)
	Rank(ctx context.Context, s table.Source, keys []table.Key) ([]int, error)
	// PageSums gives the sum of each group of rows on each span of pages, and the xmin of the snapshot for each span that has rows.
	// With coarse buckets these are the groups, and the others are given for table.AllSpans.
	PageSums(ctx context.Context, s table.Source, spans []table.Span, by table.Grouping, each func(span, group int, sum table.Sum)) ([]int64, error)
	// PageFreshness is Freshness of spans of pages.
	PageFreshness(ctx context.Context, s table.Source, spans []table.Span) ([]table.Freshness, error)
	ScanList(ctx context.Context, s table.Source, bounds []table.Key, ranges []int, limit int64) ([][]table.Listed, error)
	Digests(ctx context.Context, s table.Source, keys []table.Key) ([]*int64, error)
	Rows(ctx context.Context, s table.Source, keys []table.Key) (table.RowStream, error)
	Spellings(ctx context.Context, s table.Source, keys []table.Key) ([]table.Key, error)
	// CheckAbsent makes sure that keys without a row by the index have none in the table either.
	CheckAbsent(ctx context.Context, s table.Source, keys []table.Key) error
	// CountRows counts the rows that the filter selects without the use of an index.
	CountRows(ctx context.Context, s table.Source) (int64, error)
	// CheckIndex makes sure that the ranges, which must cover all keys, have the very rows of the table
	// when they are read by the index.
	CheckIndex(ctx context.Context, s table.Source, ranges []table.Range) error
	// Export gives a name by which Import takes the transaction's snapshot into others, as long as this one is open.
	Export(ctx context.Context) (string, error)
	// Import comes before anything else. If the snapshot is gone the error is Unavailable.
	Import(ctx context.Context, name string) error
	// Keep says that the locks of the next call end with it, though the transaction goes on.
	Keep()
	// Last says that the next call is the transaction's last: its end travels with it.
	Last()
	Close()
}

// OpenNodes opens the nodes of a plan. Every transaction makes sure that it is on the server with
// which the plan was made.
func OpenNodes(ctx context.Context, opener Opener, p *Plan) ([]Node, error) {
	nodes, err := opener.Open(ctx, p.ClusterName, p.DBName, p.Nodes)
	if err != nil {
		return nil, err
	}
	return BindServers(nodes, p.Servers), nil
}

// BindServers binds nodes to servers; a plan of an earlier version names none.
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
