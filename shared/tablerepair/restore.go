package tablerepair

import (
	"context"

	"ace/shared/fault"
	"ace/shared/table"
)

// leftKeys bounds how many keys of skipped rows an undo names.
const leftKeys = 100

// restoreAll decides about every row that the attempt changed.
func (j *job) restoreAll(ctx context.Context, rows opened, r *recorder) error {
	return (&restorer{job: j, rows: rows, emit: func(c change) error { return r.add(ctx, c) }}).decide(ctx, r)
}

// restorer decides how to put back what an attempt changed: only rows that are still as it left them.
type restorer struct {
	*job
	rows opened
	emit func(change) error
	key  *decider
	left *leftRows
}

// decide goes over the attempt's parts; r is sealed after each.
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
	d.key.emit, d.key.totals = d.emit, &d.totals
	if d.left, err = openLeft(ctx, d.store, o.Altered); err != nil {
		return err
	}
	defer d.left.close()
	err = eachWindow(ctx, d.store, m.Totals.Parts, func(placed) bool { return true }, func(list []placed) error {
		return d.window(ctx, list)
	})
	if err != nil {
		return err
	}
	return r.seal(ctx)
}

func (d *restorer) window(ctx context.Context, list []placed) error {
	stream, err := d.rows(ctx, d.target.Write.Source, keysOf(list))
	if err != nil {
		return err
	}
	found := &lookahead{stream: stream}
	for i, c := range list {
		var row table.Row
		if row, err = found.at(i); err != nil {
			break
		}
		if err = d.row(c, row); err != nil {
			break
		}
	}
	if closing := stream.Close(); err == nil {
		err = closing
	}
	return err
}

// row decides about one row as it is now.
func (d *restorer) row(c placed, now table.Row) error {
	want, err := d.left.row(c)
	if err != nil {
		return err
	}
	switch {
	case c.Before == nil && now == nil || c.Before != nil && now != nil && holds(d.target.Columns, now, c.Before):
		d.totals.Unchanged++ // it is as it was before the repair already
		return nil
	case !holds(d.target.Columns, now, want):
		d.totals.Skipped++
		if len(d.totals.Left) < leftKeys {
			d.totals.Left = append(d.totals.Left, c.Key)
		}
		return nil
	case c.Before == nil:
		return d.key.change(change{Op: opDelete, Key: d.key.keyOf(now), Before: now})
	case now == nil:
		return d.key.change(change{Op: opInsert, Key: c.Key, After: c.Before})
	}
	var columns []int
	for i, column := range d.target.Columns {
		if column.Written && !table.SameValue(now[i], c.Before[i]) {
			columns = append(columns, i)
		}
	}
	return d.key.change(change{Op: opUpdate, Key: d.key.keyOf(now), Before: now, Columns: columns, After: pick(c.Before, columns)})
}

// committedAttempt gives the attempt of a repair that was committed on this node; 0 if there was none, or it had nothing to
// change and so has left no manifest.
func (s *settler) committedAttempt(ctx context.Context) (int, error) {
	found, last, err := s.attempts(ctx)
	if err != nil {
		return 0, err
	}
	for n := last; n > 0; n-- {
		if !found[n] {
			continue
		}
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
	return 0, nil
}
