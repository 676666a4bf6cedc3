package tablerepair

import (
	"context"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/retry"
	"ace/shared/table"
)

// settleWait is how long it is waited for an old transaction to end: longer than any server lets one live idle.
const settleWait = 15 * time.Minute

// settleTries is how often it is tried to find out, within some 7 seconds.
const settleTries = 4

// settler finds out how attempts ended.
type settler struct {
	store  archive.Store
	plan   *Plan
	target *Target
	node   Node
}

// attempts gives the numbers of the attempts that left something, in no order, and the highest.
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

// settled is settle that waits for a node or an archive that is away for a moment. A fence that was not free for all of
// settleWait is not waited for again.
func (s *settler) settled(ctx context.Context, attempt int) (outcome, error) {
	began := time.Now()
	policy := retry.Policy{
		Backoff:   retry.Backoff{First: retryWait},
		Tries:     settleTries,
		Retryable: func(err error) bool { return fault.Retryable(err) && time.Since(began) <= settleWait },
	}
	var o outcome
	err := policy.Do(ctx, func() (err error) {
		o, err = s.settle(ctx, attempt)
		return err
	})
	return o, err
}

// settle says how an attempt ended; the outcome is Unknown together with the error that says why. Whatever is certain
// was, or is now, stored.
func (s *settler) settle(ctx context.Context, attempt int) (outcome, error) {
	o, err := loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	if err == nil || !errors.Is(err, archive.ErrNotFound) {
		return o, err
	}
	tx, err := s.node.BeginRepair(ctx, s.target.Write.Access())
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}
	defer tx.Close()
	// With the fence in our hands the attempt's transaction has ended, or will find that the lease is not its runner's.
	if err := takeFence(ctx, tx, s.plan, s.target.Node, settleWait); err != nil {
		return outcome{Outcome: Unknown}, err
	}
	m, err := loadManifest(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	if errors.Is(err, archive.ErrNotFound) {
		return s.keep(ctx, attempt, outcome{Outcome: RolledBack})
	}
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}
	if o, err = s.found(ctx, tx, m); err != nil {
		return outcome{Outcome: Unknown}, err
	}
	return s.keep(ctx, attempt, o)
}

// found says how the attempt of a manifest ended.
func (s *settler) found(ctx context.Context, tx Tx, m *Manifest) (o outcome, err error) {
	if o.Altered, err = s.altered(ctx, m); err != nil {
		return o, err
	}
	if o.Outcome, err = s.find(ctx, tx, m, o.Altered); err != nil || o.Outcome != Committed {
		return outcome{Outcome: o.Outcome}, err
	}
	o.Totals = m.Totals
	inserted, deleted, err := undone(ctx, s.store, o.Altered)
	o.Totals.undo(inserted, deleted)
	if deleted > 0 {
		o.Totals.Warnings = append(o.Totals.Warnings, keptRows(m.Node, deleted))
	}
	if inserted > 0 {
		o.Totals.Warnings = append(o.Totals.Warnings, leftOut(m.Node, inserted))
	}
	return o, err
}

// keep stores an outcome. Another who found it out at the same time has found the same. That an attempt is rolled back
// counts only once it is stored: then it cannot begin any more, however late it comes.
func (s *settler) keep(ctx context.Context, attempt int, o outcome) (outcome, error) {
	err := archive.PutJSONIfAbsent(ctx, s.store, archive.RepairKey(s.plan.TaskID, s.target.Node, attempt, outcomeName), o)
	if errors.Is(err, archive.ErrPrecondition) {
		return loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	}
	if err != nil && o.Outcome == RolledBack {
		o = outcome{Outcome: Unknown}
	}
	return o, err
}

// find asks the server how the transaction ended, if it is the same server on the same timeline, and the rows if not. A
// number that the server had given out but not yet written to its log can be given to another transaction after a crash,
// so "committed" alone is not believed where every row is still as it was before.
func (s *settler) find(ctx context.Context, tx Tx, m *Manifest, altered *Stored) (string, error) {
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
	if status == "aborted" || status == "in progress" { // in progress: not ours, whose locks are free
		return RolledBack, nil
	}
	source := s.target.Write.Source
	source.Files = table.Files{} // rows tell, whichever files hold them now
	if err := tx.Hold(ctx, source); err != nil {
		return "", err
	}
	before, after, err := s.images(ctx, tx, m, altered)
	switch {
	case err != nil:
		return "", err
	case before:
		return RolledBack, nil
	case after, status == "committed":
		return Committed, nil
	}
	return "", fault.New(fault.Invalid, "node %q: nobody can tell whether attempt %d was committed: it is another server or timeline now, or has forgotten the transaction, and its rows are neither all as before nor all as after the repair",
		s.target.Node, m.Attempt)
}

// images says whether every row is as it was before the attempt, or as it was to be after it.
func (s *settler) images(ctx context.Context, tx Tx, m *Manifest, altered *Stored) (before, after bool, err error) {
	before, after = true, true
	left, err := openLeft(ctx, s.store, altered)
	if err != nil {
		return false, false, err
	}
	defer left.close()
	a := &attempt{job: &job{store: s.store, plan: s.plan, target: s.target, totals: m.Totals}, tx: tx}
	err = a.windows(ctx, all, func(list []placed) error {
		if !before && !after {
			return nil
		}
		wanted := make([]placed, len(list))
		for i, c := range list { // as a change that puts the row back would want it
			wanted[i] = c
			wanted[i].change = change{Op: opInsert, Key: c.Key, After: c.Before}
			if c.Op == opInsert {
				wanted[i].change = change{Op: opDelete, Key: c.Key}
			}
		}
		err := a.readBack(ctx, wanted, func(c placed, row table.Row) error {
			before = before && holds(a.target.Columns, row, c.row())
			return nil
		})
		if err != nil {
			return err
		}
		return a.readBack(ctx, list, func(c placed, row table.Row) error {
			want, err := left.row(c)
			after = after && holds(a.target.Columns, row, want)
			return err
		})
	})
	return before, after, err
}

// altered finds the part of rows as the node left them, which the attempt stored before it committed.
func (s *settler) altered(ctx context.Context, m *Manifest) (*Stored, error) {
	stored := Stored{Key: archive.RepairKey(m.TaskID, m.Node, m.Attempt, alteredName), Header: part.Header{
		TaskID: m.TaskID, PlanHash: m.PlanHash, Unit: unitName(m.Node, m.Attempt, alteredName),
	}}
	_, err := s.store.Stat(ctx, stored.Key)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, nil
	}
	return &stored, err
}
