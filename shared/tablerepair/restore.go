package tablerepair

import (
	"context"

	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// leftKeys bounds how many keys of skipped rows an undo names.
const leftKeys = 100

// restorer decides how to put back what an attempt changed: only rows that are still as it left them.
type restorer struct {
	*job
	rows    opened
	emit    func(change) error
	key     *decider
	altered *part.Reader
	next    altered // of the altered rows; At < 0: there are no more
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
	d.next.At = -1
	if o.Altered != nil {
		if d.altered, err = part.Open(ctx, d.store, o.Altered.Key, o.Altered.Header); err != nil {
			return err
		}
		defer d.altered.Close()
		if err := d.advance(); err != nil {
			return err
		}
	}
	err = eachWindow(ctx, d.store, m.Totals.Parts, func(placed) bool { return true }, func(list []placed) error {
		return d.window(ctx, list)
	})
	if err != nil {
		return err
	}
	return r.seal(ctx)
}

func (d *restorer) advance() error {
	d.next = altered{}
	more, err := d.altered.Next(&d.next)
	if !more {
		d.next.At = -1
	}
	return err
}

// left gives the row as the attempt left it.
func (d *restorer) left(c placed) (table.Row, error) {
	if d.next.At != c.at {
		return c.row(), nil
	}
	row := d.next.Row
	return row, d.advance()
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
	want, err := d.left(c)
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

// committedAttempt gives the attempt of a repair that was committed on this node; 0 if there was none.
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
		if o.Outcome == Committed {
			return n, nil
		}
	}
	return 0, nil
}
