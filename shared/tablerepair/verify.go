package tablerepair

import (
	"context"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// verify reads back every written row before COMMIT, in the same transaction. Each row
// must be exactly as decided, unless triggers fire. If a row has the digest that the
// source's row had when the attempt decided, it is as decided, and only its digest is
// sent. verify also counts the written rows that still differ from the source's rows (in
// an undo, from the before-images). It stores the altered rows, which an undo needs, and
// this count in a part and returns the part. It returns nil if there is nothing to store.
func (a *attempt) verify(ctx context.Context) (*Stored, error) {
	name := alteredName
	v := verification{attempt: a, stored: Stored{Key: archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, name), Header: part.Header{
		TaskID: a.plan.TaskID, PlanHash: a.plan.Hash(), Unit: unitName(a.target.Node, a.number, name),
	}}}
	defer v.abort()

	err := a.windows(ctx, brief(all), func(list []numberedChange) error {
		unproven, err := a.unproven(ctx, list)
		if err != nil || len(unproven) == 0 {
			return err
		}
		if err := completeAll(unproven); err != nil {
			return err
		}
		return a.readBack(ctx, unproven, func(c numberedChange, row table.Row) error { return v.row(ctx, c, row) })
	})
	if err != nil {
		return nil, err
	}
	return v.save(ctx)
}

// unproven returns the changes of list for which the digests of the target's rows do not
// prove that each row is as decided and equal to the source's row.
func (a *attempt) unproven(ctx context.Context, list []numberedChange) ([]numberedChange, error) {
	if a.target.WriteDigest == "" {
		return list, nil
	}
	s := a.target.Write.Source
	s.Digest = a.target.WriteDigest
	digests, err := a.tx.Digests(ctx, s, keysOf(list))
	if err != nil {
		return nil, err
	}

	var unproven []numberedChange
	for i, c := range list {
		proven := c.Op == opDelete && digests[i] == nil || c.Op != opDelete && c.hasDigest(digests[i])
		if !proven || a.withdrawn.Has(c.at) || a.kept.Has(c.at) {
			unproven = append(unproven, c)
		}
	}
	return unproven, nil
}

// hasDigest reports whether digest, the digest of a row, proves that the row is equal to
// the source's row. digest is nil if there is no row.
func (c change) hasDigest(digest *int64) bool {
	return digest != nil && c.Digest != 0 && *digest == c.Digest
}

// verification is the state of one call of verify.
type verification struct {
	*attempt
	stored       Stored
	out          *part.Writer // nil until the first row is written
	unrepairable Totals       // counts only unrepairable rows
}

func (v *verification) abort() {
	if v.out != nil {
		v.out.Abort()
	}
}

// row checks row, which the change c has left on the target (nil if it does not exist),
// and stores it if it is altered.
func (v *verification) row(ctx context.Context, c numberedChange, row table.Row) error {
	left := altered{At: c.at, Row: row, Withdrawn: v.withdrawn.Has(c.at), Kept: v.kept.Has(c.at)}
	undone := left.Withdrawn || left.Kept
	want := c.row()
	if undone {
		want = c.Before
	} else if columns := v.target.unrepairableAfter(c.change, row); len(columns) > 0 {
		v.unrepairable.UnrepairableWritten++
		v.unrepairable.nameUnrepairable(v.target, c.Key, columns)
	}

	decided := holds(v.target.Columns, row, want)
	if decided && !undone && (c.Op != opInsert || len(c.After) == len(v.target.Columns)) {
		return nil
	}
	if !decided && !v.target.Fires {
		return fault.New(fault.Invalid, "node %q: the row with the key %s differs from the repair's decision after it was written: a column's type, a rule or a default may change it", v.target.Node, c.Key)
	}
	if err := v.create(ctx); err != nil {
		return err
	}
	return v.out.Row(left)
}

func (v *verification) create(ctx context.Context) (err error) {
	if v.out == nil {
		v.out, err = part.Create(ctx, v.store, v.stored.Key, v.stored.Header)
	}
	return err
}

// save ends the part of altered rows and stores the rows that still differ in its footer.
func (v *verification) save(ctx context.Context) (*Stored, error) {
	rows := unrepairableRows{Count: v.unrepairable.UnrepairableWritten, Keys: v.unrepairable.UnrepairableKeys, Columns: v.unrepairable.UnrepairableColumns}
	v.totals.addUnrepairable(rows)
	if rows.Count > 0 {
		if err := v.create(ctx); err != nil {
			return nil, err
		}
	}
	if v.out == nil {
		return nil, nil
	}

	v.stored.Rows = v.out.Rows()
	if err := v.out.Commit(ctx, rows); err != nil {
		return nil, err
	}
	v.stored.SHA256 = v.out.SHA256()
	return &v.stored, nil
}

// readBack calls fn with every change of list and its current row on the target, or nil
// if there is no row.
func (a *attempt) readBack(ctx context.Context, list []numberedChange, fn func(numberedChange, table.Row) error) error {
	stream, err := a.tx.Rows(ctx, a.target.Write.Source, keysOf(list))
	if err != nil {
		return err
	}
	return eachRow(stream, len(list), func(i int, row table.Row) error { return fn(list[i], row) })
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
	return a.windows(ctx, brief(except(opDelete)), func(list []numberedChange) error {
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
