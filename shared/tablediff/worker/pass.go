package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// pass holds what the units that together read all pages of a table share: one snapshot
// of every node. An update may move a row to other pages; units with different snapshots
// could read such a row twice or not at all. The transactions of a pass stay open from
// unit to unit. A node never has more of them than the task has slots, because a unit
// must hold a slot to use a transaction.
type pass struct {
	maxAge time.Duration // a unit that begins when the snapshot is older than this uses a new one

	mu      sync.Mutex
	closed  bool
	current *snapshot // nil: the next unit takes a snapshot
	idle    []*reading
}

// snapshot is what all nodes held at about one moment.
type snapshot struct {
	id    string   // recorded in the parts of the units that have read it
	names []string // per node, the name by which other transactions can import it; nil if it was not exported
	since time.Time
	open  int // number of open readings of this snapshot
}

// reading holds one open transaction per node. All of them read the same snapshot.
type reading struct {
	snapshot *snapshot
	txs      []plan.Tx
}

// inPass calls fn with a transaction on every node. If all units of the pass are done in
// this process, they share one snapshot. The totals record the snapshot's id.
func (r *unitRun) inPass(ctx context.Context, fn func([]plan.Tx) error) error {
	if r.pass == nil {
		r.totals.Snapshot = rand.Text()
		return r.inSnapshots(ctx, fn)
	}

	release, err := r.slots.acquire(ctx, r.plan.TaskID, r.plan.Workers)
	if err != nil {
		return err
	}
	defer release()

	taken, err := r.pass.acquire(ctx, r)
	if err != nil {
		return err
	}

	sound := false
	defer func() { r.pass.release(taken, sound) }() // after a panic too

	r.totals.Snapshot = taken.snapshot.id
	err = fn(taken.txs)
	sound = err == nil
	return err
}

// callOptions returns the options of a call within inPass. last means that it is the last
// call of the unit. The transactions of a pass keep their snapshot and release their
// locks after each call. If the unit has its own snapshot, its transactions end with the
// last call.
func (r *unitRun) callOptions(last bool) []table.CallOption {
	switch {
	case r.pass != nil:
		return []table.CallOption{table.ReleaseLocks}
	case last:
		return []table.CallOption{table.EndTransaction}
	}
	return nil
}

// acquire returns a reading of the pass's snapshot. It reuses an idle reading or opens a
// new one.
func (p *pass) acquire(ctx context.Context, r *unitRun) (*reading, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if p.current != nil && time.Since(p.current.since) > p.maxAge {
		p.renew()
	}

	if len(p.idle) > 0 {
		r := p.idle[0]
		p.idle = p.idle[1:]
		return r, nil
	}

	txs, err := r.open(ctx)
	if err != nil {
		return nil, err
	}

	if err := p.join(ctx, r, txs); err != nil {
		closeAll(txs)
		return nil, err
	}

	p.current.open++
	return &reading{snapshot: p.current, txs: txs}, nil
}

// join makes new transactions use the pass's snapshot. If the pass has no snapshot, that
// of the new transactions becomes the pass's snapshot.
func (p *pass) join(ctx context.Context, r *unitRun, txs []plan.Tx) error {
	if p.current != nil && p.current.names != nil {
		err := r.onAll(ctx, func(ctx context.Context, node int) error { return txs[node].Import(ctx, p.current.names[node]) })
		if err != nil {
			p.renew() // the transaction that exported it has ended
		}
		return err
	}

	taken := &snapshot{id: rand.Text(), since: time.Now()}
	if r.plan.Workers > 1 { // otherwise no other unit can import it
		taken.names = make([]string, len(txs))
		err := r.onAll(ctx, func(ctx context.Context, node int) (err error) {
			taken.names[node], err = txs[node].Export(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}

	p.current = taken
	return nil
}

// release returns a reading to the pass. If the reading failed, it is closed, and so are
// all idle readings, whose connections to a node may have failed too.
func (p *pass) release(r *reading, sound bool) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if sound && !p.closed && r.snapshot == p.current {
		p.idle = append(p.idle, r)
		return
	}

	r.close()
	if !sound {
		p.closeIdle()
	}

	if p.current != nil && p.current.open == 0 {
		p.current = nil
	}
}

// renew makes the next unit take a new snapshot.
func (p *pass) renew() {
	p.closeIdle()
	p.current = nil
}

// close closes all transactions. Later units have snapshots of their own.
func (p *pass) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.renew()
}

func (p *pass) closeIdle() {
	for _, r := range p.idle {
		r.close()
	}
	p.idle = nil
}

func (r *reading) close() {
	closeAll(r.txs)
	r.snapshot.open--
}
