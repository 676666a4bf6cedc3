package tablerepair

import (
	"cmp"
	"context"
	"time"

	"ace/shared/archive"
	"ace/shared/bitmap"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/retry"
	"ace/shared/table"
)

const (
	// repairLockWait bounds how long an attempt waits for another repair of the table to
	// end. repairLockPoll is the time between two tries.
	repairLockWait = 30 * time.Second
	repairLockPoll = 200 * time.Millisecond
)

// attempt is one try to repair a target, in one transaction.
type attempt struct {
	*unitRun
	number       int
	tx           Tx
	replaced     bitmap.Set // changes whose rows were deleted and are still to be inserted
	withdrawn    bitmap.Set // insertions that were undone
	kept         bitmap.Set // deletions that are not done
	replacements int
	processed    int64 // changes that were applied or read back
}

// repair makes the attempt. The package comment and the manifest rely on the order of its
// steps. Any failure before COMMIT rolls the node back.
func (j *unitRun) repair(ctx context.Context) (Totals, error) {
	a := &attempt{unitRun: j, number: j.unit.Attempt}

	// Both transactions begin in the cluster's order, so that two repairs never wait for
	// each other.
	source, err := j.begin(ctx, func(ctx context.Context) (err error) {
		a.tx, err = j.node.BeginRepair(ctx, j.target.Write.Access())
		return err
	})
	if a.tx != nil {
		defer a.tx.Close()
	}
	if err != nil {
		return Totals{}, err
	}
	if source != nil {
		defer source.Close()
	}

	// From here on a later runner waits for this transaction to end.
	if err := a.prepare(ctx); err != nil {
		return Totals{}, err
	}

	// Durable: the before-images are in the archive. A crash here leaves an attempt
	// without a manifest, which counts as rolled back.
	if err := a.decideAndStore(ctx, source); err != nil {
		return Totals{}, err
	}

	// Durable: the manifest, then the changes. A crash here leaves the outcome to settle.
	var altered *Stored
	if a.totals.changes() > 0 {
		if altered, err = a.write(ctx, source); err != nil {
			return Totals{}, err
		}
	}

	// Durable: the outcome. Without it the next run asks the node.
	a.storeOutcome(ctx, outcome{Outcome: Committed, Totals: a.totals, Altered: altered})
	return a.totals, nil
}

// prepare acquires the repair lock and checks that the task still has this lease: from
// here on a later runner has to wait. Then it locks the table.
func (a *attempt) prepare(ctx context.Context) error {
	if err := acquireRepairLock(ctx, a.tx, a.plan, a.target.Node, repairLockWait); err != nil {
		return err
	}

	// Only under the repair lock: a later runner that has the lease concludes nothing
	// before it holds this lock.
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return err
	}
	if err := a.checkUnused(ctx); err != nil {
		return err
	}

	// The lock on the table comes before the first read of a row: a rewrite would hide
	// rows.
	if err := a.tx.Hold(ctx, a.target.Write.Source); err != nil {
		return err
	}

	reason, err := a.tx.KeepLocal(ctx)
	if err != nil {
		return err
	}
	if reason != "" {
		a.totals.Warnings = append(a.totals.Warnings, "node "+a.target.Node+": "+reason)
	}

	if a.plan.FireTriggers {
		return a.tx.EnableTriggers(ctx)
	}
	return a.tx.DisableTriggers(ctx)
}

// checkUnused checks that no object of this attempt exists yet. There are two ways one
// may exist:
//
//   - A coordinator that got no response has concluded how the attempt ended, and may
//     have begun another one. A coordinator that concludes later waits for the repair
//     lock.
//   - The attempt was made before, by a runner that was replaced or by another worker
//     that got the same unit. It would find nothing left to do.
//
// In both cases the next number is free.
func (a *attempt) checkUnused(ctx context.Context) error {
	left := ""
	err := a.store.List(ctx, archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, ""), "", func(info archive.Info) bool {
		left = info.Key
		return false
	})
	if err == nil && left != "" {
		err = fault.New(fault.Unavailable, "attempt %d to repair node %q was already begun or concluded: object %s exists", a.number, a.target.Node, left)
	}
	return err
}

// acquireRepairLock waits until no other repair of the table is at work on the node.
func acquireRepairLock(ctx context.Context, tx Tx, p *Plan, node string, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; {
		got, err := tx.TryAdvisoryLock(ctx, p.Schema, p.Table)
		if err != nil || got {
			return err
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Unavailable, "node %q: another repair of this table has held its lock for %s", node, wait)
		}
		if err := retry.Sleep(ctx, repairLockPoll); err != nil {
			return err
		}
	}
}

// decideAndStore decides what to change and stores the decisions.
func (a *attempt) decideAndStore(ctx context.Context, source Source) error {
	r := &recorder{store: a.store, header: part.Header{TaskID: a.plan.TaskID, PlanHash: a.plan.Hash()}, totals: &a.totals,
		name: func(n int) (string, string) {
			name := undoName(n)
			return archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, name), unitName(a.target.Node, a.number, name)
		}}
	defer r.abort()

	if err := a.decide(ctx, source, r); err != nil {
		return err
	}
	if err := a.checkColumns(ctx); err != nil {
		return err
	}
	return a.checkReach()
}

// checkColumns checks that the table has the columns of the plan. The value of any other
// column would be lost with a deleted row, since no before-image has it. The table cannot
// be altered after rows were read.
func (a *attempt) checkColumns(ctx context.Context) error {
	now, err := a.tx.Columns(ctx, a.plan.Schema, a.plan.Table)
	if err != nil {
		return err
	}
	planned := map[string]Column{}
	for _, c := range a.target.Columns {
		planned[c.Name] = c
	}
	same := len(now) == len(planned)
	for _, c := range now {
		p := planned[c.Name]
		same = same && p.Type == c.Declared && p.Written != c.Generated
	}
	if !same {
		return fault.New(fault.Conflict, "node %q: the table was altered after the repair was planned: repair again", a.target.Node)
	}
	return nil
}

func (a *attempt) decide(ctx context.Context, source Source, r *recorder) error {
	if source == nil { // an undo
		return a.restoreAll(ctx, a.tx, a.tx.Lock, r)
	}
	var locked *bitmap.Set
	// Rows that are never changed need no lock, which a role without UPDATE could not
	// acquire.
	if !a.plan.InsertOnly {
		locked = &bitmap.Set{}
		if err := a.lockRows(ctx, locked); err != nil {
			return err
		}
	}

	// The source must have what was written on the target until the rows were locked.
	// Only then is it read.
	if err := a.awaitSource(ctx); err != nil {
		return err
	}
	if err := a.decideAll(ctx, source, a.tx, locked, r); err != nil {
		return err
	}

	// No lock is held at the source while the target is written.
	return source.Renew(ctx)
}

// lockRows locks the target's rows and records which keys have one. The source is read
// later.
func (a *attempt) lockRows(ctx context.Context, locked *bitmap.Set) error {
	first := int64(0)
	keysOnly := a.target.Write.Source
	keysOnly.Columns = keysOnly.Key
	return a.eachKeys(ctx, func(_ int, keys []table.Key) error {
		stream, err := a.tx.Lock(ctx, keysOnly, keys)
		if err != nil {
			return err
		}
		err = eachPlace(stream, func(at int) { locked.Add(first + int64(at)) })
		first += int64(len(keys))
		return err
	})
}

// eachPlace calls fn for the place of each row of a stream, and closes the stream.
func eachPlace(stream table.RowStream, fn func(at int)) error {
	for {
		at, _, err := stream.Next()
		if at < 0 || err != nil {
			return cmp.Or(err, stream.Close())
		}
		fn(at)
	}
}

// write stores the manifest, applies the changes, verifies them and commits. After an
// error of Commit only settle can determine whether the transaction was committed.
func (a *attempt) write(ctx context.Context, source Source) (*Stored, error) {
	// Durable: any process can now determine whether this transaction was committed.
	// Nothing was written to the node before.
	if err := a.storeManifest(ctx); err != nil {
		return nil, err
	}

	if err := a.recheckDeletions(ctx, source); err != nil {
		return nil, err
	}
	if err := a.withSearchPath(ctx, a.apply); err != nil {
		return nil, err
	}

	// After the insertions: a change to one of these rows now waits for this transaction.
	if err := a.recheckInsertions(ctx, source); err != nil {
		return nil, err
	}

	// Durable: the part of altered rows, which an undo needs.
	altered, err := a.verify(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.checkDeferrable(ctx); err != nil {
		return nil, err
	}

	// The lease may have been lost since prepare. If it is lost after this check, the new
	// runner waits for the repair lock.
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return nil, err
	}

	// Durable: the target's rows. If the response is lost, settle determines the outcome.
	return altered, a.tx.Commit(ctx)
}

// storeManifest stores the manifest.
func (a *attempt) storeManifest(ctx context.Context) error {
	mark, err := a.tx.Mark(ctx)
	if err != nil {
		return err
	}
	p, t := a.plan, a.target
	return archive.PutJSONIfAbsent(ctx, a.store, archive.RepairKey(p.TaskID, t.Node, a.number, manifestName), Manifest{
		Format: manifestFormat, TaskID: p.TaskID, PlanHash: p.Hash(), Node: t.Node, Attempt: a.number, WrittenAt: time.Now().UTC(),
		ClusterName: p.ClusterName, DBName: p.DBName, Schema: p.Schema, Table: p.Table,
		Key: p.Key, Columns: t.Columns, Common: t.Common, Fires: t.Fires, Mark: mark, Server: t.Server, Totals: a.totals,
	})
}

// withSearchPath calls fn under the search_path that user code has in any other session:
// triggers (deferred ones too), defaults, generated columns and constraints.
func (a *attempt) withSearchPath(ctx context.Context, fn func(context.Context) error) error {
	if err := a.tx.SetSearchPath(ctx, a.target.Write.Path); err != nil {
		return err
	}
	if err := fn(ctx); err != nil {
		return err
	}
	if err := a.tx.CheckNow(ctx); err != nil {
		return err
	}
	return a.tx.SetSearchPath(ctx, a.target.Write.SearchPath)
}

// storeOutcome stores a certain outcome. After a failure the outcome can be determined
// again.
func (a *attempt) storeOutcome(ctx context.Context, o outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	_ = archive.PutJSONIfAbsent(ctx, a.store, archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, outcomeName), o)
}

const outcomeTimeout = 10 * time.Second
