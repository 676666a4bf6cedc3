package tablerepair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

// exactReplacements determines how update handles a refused statement. As long as the
// attempt has replaced (deleted, to insert them again) at most this many rows, update
// halves the statement until it finds the rows that must be replaced. After that, update
// replaces all rows of a refused statement, which takes fewer statements.
const exactReplacements = 1_000

// searchWait bounds the search for a row that the node refuses (nameRefusedRow).
const searchWait = 30 * time.Second

// apply applies the stored changes: deletions first, so that their unique values become
// free; then updates; then insertions. The node refuses an update that sets a unique
// value which another row still has. Only the node knows every unique index, so apply
// notices such an update only when the node refuses it. Then apply deletes the row at
// once and inserts it again at the end, when the other row has its new value. If the
// repair does not change the other row, the insertion fails.
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
	return a.windows(ctx, brief(done), func(list []numberedChange) error { return a.delete(ctx, list) })
}

// delete deletes rows. If triggers fire (fire_triggers=true), the node may refuse the
// deletion because of a foreign key of another table.
func (a *attempt) delete(ctx context.Context, list []numberedChange) error {
	err := a.tx.Delete(ctx, a.target.Write, keysOf(list))
	var v *table.ViolationError
	if !errors.As(err, &v) {
		return err
	}
	return a.narrow(ctx, list, v, a.narrows, a.delete)
}

// narrow finds the row of list for which the node refused a statement with the error v,
// and returns v with the key of that row. If the statement was guarded by a savepoint,
// the transaction can continue, so narrow calls the function again, which repeats the
// statement, with each half of the list. Otherwise it returns v, and nameRefusedRow finds
// the row in another transaction.
func (a *attempt) narrow(ctx context.Context, list []numberedChange, v *table.ViolationError, guarded bool, again func(context.Context, []numberedChange) error) error {
	if v.Column != "" || len(list) == 1 || !guarded {
		return a.refusedOne(list, v)
	}
	if err := again(ctx, list[:len(list)/2]); err != nil {
		return err
	}
	return again(ctx, list[len(list)/2:])
}

// nameRefusedRow adds the key of the row that the node refuses to failed, the error of
// apply. If a statement that wrote many rows was refused, the transaction is lost and the
// row is not known. So nameRefusedRow makes the stored changes again in another
// transaction, in which every statement is guarded, until narrow finds the row or
// searchWait is over. It always rolls that transaction back.
func (a *attempt) nameRefusedRow(ctx context.Context, failed error) error {
	var v *table.ViolationError
	if !errors.As(failed, &v) || ctx.Err() != nil {
		return failed
	}
	a.tx.Close()
	ctx, cancel := context.WithTimeout(ctx, searchWait)
	defer cancel()
	tx, err := a.node.BeginRepair(ctx, a.target.Write.Access())
	if err != nil {
		return failed
	}
	defer tx.Close()

	search := &attempt{unitRun: a.unitRun, number: a.number, tx: tx, kept: a.kept, narrows: true}
	if err := search.repeat(ctx); err != nil && search.named {
		return err
	}
	return failed
}

// repeat applies the changes for nameRefusedRow, which rolls the transaction back
// afterwards.
func (a *attempt) repeat(ctx context.Context) error {
	if err := acquireRepairLock(ctx, a.tx, a.plan, a.target.Node, a.lockWait); err != nil {
		return err
	}
	if err := a.tx.Hold(ctx, a.target.Write.Source); err != nil {
		return err
	}
	if err := a.setTriggers(ctx); err != nil {
		return err
	}
	a.tx.GuardWrites()
	return a.withSearchPath(ctx, a.apply)
}

func (a *attempt) updates(ctx context.Context) error {
	if a.totals.Updated == 0 {
		return nil
	}
	return a.windows(ctx, brief(only(opUpdate)), func(list []numberedChange) error {
		for _, group := range sameColumns(list) {
			if err := a.update(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameColumns groups updates that set the same columns.
func sameColumns(list []numberedChange) [][]numberedChange {
	var groups [][]numberedChange
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

// update applies updates that set the same columns. It replaces (see replace) the rows
// that cannot be updated, and those whose update the node refuses because of a unique
// value.
func (a *attempt) update(ctx context.Context, list []numberedChange) error {
	columns := list[0].Columns
	if slices.ContainsFunc(columns, func(at int) bool { return a.target.Columns[at].Identity }) {
		return a.replace(ctx, list, "an identity column that is GENERATED ALWAYS cannot be updated")
	}
	guarded := a.narrows || slices.ContainsFunc(columns, func(at int) bool { return a.target.Columns[at].Unique })

	rows := make([]table.Row, len(list))
	for i, c := range list {
		rows[i] = c.After
	}

	err := a.tx.Update(ctx, a.target.Write, columns, keysOf(list), rows, guarded)
	var v *table.ViolationError
	if !errors.As(err, &v) {
		return err
	}
	if !v.Unique {
		return a.narrow(ctx, list, v, guarded, a.update)
	}
	if !guarded {
		return a.refusedOne(list, v)
	}

	if len(list) == 1 || a.replacements > exactReplacements {
		return a.replace(ctx, list, fmt.Sprintf("another row holds a value that must be unique by constraint %q", v.Constraint))
	}

	if err := a.update(ctx, list[:len(list)/2]); err != nil {
		return err
	}
	return a.update(ctx, list[len(list)/2:])
}

// refusedOne returns v, the error of a statement that wrote the rows of list. If it is
// known which of these rows the node refused, refusedOne adds the key of this row.
func (a *attempt) refusedOne(list []numberedChange, v *table.ViolationError) error {
	if v.Column != "" && v.Place < len(list) {
		return a.target.withEncodings(a.refused(v, list[v.Place].Key))
	}
	if len(list) == 1 {
		return a.refused(v, list[0].Key)
	}
	return v
}

// refused adds key, the key of the refused row, to the error v, and sets a.named.
func (a *attempt) refused(v *table.ViolationError, key table.Key) error {
	a.named = true
	return v.Of(key)
}

// withEncodings adds the encodings of source and target to err, if they differ. err is
// about a value that the target cannot store; the encodings may explain it.
func (t *Target) withEncodings(err error) error {
	if t.Encodings == "" {
		return err
	}
	return fault.Wrap(err, fault.CodeOf(err), "%s; %s", fault.PublicMessage(err), t.Encodings)
}

// replace deletes rows, which the attempt inserts again at the end. If fire_triggers is
// set, which forbids this, replace returns an error that contains why, the reason why the
// rows cannot be updated.
func (a *attempt) replace(ctx context.Context, list []numberedChange, why string) error {
	if a.plan.FireTriggers {
		return fault.New(fault.Invalid, "node %q: the row with the key %s would have to be deleted and inserted again, which fire_triggers=true does not allow: %s",
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
	return a.windows(ctx, whole(inserted), func(list []numberedChange) error {
		for _, group := range sameLength(list) {
			if err := a.insert(ctx, group); err != nil {
				return err
			}
		}
		return nil
	})
}

// sameLength groups rows that have the same number of columns, and therefore the same
// columns: rows that are inserted again have all columns, and new rows have only the
// columns that the source has too.
func sameLength(list []numberedChange) [][]numberedChange {
	var groups [][]numberedChange
	for _, c := range list {
		i := slices.IndexFunc(groups, func(g []numberedChange) bool { return len(g[0].row()) == len(c.row()) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], c)
	}
	return groups
}

// insert inserts rows that have the same columns. If the node refuses the statement,
// insert halves the list until it finds the refused row.
func (a *attempt) insert(ctx context.Context, list []numberedChange) error {
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

// refusedInsert returns why the node refused a row. If the reason is a unique value and a
// row with the same key exists now, this row appeared after the decision, and the attempt
// must be repeated. Otherwise refusedInsert returns the node's error. It also does so if
// the node may treat two different keys as equal (ByText), because then this repair
// itself may have inserted the existing row.
func (a *attempt) refusedInsert(ctx context.Context, key table.Key, v *table.ViolationError) error {
	if !v.Unique || a.target.ByText {
		return a.refused(v, key)
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
		return a.refused(v, key)
	}
	return rowAppearedError(a.target.Node, key)
}

// windows calls fn with the stored changes that d decodes, one window at a time, and
// stores the progress. It stops before the next window if ctx has ended.
func (a *attempt) windows(ctx context.Context, d decoding, fn func([]numberedChange) error) error {
	return eachWindow(ctx, a.store, a.totals.Parts, d, func(list []numberedChange) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		a.processed += int64(len(list))
		parts := a.target.Keys.Parts
		m := a.totals.decidedProgress(parts)
		// Each change counts twice: when it is applied, and when it is read back.
		m.Blocks += int(int64(parts) * a.processed / (2 * max(1, a.totals.changes())))
		a.storeProgress(ctx, m)
		return fn(list)
	})
}
