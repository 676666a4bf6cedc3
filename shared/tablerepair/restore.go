package tablerepair

import (
	"context"
	"errors"
	"slices"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/table"
)

// leftKeys is the maximum number of rows whose keys a result names: of rows that an undo
// skipped, and of rows that cannot be made equal.
const leftKeys = 100

// restoreAll decides how to undo every change of the attempt to be undone
// (Target.Attempt). rows reads the rows as they are now. Unless the undo is a dry run,
// rows also locks them.
func (j *unitRun) restoreAll(ctx context.Context, node Reader, rows openRows, r *recorder) error {
	return (&restorer{unitRun: j, node: node, rows: rows, emit: j.emitTo(ctx, r)}).decide(ctx, r)
}

// restorer decides how to undo what an attempt changed. It changes only rows that are
// still as the attempt left them.
type restorer struct {
	*unitRun
	node Reader
	rows openRows // reads the current rows and, unless the undo is a dry run, locks them
	emit func(change) error
	key  *decider   // counts and emits the decisions
	left *finalRows // the rows as the attempt left them
}

// decide decides about every change in the attempt's parts. r stores all decisions in one
// part.
func (d *restorer) decide(ctx context.Context, r *recorder) error {
	m, err := loadManifest(ctx, d.store, d.plan.Undoes, d.target.Node, d.target.Attempt)
	if err != nil {
		return err
	}
	o, err := loadOutcome(ctx, d.store, d.plan.Undoes, d.target.Node, d.target.Attempt)
	if err != nil {
		return err
	}
	if o.Outcome != Committed {
		return fault.New(fault.Internal, "attempt %d of task %s on node %q is %s, not committed", d.target.Attempt, d.plan.Undoes, d.target.Node, o.Outcome)
	}

	d.key = newDecider(d.plan, d.target)
	d.key.emit = d.emit
	d.key.totals = &d.totals
	d.key.node = d.node

	if d.left, err = openFinalRows(ctx, d.store, o.Altered); err != nil {
		return err
	}
	defer d.left.close()

	err = eachWindow(ctx, d.store, m.Totals.Parts, whole(all), func(list []numberedChange) error {
		if err := d.window(ctx, list); err != nil {
			return err
		}
		return d.key.checkAbsent(ctx, false)
	})
	if err != nil {
		return err
	}
	if err := d.key.checkAbsent(ctx, true); err != nil {
		return err
	}
	return r.endPart(ctx)
}

func (d *restorer) window(ctx context.Context, list []numberedChange) error {
	stream, err := d.rows(ctx, d.target.Write.Source, keysOf(list))
	if err != nil {
		return err
	}
	return eachRow(stream, len(list), func(i int, now table.Row) error { return d.row(list[i], now) })
}

// row decides how to undo one change. now is the current row, or nil if it does not
// exist.
func (d *restorer) row(c numberedChange, now table.Row) error {
	want, err := d.left.row(c)
	if err != nil {
		return err
	}
	if now == nil && d.target.SmallTarget {
		d.key.absent.node = append(d.key.absent.node, c.Key)
	}

	switch {
	case c.Before == nil && now == nil: // it is already as it was before the repair
		d.totals.Unchanged++
		return nil
	case c.Before != nil && now != nil && holds(d.target.Columns, now, c.Before):
		d.key.untouched(c.Key, d.key.unrepairableColumns(c.Before, now, nil))
		return nil
	case !holds(d.target.Columns, now, want):
		d.skip(c)
		return nil
	case c.Before == nil && d.hasNewValues(now):
		d.skip(c)
		return nil
	case c.Before == nil:
		return d.key.change(change{Op: opDelete, Key: d.key.keyOf(now), Before: now})
	case now == nil:
		return d.key.change(change{Op: opInsert, Key: c.Key, After: c.Before})
	}

	var columns []int
	for i, before := range c.Before {
		if d.target.Columns[i].Written && !table.SameValue(now[i], before) {
			columns = append(columns, i)
		}
	}
	restored := change{Op: opUpdate, Key: d.key.keyOf(now), Before: now, Columns: columns, After: pick(c.Before, columns)}
	restored.WantedColumns, restored.Wanted = d.key.unstorable(c.Before, nil)
	return d.key.change(restored)
}

// skip counts a row that the undo does not change, because the row is not as the repair
// left it or has values in columns that were added after the repair.
func (d *restorer) skip(c numberedChange) {
	d.totals.Skipped++
	if len(d.totals.Left) < leftKeys {
		d.totals.Left = append(d.totals.Left, c.Key)
	}
}

// hasNewValues reports whether a row has values in columns that were added after the
// repair. A deletion would lose these values.
func (d *restorer) hasNewValues(now table.Row) bool {
	for i, c := range d.target.Columns[d.target.Common:] {
		if c.Written && now[d.target.Common+i] != nil {
			return true
		}
	}
	return false
}

// announcedAttempts returns the numbers of the attempts that have a manifest, the last
// one first. Attempts without a manifest have changed nothing.
func (s *settler) announcedAttempts(ctx context.Context) (numbers []int, err error) {
	err = eachManifest(ctx, s.store, archive.RepairsPrefix(s.plan.TaskID, s.target.Node), func(_ string, n int) {
		numbers = append(numbers, n)
	})
	slices.Sort(numbers)
	slices.Reverse(numbers)
	return numbers, err
}

// lastManifest returns the manifest of the last attempt that may have been committed,
// because no rollback is stored as its outcome. It returns nil if there is no such
// attempt.
func (s *settler) lastManifest(ctx context.Context) (*Manifest, error) {
	numbers, err := s.announcedAttempts(ctx)
	for _, n := range numbers {
		o, err := loadOutcome(ctx, s.store, s.plan.TaskID, s.target.Node, n)
		switch {
		case err != nil && !errors.Is(err, archive.ErrNotFound):
			return nil, err
		case o.Outcome != RolledBack:
			return loadManifest(ctx, s.store, s.plan.TaskID, s.target.Node, n)
		}
	}
	return nil, err
}

// committedAttempt returns the number of the attempt that was committed on this node. It
// returns 0 if no attempt was committed or if the committed attempt changed no rows.
func (s *settler) committedAttempt(ctx context.Context) (int, error) {
	numbers, err := s.announcedAttempts(ctx)
	for _, n := range numbers {
		o, err := s.settle(ctx, n)
		if err != nil {
			return 0, err
		}
		if o.Outcome == Committed && o.Totals.changes() == 0 {
			return 0, nil
		}
		if o.Outcome == Committed {
			return n, nil
		}
	}
	return 0, err
}
