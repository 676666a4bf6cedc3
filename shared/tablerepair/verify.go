package tablerepair

import (
	"context"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// verify reads back every written row before COMMIT, in the same transaction. Each row
// must be exactly as decided, unless triggers fire. It stores the altered rows in a part,
// which an undo needs, and returns the part; nil if there are none.
func (a *attempt) verify(ctx context.Context) (*Stored, error) {
	name := alteredName
	stored := Stored{Key: archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, name), Header: part.Header{
		TaskID: a.plan.TaskID, PlanHash: a.plan.Hash(), Unit: unitName(a.target.Node, a.number, name),
	}}
	var out *part.Writer
	defer func() {
		if out != nil {
			out.Abort()
		}
	}()

	err := a.windows(ctx, all, func(list []numberedChange) error {
		return a.readBack(ctx, list, func(c numberedChange, row table.Row) (err error) {
			left := altered{At: c.at, Row: row, Withdrawn: a.withdrawn.Has(c.at), Kept: a.kept.Has(c.at)}
			undone := left.Withdrawn || left.Kept
			want := c.row()
			if undone {
				want = c.Before
			}
			decided := holds(a.target.Columns, row, want)
			if decided && !undone && (c.Op != opInsert || len(c.After) == len(a.target.Columns)) {
				return nil
			}
			if !decided && !a.target.Fires {
				return fault.New(fault.Invalid, "node %q: the row with the key %s differs from the repair's decision after it was written: a column's type, a rule or a default may change it", a.target.Node, c.Key)
			}
			if out == nil {
				if out, err = part.Create(ctx, a.store, stored.Key, stored.Header); err != nil {
					return err
				}
			}
			return out.Row(left)
		})
	})
	if err != nil || out == nil {
		return nil, err
	}

	stored.Rows = out.Rows()
	if err := out.Commit(ctx, struct{}{}); err != nil {
		return nil, err
	}
	stored.SHA256 = out.SHA256()
	return &stored, nil
}

// readBack calls fn with every change of list and its current row on the target; nil if
// there is no row.
func (a *attempt) readBack(ctx context.Context, list []numberedChange, fn func(numberedChange, table.Row) error) error {
	stream, err := a.tx.Rows(ctx, a.target.Write.Source, keysOf(list))
	if err != nil {
		return err
	}
	rows := &lookahead{stream: stream}
	for i, c := range list {
		var row table.Row
		if row, err = rows.at(i); err != nil {
			break
		}
		if err = fn(c, row); err != nil {
			break
		}
	}
	if closing := stream.Close(); err == nil {
		err = closing
	}
	return err
}

// holds reports whether a row has the wanted values in all columns that can be written.
// nil means that there is no row.
func holds(columns []Column, row, want table.Row) bool {
	if row == nil || want == nil {
		return row == nil && want == nil
	}
	for i, value := range want {
		if columns[i].Written && !table.SameValue(row[i], value) {
			return false
		}
	}
	return true
}

// checkDeferrable fails if a written row violates a deferrable constraint. PostgreSQL
// checks such a constraint by a trigger, which does not fire while triggers are disabled.
func (a *attempt) checkDeferrable(ctx context.Context) error {
	if len(a.target.Deferrable) == 0 {
		return nil
	}
	return a.windows(ctx, except(opDelete), func(list []numberedChange) error {
		for _, d := range a.target.Deferrable {
			at, err := a.tx.Duplicate(ctx, a.target.Write, d, keysOf(list))
			if err != nil {
				return err
			}
			if at >= 0 {
				return fault.New(fault.Invalid, "node %q: the row with the key %s would violate constraint %q: another row holds its values",
					a.target.Node, list[at].Key, d.Name)
			}
		}
		return nil
	})
}
