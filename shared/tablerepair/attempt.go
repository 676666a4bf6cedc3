package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/bitmap"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/retry"
	"ace/shared/table"
)

const (
	// repairLockWait is the default of Worker.lockWait.
	repairLockWait = 30 * time.Second
	// repairLockPoll is the time between two tries to acquire the repair lock.
	repairLockPoll = 200 * time.Millisecond
)

// attempt is one attempt to repair a target, in one transaction. Its sets identify
// changes by their numbers (see numberedChange).
type attempt struct {
	*unitRun
	number       int
	tx           Tx
	replaced     bitmap.Set // changes whose rows were deleted and are still to be inserted
	withdrawn    bitmap.Set // insertions that were undone
	kept         bitmap.Set // deletions that were cancelled
	unmarked     bool       // the changes have no replication origin
	replacements int        // number of elements of replaced
	narrows      bool       // every write is guarded, so that narrow can find a refused row
	named        bool       // the returned error names the refused row
	processed    int64      // number of changes applied so far plus number of changes read back so far
}

// repair makes one attempt to repair the target. The arguments in the package comment are
// valid only for this order of the steps. Any failure before COMMIT rolls the target's
// transaction back.
func (j *unitRun) repair(ctx context.Context) (Totals, error) {
	a := &attempt{unitRun: j, number: j.unit.Attempt}

	// begin acquires the connections to source and target in the order of the nodes in the
	// cluster. In another order, two repairs could each hold the connection for which the
	// other one waits.
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

	// Once prepare has acquired the repair lock, a later runner of the task waits for this
	// transaction to end before it draws a conclusion about this node.
	if err := a.prepare(ctx); err != nil {
		return Totals{}, err
	}

	// Durable: the before-images are in the archive. A crash here leaves an attempt
	// without a manifest, which counts as rolled back.
	if err := a.decideAndStore(ctx, source); err != nil {
		return Totals{}, err
	}

	// Durable: the manifest, then the changes. After a crash here, the next run determines
	// the outcome (settle.go).
	var altered *Stored
	if a.totals.changes() > 0 {
		if altered, err = a.write(ctx, source); err != nil {
			return Totals{}, err
		}
		a.checkCommitted(ctx)
		a.totals.Warnings = append(a.totals.Warnings, a.after.keyWarnings()...)
	}

	// Durable: the outcome. If it cannot be stored, the coordinator determines it again.
	a.storeOutcome(ctx, outcome{Outcome: Committed, Totals: a.totals, Altered: altered})
	return a.totals, nil
}

// prepare marks the changes as local (Tx.KeepLocal) and acquires the repair lock on the
// target. Then it checks that the task still has the lease of this unit and that no
// attempt had this number before, locks the table, and enables or disables the triggers.
func (a *attempt) prepare(ctx context.Context) error {
	reason, err := a.tx.KeepLocal(ctx)
	if err != nil {
		return err
	}
	if a.unmarked = reason != ""; a.unmarked {
		a.totals.Warnings = append(a.totals.Warnings, "node "+a.target.Node+": "+reason)
	}

	if err := acquireRepairLock(ctx, a.tx, a.plan, a.target.Node, a.lockWait); err != nil {
		return err
	}

	// The lease is checked under the repair lock: a later runner that has acquired the lease
	// draws no conclusion about this node before it holds this lock.
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return err
	}
	if err := a.checkUnused(ctx); err != nil {
		return err
	}

	// The table is locked before the first row is read, because a rewrite of the table would
	// hide rows.
	if err := a.tx.Hold(ctx, a.target.Write.Source); err != nil {
		return err
	}

	return a.setTriggers(ctx)
}

func (a *attempt) setTriggers(ctx context.Context) error {
	if a.plan.FireTriggers {
		return a.tx.EnableTriggers(ctx)
	}
	return a.tx.DisableTriggers(ctx)
}

// checkUnused checks that the archive has no object of an attempt with this number yet.
// An object may exist for one of two reasons:
//
//   - The coordinator got no response to this unit, so it has already stored an outcome
//     for this attempt, and may have begun another attempt. If it has not done so yet, it
//     has to wait for the repair lock, which this attempt holds now.
//   - The attempt was made before, by a runner that was replaced or by another worker
//     that got the same unit. If it was committed, a second attempt would find no
//     difference and return totals of zero.
//
// In both cases a new attempt must use the next number.
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

// errLockHeld means that another transaction has held the repair lock for the whole wait.
var errLockHeld = errors.New("the repair lock is held")

// acquireRepairLock acquires the advisory lock that only one repair of the table can hold
// on a node. If it does not get the lock within wait, the error is Unavailable.
func acquireRepairLock(ctx context.Context, tx Tx, p *Plan, node string, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; {
		got, err := tx.TryAdvisoryLock(ctx, p.Schema, p.Table)
		if err != nil || got {
			return err
		}
		if time.Now().After(deadline) {
			return fault.Wrap(errLockHeld, fault.Unavailable, "node %q: another repair of this table has held its lock for %s", node, wait)
		}
		if err := retry.Sleep(ctx, repairLockPoll); err != nil {
			return err
		}
	}
}

// decideAndStore decides what to change and stores the decisions with the before-images.
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
	if refusals := a.refusals(a.unmarked); len(refusals) > 0 {
		return fault.New(fault.Invalid, "%s", strings.Join(refusals, "; "))
	}
	return nil
}

// checkColumns checks that the table has exactly the columns of the plan. A before-image
// has only these columns: if the table had another column and a row was deleted, an undo
// could not restore the value of that column. Once the transaction has read rows of the
// table, the table cannot be altered, so checkColumns is called after that.
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
	if source == nil { // the attempt belongs to an undo
		return a.restoreAll(ctx, a.tx, a.tx.Lock, r)
	}
	var locked *lockedRows
	// A repair that only inserts changes no existing rows, so it need not lock them. A role
	// without the UPDATE privilege could not lock them.
	if !a.plan.InsertOnly {
		locked = &lockedRows{}
		if err := a.lockRows(ctx, locked); err != nil {
			return err
		}
	}

	// The source is read only when it has received everything that was written on the target
	// before the rows were locked.
	if err := a.awaitSource(ctx); err != nil {
		return err
	}
	if err := a.decideAll(ctx, source, a.tx, locked, r); err != nil {
		return err
	}

	// This ends the source's transaction, so that no lock is held there while the target is
	// written.
	return source.Renew(ctx)
}

// lockRows locks the target's rows and adds them to locked.
func (a *attempt) lockRows(ctx context.Context, locked *lockedRows) error {
	first := int64(0)
	return a.eachKeys(ctx, asRead, func(p keyPart) error {
		memory := locked.collect(p.n)
		if len(p.keys) == 0 { // no key of this part changes the target
			return locked.keep(memory)
		}
		s := a.target.Write.Source
		s.Digest = cmp.Or(a.lockedDigest(), s.Digest)
		if memory == nil {
			s.Columns = s.Key
		}
		stream, err := a.tx.Lock(ctx, s, p.keys)
		if err != nil {
			return err
		}

		digests := make(map[int]int64)
		err = eachFound(stream, func(at int, row table.KeyedRow) (err error) {
			locked.places.Add(first + int64(at))
			if a.plan.byRule() {
				digests[at] = row.Digest
			}
			memory, err = locked.add(memory, at, row.Row)
			return err
		})
		if err == nil {
			a.noteLocked(locked, p.decided, first, digests)
		}
		first += int64(len(p.keys))
		return cmp.Or(err, locked.keep(memory))
	})
}

// eachFound calls fn for each row of a stream, with the index of the row's key in the
// list of requested keys. It closes the stream.
func eachFound(stream table.RowStream, fn func(at int, row table.KeyedRow) error) error {
	for {
		at, row, err := stream.Next()
		if err == nil && at >= 0 {
			err = fn(at, row)
		}
		if at < 0 || err != nil {
			return cmp.Or(err, stream.Close())
		}
	}
}

// eachPlace calls fn for each row of a stream, with the index of the row's key in the
// list of requested keys. It closes the stream.
func eachPlace(stream table.RowStream, fn func(at int)) error {
	return eachFound(stream, func(at int, _ table.KeyedRow) error {
		fn(at)
		return nil
	})
}

// write stores the manifest, applies the changes, verifies them and commits. After an
// error of Commit only settle can determine whether the transaction was committed.
func (a *attempt) write(ctx context.Context, source Source) (*Stored, error) {
	a.totals.Warnings = append(a.totals.Warnings, a.after.sequenceWarnings(a.relation())...)

	// Durable: the manifest. Once it is stored, any process can determine whether this
	// transaction was committed. It is stored before the first row is changed.
	if err := a.storeManifest(ctx); err != nil {
		return nil, err
	}

	if err := a.recheckDeletions(ctx, source); err != nil {
		return nil, err
	}
	if err := a.withSearchPath(ctx, a.apply); err != nil {
		return nil, a.nameRefusedRow(ctx, err)
	}

	// Check at the source after inserting, not before: once a row is inserted, every later
	// change to it on the target waits for this transaction.
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
	// runner waits for the repair lock, and so for the end of this transaction, before it
	// draws a conclusion.
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return nil, err
	}

	// Durable: the target's rows. If the response is lost, settle determines the outcome.
	return altered, a.tx.Commit(ctx)
}

// storeManifest stores the manifest, which names this transaction (Tx.Mark) and describes
// what it will change.
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

// withSearchPath calls fn, which writes rows, with the search_path that user-defined code
// needs (Write.Path, which includes the role's own search_path). Writing a row runs such
// code in triggers, defaults, generated columns and constraints. Deferred triggers would
// run only at COMMIT, so withSearchPath runs them (CheckNow) before it sets the
// search_path back.
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

// storeOutcome stores an outcome that is certain, even if ctx has ended. It ignores an
// error, because the coordinator then determines the outcome itself (settle.go).
func (a *attempt) storeOutcome(ctx context.Context, o outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeTimeout)
	defer cancel()
	_ = archive.PutJSONIfAbsent(ctx, a.store, archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, outcomeName), o)
}

const outcomeTimeout = 10 * time.Second
