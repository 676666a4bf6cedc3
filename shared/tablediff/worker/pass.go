package worker

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// pass holds the state that is shared by the units that read all pages of a table. These
// units read the same snapshot of every node. An update may move a row to other pages, so
// units with different snapshots could read such a row twice or not at all. If the
// snapshot becomes older than maxAge or is lost after an error, later units nevertheless
// read a new snapshot.
//
// The transactions of a pass stay open from unit to unit. A unit must hold a slot to use
// a transaction, so a node never has more of these transactions than the task has slots.
type pass struct {
	maxAge time.Duration // a unit that begins when the snapshot is older than this uses a new snapshot

	mu      sync.Mutex
	closed  bool
	current *snapshot // nil: the next unit takes a snapshot
	idle    []*reading
}

// snapshot identifies one snapshot of every node. These snapshots were taken at about the
// same moment.
type snapshot struct {
	id    string   // recorded in the parts of the units that read this snapshot
	names []string // per node, the name by which other transactions can import its snapshot; nil if none was exported
	since time.Time
	open  int // number of open readings of this snapshot
}

// reading holds one open transaction for each node. The transactions read the nodes in
// the given snapshot. Only one unit at a time uses a reading.
type reading struct {
	snapshot *snapshot
	txs      []plan.Tx
}

// inPass calls fn with a transaction on every node. If the units of the task share a
// snapshot (r.pass is set), the transactions use that snapshot. Otherwise the unit has a
// snapshot of its own. inPass records the id of the snapshot in the totals. A unit that
// already holds a slot must not call inPass, since it could wait for its own slot
// forever.
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
	defer func() { r.pass.release(taken, sound) }() // is deferred so that it is also done after a panic

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

// acquire returns a reading of the pass's snapshot: an idle reading, or a new one if none
// is idle. The unit must hold a slot, since the slots limit the number of readings.
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

// join makes new transactions use the pass's snapshot. If the pass has no exported
// snapshot, the snapshot of the new transactions becomes the pass's snapshot.
func (p *pass) join(ctx context.Context, r *unitRun, txs []plan.Tx) error {
	if p.current != nil && p.current.names != nil {
		err := r.onAll(ctx, func(ctx context.Context, node int) error { return txs[node].Import(ctx, p.current.names[node]) })
		if err != nil {
			p.renew() // the transaction that exported the snapshot may have ended
		}
		return err
	}

	taken := &snapshot{id: rand.Text(), since: time.Now()}
	if r.plan.Workers > 1 { // with one worker, all units use the same transactions one after the other
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

// release makes a reading idle if it is sound and still belongs to the pass's snapshot.
// Otherwise release closes the reading. sound means that no call of the unit has failed.
// If a call has failed, release also closes all idle readings, because their connections
// to a node may have failed too.
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

// renew closes all idle readings and removes the snapshot, so that the next unit takes a
// new snapshot. The caller must hold p.mu.
func (p *pass) renew() {
	p.closeIdle()
	p.current = nil
}

// close closes all idle readings. A reading in use is closed when it is released.
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
