package worker

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
	"ace/shared/taskid"
)

// Worker does single units of work. Its only state is a cache of plans (which never
// change), the slots and the stores of the tasks, and the snapshots that units share
// while they read the pages of a table. It is safe for concurrent use.
type Worker struct {
	store       archive.Store
	nodes       plan.Opener
	snapshotMax time.Duration
	plans       planCache
	slots       slots
	passes      sync.Map // task id -> *pass
	stores      sync.Map // task id -> archive.Store, of the tasks for which Use was called
}

// New returns a worker. A snapshot that units share is used only by units that begin
// within snapshotMax after it was taken.
func New(store archive.Store, nodes plan.Opener, snapshotMax time.Duration) *Worker {
	return &Worker{store: store, nodes: nodes, snapshotMax: snapshotMax}
}

// Share lets the units of a task that read the pages of its table share one snapshot of
// every node, from now until end is called. The caller must call end after the last of
// these units has returned.
func (w *Worker) Share(taskID string) (end func()) {
	p := &pass{maxAge: w.snapshotMax}
	w.passes.Store(taskID, p)
	return func() {
		w.passes.CompareAndDelete(taskID, p)
		p.close()
	}
}

// Use makes the units of a task read the plan and store their parts in store instead of
// the archive, until end is called. The caller must call end after the last unit of the
// task has returned.
func (w *Worker) Use(taskID string, store archive.Store) (end func()) {
	w.stores.Store(taskID, store)
	return func() {
		w.stores.CompareAndDelete(taskID, store)
		w.plans.forget(taskID) // a later run may make another plan
	}
}

// storeOf returns the store of a task's plan and parts.
func (w *Worker) storeOf(taskID string) archive.Store {
	if used, ok := w.stores.Load(taskID); ok {
		if store, ok := used.(archive.Store); ok {
			return store
		}
	}
	return w.store
}

// Do does one unit and returns the totals of its stored part. If another worker stored
// the part earlier, or stores it first, that part counts.
func (w *Worker) Do(ctx context.Context, u plan.Unit) (plan.Totals, error) {
	ctx = taskid.With(ctx, u.TaskID)
	store := w.storeOf(u.TaskID)
	if totals, err := plan.ReadTotals(ctx, store, u); err == nil || fault.CodeOf(err) != fault.NotFound {
		return totals, err
	}

	p, err := w.plans.get(ctx, store, u.TaskID)
	if err != nil {
		return plan.Totals{}, err
	}
	if p.Hash() != u.PlanHash {
		return plan.Totals{}, fault.New(fault.Internal, "unit %s of task %s was made for another plan", u.Name(), u.TaskID)
	}
	if err := u.Check(p); err != nil {
		return plan.Totals{}, err
	}

	nodes, err := plan.OpenNodes(ctx, w.nodes, p)
	if err != nil {
		return plan.Totals{}, err
	}

	out, err := createPart(ctx, store, u)
	if err != nil {
		return plan.Totals{}, err
	}
	defer out.Abort() // is deferred so that it is also done after a panic

	r := &unitRun{unit: u, plan: p, nodes: nodes, sources: u.Sources(p), store: store, slots: &w.slots, out: out}
	if shared, ok := w.passes.Load(u.TaskID); ok {
		r.pass, _ = shared.(*pass)
	}
	if err := r.run(ctx); err != nil {
		return plan.Totals{}, err
	}

	if u.Phase == plan.PhaseCompare || u.Phase == plan.PhaseConfirm {
		r.totals.From, r.totals.To = u.From, u.To
		r.totals.Range = p.KeyRange(u.From, u.To)
	}

	// Stores the part, which completes the unit: later phases read only the part. If the
	// process crashes before this, nothing is stored and the unit is done again.
	err = out.Commit(ctx, r.totals)
	if errors.Is(err, archive.ErrPrecondition) {
		return plan.ReadTotals(ctx, store, u)
	}

	return r.totals, err
}

// createPart begins the part of a unit. Parts that may have many rows are compressed,
// because the merge reads them once for each section of the document.
func createPart(ctx context.Context, store archive.Store, u plan.Unit) (*part.Writer, error) {
	if u.Phase == plan.PhaseCompare || u.Phase == plan.PhaseConfirm {
		return part.CreatePacked(ctx, store, u.PartKey(), u.PartHeader())
	}
	return part.Create(ctx, store, u.PartKey(), u.PartHeader())
}

// unitRun is one unit of work being done.
type unitRun struct {
	unit    plan.Unit
	plan    *plan.Plan
	nodes   []plan.Node
	sources []table.Source // what the first pass reads on each node
	store   archive.Store
	slots   *slots
	pass    *pass // nil if the unit has its own snapshot
	out     *part.Writer
	line    []byte // buffer for the row that is being written
	totals  plan.Totals
}

func (r *unitRun) run(ctx context.Context) error {
	switch r.unit.Phase {
	case plan.PhaseAges:
		return r.scanPages(ctx, r.pageAges, plan.PageSums.AgedRows)
	case plan.PhaseChanged:
		return r.scanChanged(ctx)
	case plan.PhaseBuckets:
		return r.digestPages(ctx, table.Grouping{Buckets: r.plan.Buckets})
	case plan.PhaseScan:
		if r.plan.Strategy == plan.Sequential {
			return r.scanNode(ctx)
		}
		return r.digestPages(ctx, table.Grouping{Bounds: r.plan.Layout.Bounds})
	case plan.PhaseCompare:
		return r.compare(ctx)
	case plan.PhaseConfirm:
		return r.confirm(ctx)
	}
	return fault.New(fault.Internal, "there is no phase %q", r.unit.Phase)
}

// begin opens a transaction on every node as soon as the task has a free slot. The
// returned function closes the transactions and releases the slot. A unit that already
// holds a slot must not call begin, since it could wait for its own slot forever.
func (r *unitRun) begin(ctx context.Context) ([]plan.Tx, func(), error) {
	release, err := r.slots.acquire(ctx, r.plan.TaskID, r.plan.Workers)
	if err != nil {
		return nil, nil, err
	}

	txs, err := r.open(ctx)
	if err != nil {
		release()
		return nil, nil, err
	}

	return txs, func() {
		defer release()
		closeAll(txs)
	}, nil
}

// open opens a transaction on every node, one after the other. Every unit opens them in
// the same order, so units that wait for free connections cannot deadlock.
func (r *unitRun) open(ctx context.Context) ([]plan.Tx, error) {
	var txs []plan.Tx
	for i, node := range r.nodes {
		access := r.plan.Sources[i].Access()
		if r.pass != nil { // the transaction stays open after the unit, so it must not hold a lock on the table
			access = access.Unguarded()
		}

		tx, err := node.Begin(ctx, access)
		if err != nil {
			closeAll(txs)
			return nil, err
		}

		txs = append(txs, tx)
	}

	return txs, nil
}

// closeAll closes transactions concurrently.
func closeAll(txs []plan.Tx) {
	var wait sync.WaitGroup
	for _, tx := range txs {
		wait.Go(tx.Close)
	}
	wait.Wait()
}

// rank returns a function that asks the first node, in a separate transaction, for the
// rank of each key in key order. A unit that already holds a slot must not call the
// returned function, since it could wait for its own slot forever.
func (r *unitRun) rank(ctx context.Context) func([]table.Key) ([]int, error) {
	return func(keys []table.Key) ([]int, error) {
		release, err := r.slots.acquire(ctx, r.plan.TaskID, r.plan.Workers)
		if err != nil {
			return nil, err
		}
		defer release()
		return r.nodes[0].RankKeys(ctx, r.plan.Sources[0], keys)
	}
}

// onAll calls fn for all nodes concurrently.
func (r *unitRun) onAll(ctx context.Context, fn func(ctx context.Context, node int) error) error {
	return fanout.Each(ctx, len(r.nodes), slices.Values(fanout.Indexes(len(r.nodes))), fn)
}
