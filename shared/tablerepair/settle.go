package tablerepair

import (
	"context"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/patience"
	"ace/shared/table"
)

// abandonedWait is the default bound of the wait for an abandoned transaction.
const abandonedWait = 15 * time.Minute

// settler determines how attempts ended.
type settler struct {
	store  archive.Store
	plan   *Plan
	target *Target
	node   Node
	wait   time.Duration // bounds the wait for an abandoned transaction
}

// attempts returns the numbers of the attempts that have an object in the archive, and
// the highest of these numbers.
func (s *settler) attempts(ctx context.Context) (found map[int]bool, last int, err error) {
	found = map[int]bool{}
	err = s.store.List(ctx, archive.RepairsPrefix(s.plan.TaskID, s.target.Node), "", func(info archive.Info) bool {
		if _, n, _, ok := archive.ParseRepairKey(info.Key); ok {
			found[n] = true
			last = max(last, n)
		}
		return true
	})
	return found, last, err
}

// settleAll determines the outcome of each attempt that has an object in the archive, in
// no particular order. It stops at the first attempt that was not rolled back and returns
// its outcome. If there is no such attempt, the outcome is RolledBack. last is the
// highest attempt number, or 0 if there is no attempt.
func (s *settler) settleAll(ctx context.Context) (last int, o outcome, err error) {
	found, last, err := s.attempts(ctx)
	if err != nil {
		return 0, outcome{Outcome: Unknown}, err
	}
	for n := range found {
		if o, err := s.settle(ctx, n); err != nil || o.Outcome != RolledBack {
			return last, o, err
		}
	}
	return last, outcome{Outcome: RolledBack}, nil
}

// settle determines how an attempt ended and stores the outcome. If it cannot determine
// the outcome, it returns Unknown and an error with the reason. A rollback that cannot be
// stored is Unknown too. A commit that cannot be stored is Committed, with an error.
func (s *settler) settle(ctx context.Context, attempt int) (outcome, error) {
	o, err := loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	if err == nil {
		return o, nil
	}
	if !errors.Is(err, archive.ErrNotFound) {
		return outcome{Outcome: Unknown}, err
	}

	tx, err := s.node.BeginRepair(ctx, s.target.Write.Access())
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}
	defer tx.Close()

	// Once this transaction holds the repair lock, the attempt's transaction has ended, or
	// has not acquired the lock yet. In the second case the attempt will acquire the lock
	// after the outcome is stored, find the outcome (checkUnused) and end.
	if err := acquireRepairLock(ctx, tx, s.plan, s.target.Node, s.wait); err != nil {
		if errors.Is(err, errLockHeld) {
			err = patience.Exhausted(s.notEndedError(err, attempt))
		}
		return outcome{Outcome: Unknown}, err
	}

	// Without a manifest nothing was written to the node.
	m, err := loadManifest(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	if errors.Is(err, archive.ErrNotFound) {
		return s.storeOutcome(ctx, attempt, outcome{Outcome: RolledBack})
	}
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}

	if o, err = s.outcomeOf(ctx, tx, m); err != nil {
		return outcome{Outcome: Unknown}, err
	}

	// Durable: the outcome. From here on the attempt can no longer begin.
	return s.storeOutcome(ctx, attempt, o)
}

// notEndedError returns the error for an attempt whose transaction still holds the repair
// lock.
func (s *settler) notEndedError(err error, attempt int) error {
	return fault.Wrap(err, fault.Unavailable, "node %q: the transaction of attempt %d has not ended within %s: its server process may be stopped. Find the process in pg_locks (locktype is advisory), end it, and repair again",
		s.target.Node, attempt, s.wait)
}

// outcomeOf determines how the attempt of a manifest ended and, if it was committed, its
// totals.
func (s *settler) outcomeOf(ctx context.Context, tx Tx, m *Manifest) (o outcome, err error) {
	if o.Altered, err = s.findAltered(ctx, m); err != nil {
		return o, err
	}
	if o.Outcome, err = s.determine(ctx, tx, m, o.Altered); err != nil || o.Outcome != Committed {
		return outcome{Outcome: o.Outcome}, err
	}
	o.Totals = m.Totals
	inserted, deleted, err := countUndone(ctx, s.store, o.Altered)
	o.Totals.countSkipped(inserted, deleted)
	if deleted > 0 {
		o.Totals.Warnings = append(o.Totals.Warnings, keptWarning(s.plan, m.Node, deleted))
	}
	if inserted > 0 {
		o.Totals.Warnings = append(o.Totals.Warnings, withdrawnWarning(s.plan, m.Node, inserted))
	}
	o.Totals.Warnings = append(o.Totals.Warnings, uncheckedKeys(s.target, o.Totals)...)
	if err != nil || o.Altered == nil {
		return o, err
	}

	var unrepairable unrepairableRows
	err = part.ReadTotals(ctx, s.store, o.Altered.Key, o.Altered.Header, &unrepairable)
	o.Totals.addUnrepairable(unrepairable)
	return o, err
}

// storeOutcome stores an outcome. If another process has already stored an outcome of
// this attempt, storeOutcome returns that outcome, which is the same. A rollback is
// certain only once it is stored: after that the attempt can no longer begin.
func (s *settler) storeOutcome(ctx context.Context, attempt int, o outcome) (outcome, error) {
	err := archive.PutJSONIfAbsent(ctx, s.store, archive.RepairKey(s.plan.TaskID, s.target.Node, attempt, outcomeName), o)
	if errors.Is(err, archive.ErrPrecondition) {
		o, err = loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
		if err != nil {
			return outcome{Outcome: Unknown}, err
		}
		return o, nil
	}
	if err != nil && o.Outcome == RolledBack {
		o = outcome{Outcome: Unknown}
	}
	return o, err
}

// determine determines whether the transaction of a manifest was Committed or RolledBack.
// If the node is still the same server on the same timeline, determine reads the
// transaction's status from the server. If this status is not a rollback, or is not
// known, determine also compares the rows with those before and after the attempt. A
// server may have assigned a transaction number without writing it to its WAL; after a
// crash another transaction can get that number. So even if the server reports
// "committed", the attempt was rolled back if every row is as before.
func (s *settler) determine(ctx context.Context, tx Tx, m *Manifest, altered *Stored) (string, error) {
	server, err := tx.Server(ctx)
	if err != nil {
		return "", err
	}

	status := ""
	if server.System == m.System && server.Timeline == m.Timeline {
		if status, err = tx.Status(ctx, m.XID); err != nil {
			return "", err
		}
	}
	// The attempt's transaction has released the repair lock, so it has ended. If the status
	// is "in progress", it is that of another transaction: the server lost the attempt's
	// transaction in a crash and assigned its number again.
	if status == "aborted" || status == "in progress" {
		return RolledBack, nil
	}

	source := s.target.Write.Source
	source.Files = table.Files{} // the rows are compared even if the table was rewritten
	if err := tx.Hold(ctx, source); err != nil {
		return "", err
	}

	before, after, err := s.compareImages(ctx, tx, m, altered)
	switch {
	case err != nil:
		return "", err
	case before:
		return RolledBack, nil
	case after, status == "committed":
		return Committed, nil
	}
	return "", fault.New(fault.Invalid, "node %q: it cannot be determined whether attempt %d was committed: the server or its timeline has changed, or the transaction is too old, and its rows are neither all as before nor all as after the repair",
		s.target.Node, m.Attempt)
}

// compareImages reports whether every row is as it was before the attempt, and whether
// every row is as it should be after the attempt.
func (s *settler) compareImages(ctx context.Context, tx Tx, m *Manifest, altered *Stored) (before, after bool, err error) {
	before, after = true, true
	left, err := openFinalRows(ctx, s.store, altered)
	if err != nil {
		return false, false, err
	}
	defer left.close()

	a := &attempt{unitRun: &unitRun{store: s.store, plan: s.plan, target: s.target, totals: m.Totals}, tx: tx}
	// Not a.windows, which stores progress: nothing would delete that of an ended repair.
	err = eachWindow(ctx, s.store, m.Totals.Parts, whole(all), func(list []numberedChange) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !before && !after {
			return nil
		}
		wanted := make([]numberedChange, len(list))
		for i, c := range list { // the change that would restore the row as it was before
			wanted[i] = c
			wanted[i].change = change{Op: opInsert, Key: c.Key, After: c.Before}
			if c.Op == opInsert {
				wanted[i].change = change{Op: opDelete, Key: c.Key}
			}
		}

		err := a.readBack(ctx, wanted, func(c numberedChange, row table.Row) error {
			before = before && holds(a.target.Columns, row, c.row())
			return nil
		})
		if err != nil {
			return err
		}
		return a.readBack(ctx, list, func(c numberedChange, row table.Row) error {
			want, err := left.row(c)
			after = after && holds(a.target.Columns, row, want)
			return err
		})
	})
	return before, after, err
}

// findAltered finds the part of altered rows, which the attempt stored before it
// committed. It returns nil if there is none.
func (s *settler) findAltered(ctx context.Context, m *Manifest) (*Stored, error) {
	stored := Stored{Key: archive.RepairKey(m.TaskID, m.Node, m.Attempt, alteredName), Header: part.Header{
		TaskID: m.TaskID, PlanHash: m.PlanHash, Unit: unitName(m.Node, m.Attempt, alteredName),
	}}
	_, err := s.store.Stat(ctx, stored.Key)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, nil
	}
	return &stored, err
}
