package tablerepair

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// settleWait is how long it is waited for an old transaction to end: longer than any server lets one live idle.
const settleWait = 15 * time.Minute

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
	prefix := archive.RepairsPrefix(s.plan.TaskID, s.target.Node)
	err = s.store.List(ctx, prefix, "", func(info archive.Info) bool {
		number, _, _ := strings.Cut(strings.TrimPrefix(info.Key, prefix), "/")
		if n, err := strconv.Atoi(number); err == nil {
			found[n] = true
			last = max(last, n)
		}
		return true
	})
	return found, last, err
}

// settle says how an attempt ended; the outcome is Unknown together with the error that says why. Whatever is certain
// was, or is now, stored.
func (s *settler) settle(ctx context.Context, attempt int) (outcome, error) {
	o, err := loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	if err == nil || !errors.Is(err, archive.ErrNotFound) {
		return o, err
	}
	tx, err := s.node.BeginRepair(ctx, s.target.Write.SearchPath)
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
	how, err := s.find(ctx, tx, m)
	if err != nil {
		return outcome{Outcome: Unknown}, err
	}
	o = outcome{Outcome: how}
	if how == Committed {
		o.Totals = m.Totals
		o.Altered, err = s.altered(ctx, attempt, m)
		if err != nil {
			return outcome{Outcome: Unknown}, err
		}
	}
	return s.keep(ctx, attempt, o)
}

// keep stores an outcome. Another who found it out at the same time has found the same.
func (s *settler) keep(ctx context.Context, attempt int, o outcome) (outcome, error) {
	err := putJSON(ctx, s.store, archive.RepairKey(s.plan.TaskID, s.target.Node, attempt, outcomeName), o)
	if errors.Is(err, archive.ErrPrecondition) {
		return loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, attempt)
	}
	return o, err
}

// find asks the server how the transaction ended, if it is the same server on the same timeline, and the rows if not. A
// number that the server had given out but not yet written to its log can be given to another transaction after a crash,
// so "committed" alone is not believed where every row is still as it was before.
func (s *settler) find(ctx context.Context, tx Tx, m *Manifest) (string, error) {
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
	before, after, err := s.images(ctx, tx, m)
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
func (s *settler) images(ctx context.Context, tx Tx, m *Manifest) (before, after bool, err error) {
	before, after = true, true
	a := &attempt{job: &job{store: s.store, plan: s.plan, target: s.target, totals: m.Totals}, tx: tx}
	err = a.windows(ctx, func(placed) bool { return before || after }, func(list []placed) error {
		wanted := make([]placed, len(list))
		for i, c := range list { // as a change that puts the row back would want it
			wanted[i] = c
			wanted[i].change = change{Op: opInsert, Key: c.Key, After: c.Before}
			if c.Op == opInsert {
				wanted[i].change = change{Op: opDelete, Key: c.Key}
			}
		}
		if err := a.readBack(ctx, wanted, func(placed, table.Row) error { before = false; return nil }); err != nil {
			return err
		}
		return a.readBack(ctx, list, func(placed, table.Row) error { after = false; return nil })
	})
	return before, after, err
}

// altered finds the part of rows that triggers changed, which the attempt stored before it committed.
func (s *settler) altered(ctx context.Context, attempt int, m *Manifest) (*Stored, error) {
	if !m.Fires {
		return nil, nil
	}
	stored := Stored{Key: archive.RepairKey(m.TaskID, m.Node, attempt, alteredName), Header: part.Header{
		TaskID: m.TaskID, PlanHash: m.PlanHash, Unit: unitName(m.Node, attempt, alteredName),
	}}
	_, err := s.store.Stat(ctx, stored.Key)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, nil
	}
	return &stored, err
}
