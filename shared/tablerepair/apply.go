package tablerepair

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
)

// exactReplacements is how many rows are singled out one by one before whole statements are replaced.
const exactReplacements = 1_000

// apply does what was stored: deletions first, so that their unique values are free; then updates; then insertions. An
// update that takes a unique value which another row still holds is done as a deletion now and an insertion at the end,
// when that row has its new value: the node says which ones these are, since only it knows every index. A value that a
// row outside the document holds is refused at the end.
func (a *attempt) apply(ctx context.Context) error {
	for _, step := range []func(context.Context) error{a.deletes, a.updates, a.inserts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (a *attempt) deletes(ctx context.Context) error {
	if a.totals.Deleted == 0 {
		return nil
	}
	done := func(op string, at int64) bool { return op == opDelete && !a.kept.Has(at) }
	return a.windows(ctx, done, func(list []placed) error {
		return a.tx.Delete(ctx, a.target.Write, keysOf(list))
	})
}

func (a *attempt) updates(ctx context.Context) error {
	if a.totals.Updated == 0 {
		return nil
	}
	return a.windows(ctx, only(opUpdate), func(list []placed) error {
		for _, group := range sameColumns(list) {
			if err := a.update(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameColumns groups updates that set the same columns.
func sameColumns(list []placed) [][]placed {
	var groups [][]placed
	at := map[string]int{}
	for _, c := range list {
		name := fmt.Sprint(c.Columns)
		i, known := at[name]
		if !known {
			i = len(groups)
			at[name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// update sets the same columns of some rows.
func (a *attempt) update(ctx context.Context, list []placed) error {
	columns := list[0].Columns
	if slices.ContainsFunc(columns, func(at int) bool { return a.target.Columns[at].Identity }) {
		return a.replace(ctx, list, "an identity column that is GENERATED ALWAYS cannot be updated")
	}
	guarded := slices.ContainsFunc(columns, func(at int) bool { return a.target.Columns[at].Unique })
	rows := make([]table.Row, len(list))
	for i, c := range list {
		rows[i] = c.After
	}
	err := a.tx.Update(ctx, a.target.Write, columns, keysOf(list), rows, guarded)
	var v *table.ViolationError
	if !errors.As(err, &v) {
		return err
	}
	if !guarded || !v.Unique {
		return a.refusedOne(list, v)
	}
	if len(list) == 1 || a.replacements > exactReplacements {
		return a.replace(ctx, list, fmt.Sprintf("another row holds a value that constraint %q wants to be unique", v.Constraint))
	}
	if err := a.update(ctx, list[:len(list)/2]); err != nil {
		return err
	}
	return a.update(ctx, list[len(list)/2:])
}

// refusedOne names the row that the node refused, if that is known.
func (a *attempt) refusedOne(list []placed, v *table.ViolationError) error {
	if v.Column != "" && v.Place < len(list) {
		return a.target.withEncodings(v.Of(list[v.Place].Key))
	}
	if len(list) == 1 {
		return v.Of(list[0].Key)
	}
	return v
}

// withEncodings adds to the error of a value that the target cannot hold the encodings, if they differ.
func (t *Target) withEncodings(err error) error {
	if t.Encodings == "" {
		return err
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s; %s", fault.PublicMessage(err), t.Encodings)
}

// replace deletes rows that are inserted again at the end.
func (a *attempt) replace(ctx context.Context, list []placed, why string) error {
	if a.plan.FireTriggers {
		return fault.New(fault.Invalid, "node %q: the row with the key %s would have to be deleted and inserted again, which a repair that fires triggers does not do: %s",
			a.target.Node, list[0].Key, why)
	}
	for _, c := range list {
		a.replaced.Add(c.at)
	}
	a.replacements += len(list)
	return a.tx.Delete(ctx, a.target.Write, keysOf(list))
}

func (a *attempt) inserts(ctx context.Context) error {
	if a.totals.Inserted == 0 && a.replacements == 0 {
		return nil
	}
	inserted := func(op string, at int64) bool { return op == opInsert || a.replaced.Has(at) }
	return a.windows(ctx, inserted, func(list []placed) error {
		for _, group := range sameLength(list) {
			if err := a.insert(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameLength groups rows that have the same columns: those that are put back have all, new ones those of the source.
func sameLength(list []placed) [][]placed {
	var groups [][]placed
	for _, c := range list {
		i := slices.IndexFunc(groups, func(g []placed) bool { return len(g[0].row()) == len(c.row()) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// insert adds rows of the same columns. What the node refuses is looked for until it is one row.
func (a *attempt) insert(ctx context.Context, list []placed) error {
	columns := a.target.written(len(list[0].row()))
	rows := make([]table.Row, len(list))
	for i, c := range list {
		rows[i] = pick(c.row(), columns)
	}
	err := a.tx.Insert(ctx, a.target.Write, columns, rows)
	var v *table.ViolationError
	if !errors.As(err, &v) {
		return err
	}
	if v.Column != "" {
		return a.refusedOne(list, v)
	}
	if len(list) == 1 {
		return a.refusedInsert(ctx, list[0].Key, v)
	}
	if err := a.insert(ctx, list[:len(list)/2]); err != nil {
		return err
	}
	return a.insert(ctx, list[len(list)/2:])
}

// refusedInsert says why a row was refused. One that has the key was not there when that was decided; where two keys can
// be one to the node it may be ours.
func (a *attempt) refusedInsert(ctx context.Context, key table.Key, v *table.ViolationError) error {
	if !v.Unique || a.target.ByText {
		return v.Of(key)
	}
	stream, err := a.tx.Rows(ctx, a.target.Write.Source, []table.Key{key})
	if err != nil {
		return err
	}
	at, _, err := stream.Next()
	if closing := stream.Close(); err == nil {
		err = closing
	}
	switch {
	case err != nil:
		return err
	case at < 0:
		return v.Of(key)
	}
	return meanwhile(a.target.Node, key)
}

// windows reads the stored changes that pick chooses. Between two windows the work can end.
func (a *attempt) windows(ctx context.Context, pick picker, fn func([]placed) error) error {
	return eachWindow(ctx, a.store, a.totals.Parts, pick, func(list []placed) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a.gone += int64(len(list))
		parts := a.target.Keys.Parts
		m := a.totals.decidedMarks(parts)
		m.Blocks += int(int64(parts) * a.gone / (2 * max(1, a.totals.changes()))) // applied, and read back
		a.mark(ctx, m)
		return fn(list)
	})
}
