package tablerepair

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
)

// checkDeletions looks at the source once more, in a new snapshot, and keeps rows whose keys it has by
// now. See the package's comment for why.
func (a *attempt) checkDeletions(ctx context.Context, source Source) error {
	if source == nil || a.totals.Deleted == 0 {
		return nil
	}
	before := a.totals.Skipped
	err := eachWindow(ctx, a.store, a.totals.Parts, only(opDelete), func(list []placed) error {
		return a.keepFound(ctx, source, list)
	})
	if n := a.totals.Skipped - before; n > 0 {
		a.totals.Warnings = append(a.totals.Warnings, keptRows(a.target.Node, n))
	}
	return cmp.Or(err, source.Renew(ctx))
}

// keepFound keeps the rows whose keys the source has, unless replication is bringing them.
func (a *attempt) keepFound(ctx context.Context, source Source, list []placed) error {
	keysOnly := a.target.Read
	keysOnly.Columns = keysOnly.Key
	stream, err := source.Rows(ctx, keysOnly, keysOf(list))
	if err != nil {
		return err
	}
	var found []placed
	if err := places(stream, func(at int) { found = append(found, list[at]) }); err != nil || len(found) == 0 {
		return err
	}
	since := make([]bool, len(found))
	if a.unit.Applied != "" {
		if since, err = source.WrittenSince(ctx, a.target.Read, keysOf(found), a.unit.Applied); err != nil {
			return err
		}
	}
	for i, c := range found {
		if !since[i] {
			a.kept.Add(c.at)
			a.totals.undo(0, 1)
		}
	}
	return nil
}

func keptRows(node string, n int64) string {
	return fmt.Sprintf("node %s: %d rows that were to be deleted came to the source of truth meanwhile, and were left as they are: repair again if replication does not bring them", node, n)
}

// lookAgain takes back insertions of rows that the source has written meanwhile. A row that is not there cannot be locked: a
// change that the source made to it may have come to the target before the row was inserted, found nothing, and been
// lost; or it was itself inserted there, and what brings it stops at a row that is there already. Once it is inserted,
// whoever brings a change waits for our end: what the source still has is right.
func (a *attempt) lookAgain(ctx context.Context, source Source) error {
	if source == nil || a.totals.Inserted == 0 {
		return nil
	}
	if err := a.awaitReturn(ctx); err != nil { // a row that came and went on the target since the locks is on its way, too
		return err
	}
	before := a.totals.Skipped
	err := eachWindow(ctx, a.store, a.totals.Parts, only(opInsert), func(list []placed) error {
		same, err := a.unwritten(ctx, source, list)
		if err != nil {
			return err
		}
		var others []placed
		for i, c := range list {
			if !same[i] {
				others = append(others, c)
			}
		}
		return a.withdraw(ctx, others)
	})
	if n := a.totals.Skipped - before; n > 0 {
		a.totals.Warnings = append(a.totals.Warnings, leftOut(a.target.Node, n))
	}
	return err
}

func leftOut(node string, n int64) string {
	return fmt.Sprintf("node %s: %d rows were written at the source of truth while they were inserted, and left out: repair again if replication does not bring them", node, n)
}

// unwritten says which rows are at the source as they were when that was decided, and have nothing on its way to the target.
func (a *attempt) unwritten(ctx context.Context, source Source, list []placed) ([]bool, error) {
	rows, err := a.readAgain(ctx, source, list)
	if err != nil {
		return nil, err
	}
	since := make([]bool, len(list))
	if a.unit.Applied != "" {
		if since, err = source.WrittenSince(ctx, a.target.Read, keysOf(list), a.unit.Applied); err != nil {
			return nil, err
		}
	}
	same := make([]bool, len(list))
	for i, c := range list {
		same[i] = !since[i] && slices.EqualFunc(rows[i], c.After, table.SameValue)
	}
	return same, nil
}

// readAgain gives the source's rows as the target would have them; nil where there is none.
func (a *attempt) readAgain(ctx context.Context, source Source, list []placed) ([]table.Row, error) {
	stream, err := source.Rows(ctx, a.target.Read, keysOf(list))
	if err != nil {
		return nil, err
	}
	found, rows := &lookahead{stream: stream}, make([]table.Row, len(list))
	for i := range list {
		if rows[i], err = found.at(i); err != nil {
			break
		}
	}
	if closing := stream.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return rows, convert(ctx, a.tx, a.target, keysOf(list), rows)
}

// withdraw deletes rows that were inserted: they are not there, as before.
func (a *attempt) withdraw(ctx context.Context, list []placed) error {
	if len(list) == 0 {
		return nil
	}
	if a.plan.FireTriggers {
		return fault.New(fault.Unavailable, "node %q: the row with the key %s was written at the source of truth, node %q, while it was inserted",
			a.target.Node, list[0].Key, a.plan.Source)
	}
	for _, c := range list {
		a.withdrawn.Add(c.at)
	}
	a.totals.undo(int64(len(list)), 0)
	return a.tx.Delete(ctx, a.target.Write, keysOf(list))
}

// undo counts rows as skipped that were counted as inserted or deleted.
func (t *Totals) undo(inserted, deleted int64) {
	t.Inserted -= inserted
	t.Deleted -= deleted
	t.Skipped += inserted + deleted
}
