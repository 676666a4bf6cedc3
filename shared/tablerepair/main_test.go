//go:build !unit

package tablerepair_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ace/infra/testkit/directory"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/archive"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/pg"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is a cluster whose table public.t differs, the task of a repair, and hooks that
// disturb it.
type bench struct {
	cluster *pgtest.Cluster
	store   *faulty.Store
	tasks   *task.Registry
	pools   *pg.Pools
	job     tablerepair.Request
	// commit replaces or wraps a COMMIT; real commits.
	commit func(ctx context.Context, real func(context.Context) error) error
	// begin is the error of each new transaction that reads; nil: it begins.
	begin error
	// gone is the name of a node that cannot be opened; "": all can.
	gone string
	// at is called before each call of a node's transaction, with its name: "n1 Rows",
	// "n2 Lock".
	at      func(call string)
	sending sync.Mutex       // guards sent and unit, because targets are repaired concurrently
	sent    int              // number of units
	unit    tablerepair.Unit // the last one
}

// document contains the keys 1, 2, 4 and 5 of public.t, in the layout of the older ACE.
// No node has a row with the key 5.
const document = `{"diffs":{"n1/n2":{"n1":[{"id":1},{"id":2}],"n2":[{"id":2},{"id":4},{"id":5}]}},"summary":{"schema":"public","table":"t"}}`

// newBench stores the task of a repair of public.t on n2.
func newBench(t *testing.T, c *pgtest.Cluster) *bench {
	t.Helper()
	b := &bench{cluster: c, store: faulty.Wrap(directory.Store(t)), pools: pg.NewPools(pg.Options{MaxConns: 4, StatementTimeout: time.Minute})}
	t.Cleanup(b.pools.Close)
	b.tasks = task.NewRegistry(b.store, time.Now)
	sum := sha256.Sum256([]byte(document))
	input := task.Document{Key: "imports/document.json", Size: int64(len(document)), SHA256: hex.EncodeToString(sum[:])}
	if _, err := b.store.Put(t.Context(), input.Key, "application/json", []byte(document)); err != nil {
		t.Fatal(err)
	}
	rec, err := b.tasks.Create(t.Context(), task.New{
		Type: task.TableRepair, ClusterName: c.Name, DBName: c.DB, TableName: "public.t", Parameters: json.RawMessage(`{}`), Input: &input,
	})
	if err != nil {
		t.Fatal(err)
	}
	b.job = tablerepair.Request{
		TaskID: rec.TaskID, ClusterName: c.Name, Database: c.DB, Schema: "public", Table: "t", Input: *rec.Input,
		Source: "n1", Nodes: []string{"n1", "n2"}, SubmittedAt: rec.SubmittedAt, StartedAt: rec.SubmittedAt,
	}
	return b
}

// acquire acquires the task's lease from any owner.
func (b *bench) acquire(t *testing.T) *task.Lease {
	t.Helper()
	held, err := b.tasks.Acquire(t.Context(), b.job.TaskID, t.Name(), task.AcquireOptions{TakeOver: true})
	if err != nil {
		t.Fatal(err)
	}
	return held
}

// run runs the repair under a new lease.
func (b *bench) run(ctx context.Context, t *testing.T) (tablerepair.Result, error) {
	t.Helper()
	return b.runAs(ctx, b.acquire(t))
}

func (b *bench) runAs(ctx context.Context, held *task.Lease) (tablerepair.Result, error) {
	job := b.job
	job.Patience = patience.Budget{For: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
	job.Lease = held.Record().LeaseToken()
	worker := tablerepair.NewWorker(b.store, b, b.tasks)
	c := tablerepair.NewCoordinator(b.store, b, invoker(func(ctx context.Context, u tablerepair.Unit) (tablerepair.Totals, error) {
		b.sending.Lock()
		b.sent++
		b.unit = u
		b.sending.Unlock()
		return worker.Do(ctx, u)
	}), slog.New(slog.DiscardHandler))
	return c.Run(ctx, job, func(task.Progress) {})
}

type invoker func(context.Context, tablerepair.Unit) (tablerepair.Totals, error)

func (i invoker) Invoke(ctx context.Context, u tablerepair.Unit) (tablerepair.Totals, error) {
	return i(ctx, u)
}

// Open opens the cluster's nodes. It fails if ctx has ended, as reading the cluster's
// definition does.
func (b *bench) Open(ctx context.Context, _, _ string, nodes []string) ([]tablerepair.Node, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var opened []tablerepair.Node
	for _, name := range nodes {
		if name == b.gone {
			return nil, fault.New(fault.Invalid, "node %q is gone", name)
		}
		for _, n := range b.cluster.Nodes {
			if n.Name != name {
				continue
			}
			node, err := b.pools.Node(cluster.Target{
				Node: n.Name, Host: n.Host, Port: uint16(n.Port), Database: b.cluster.DB, User: b.cluster.User,
				Login: cluster.Login{Password: cluster.Secret(b.cluster.Password)}, Options: map[string]string{"sslmode": "disable"},
			})
			if err != nil {
				return nil, err
			}
			opened = append(opened, hookedNode{node, b})
		}
	}
	return opened, nil
}

type hookedNode struct {
	*pg.Node
	b *bench
}

// objects returns the keys of what the repair of n2 left in the archive.
func (b *bench) objects(t *testing.T) []string {
	t.Helper()
	var keys []string
	prefix := archive.RepairsPrefix(b.job.TaskID, "n2")
	err := b.store.List(t.Context(), prefix, "", func(info archive.Info) bool {
		keys = append(keys, info.Key[len(prefix):])
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// rows returns the table's rows on n2.
func (b *bench) rows(t *testing.T) string {
	t.Helper()
	return b.cluster.QueryStrings(t, 1, `SELECT coalesce(string_agg(t::text, ' ' ORDER BY id), '') FROM t`)[0][0]
}

var errLost = errors.New("the answer was lost")

const (
	wanted = "(1,a) (2,b) (3,c)" // on n1
	before = "(2,x) (3,c) (4,y)" // on n2
)

// differing creates public.t on two nodes, with differences.
func differing(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'y')`)
}
