package tablerepair

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
)

// recheckDeletions reads the source again in a new snapshot. It cancels the deletion of
// rows whose keys the source has now. The package comment explains why.
func (a *attempt) recheckDeletions(ctx context.Context, source Source) error {
	if source == nil || a.totals.Deleted == 0 {
		return nil
	}
	before := a.totals.Skipped
	err := eachWindow(ctx, a.store, a.totals.Parts, brief(only(opDelete)), func(list []numberedChange) error {
		return a.keepFound(ctx, source, list)
	})
	if n := a.totals.Skipped - before; n > 0 {
		a.totals.Warnings = append(a.totals.Warnings, keptWarning(a.plan, a.target.Node, n))
	}
	return cmp.Or(err, source.Renew(ctx))
}

// keepFound cancels the deletion of rows whose keys the source has, unless replication is
// about to insert the source's row on the target. Replication can insert it only after
// the target's row has been deleted.
func (a *attempt) keepFound(ctx context.Context, source Source, list []numberedChange) error {
	if w, ok := source.(*winners); ok {
		return a.keepChanged(ctx, w, list)
	}
	keysOnly := a.target.Read
	keysOnly.Columns = keysOnly.Key
	stream, err := source.Rows(ctx, keysOnly, keysOf(list))
	if err != nil {
		return err
	}
	var found []numberedChange
	if err := eachPlace(stream, func(at int) { found = append(found, list[at]) }); err != nil || len(found) == 0 {
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
			a.totals.countSkipped(0, 1)
		}
	}
	return nil
}

// keepChanged cancels the deletion of rows of which another node has another version than
// when the deletion was decided.
func (a *attempt) keepChanged(ctx context.Context, w *winners, list []numberedChange) error {
	changed, err := w.changedElsewhere(ctx, list)
	for i, node := range changed {
		if node != "" {
			a.kept.Add(list[i].at)
			a.totals.countSkipped(0, 1)
			a.totals.nameChanged(list[i].Key, node)
		}
	}
	return err
}

func keptWarning(p *Plan, node string, n int64) string {
	if p.byRule() {
		return fmt.Sprintf("node %s: %d rows were not deleted, since other nodes changed them during the repair: compare again", node, n)
	}
	return fmt.Sprintf("node %s: %d rows were not deleted, since the source of truth has them by now: repair again if replication does not update them", node, n)
}

// recheckInsertions undoes the insertion of rows that the source has written since the
// decision. A row that does not exist cannot be locked. So the source may have updated
// the row, and the replicated update found no row on the target and was lost. Or the
// source may have inserted the row, and the replicated insertion would stop at a row that
// already exists. Once this attempt has inserted the row, every replicated change to it
// waits for the end of this transaction. So if the source still has the row unchanged at
// that time, the insertion is right.
func (a *attempt) recheckInsertions(ctx context.Context, source Source) error {
	if source == nil || a.totals.Inserted == 0 {
		return nil
	}

	// A client may have inserted one of these rows on the target and deleted it after the
	// rows were locked. The source must have received both changes before it is read again.
	if err := a.awaitSource(ctx); err != nil {
		return err
	}

	before := a.totals.Skipped
	err := eachWindow(ctx, a.store, a.totals.Parts, brief(only(opInsert)), func(list []numberedChange) error {
		same, err := a.unchangedAtSource(ctx, source, list)
		if err != nil {
			return err
		}
		var others []numberedChange
		for i, c := range list {
			if !same[i] {
				others = append(others, c)
			}
		}
		return a.withdraw(ctx, others)
	})

	if n := a.totals.Skipped - before; n > 0 {
		a.totals.Warnings = append(a.totals.Warnings, withdrawnWarning(a.plan, a.target.Node, n))
	}
	return err
}

func withdrawnWarning(p *Plan, node string, n int64) string {
	if p.byRule() {
		return fmt.Sprintf("node %s: %d rows were not inserted, since other nodes wrote them during the repair: compare again", node, n)
	}
	return fmt.Sprintf("node %s: %d rows were not inserted, since the source of truth wrote them during the repair: repair again if replication does not bring them", node, n)
}

// unchangedAtSource reports, for each row of list, whether two conditions are met. The
// source's row must still be the one that the decision has read. And the target must have
// received every change of it: the row must not have been written after the snapshot
// Applied of the unit, if there is such a snapshot.
func (a *attempt) unchangedAtSource(ctx context.Context, source Source, list []numberedChange) ([]bool, error) {
	if w, ok := source.(*winners); ok {
		return a.unchangedElsewhere(ctx, w, list)
	}
	same, err := a.sameAtSource(ctx, source, list)
	if err != nil {
		return nil, err
	}
	since := make([]bool, len(list))
	if a.unit.Applied != "" {
		if since, err = source.WrittenSince(ctx, a.target.Read, keysOf(list), a.unit.Applied); err != nil {
			return nil, err
		}
	}
	for i := range list {
		same[i] = same[i] && !since[i]
	}
	return same, nil
}

// unchangedElsewhere reports, for each row of list, whether all other nodes still have
// the version that was seen when the insertion was decided, or the inserted one.
func (a *attempt) unchangedElsewhere(ctx context.Context, w *winners, list []numberedChange) ([]bool, error) {
	changed, err := w.changedElsewhere(ctx, list)
	same := make([]bool, len(list))
	for i, node := range changed {
		if same[i] = node == ""; !same[i] {
			a.totals.nameChanged(list[i].Key, node)
		}
	}
	return same, err
}

// sameAtSource reports, for each row, whether the source still has it as the decision
// read it. It compares digests, and then the texts of the rows whose digests differ.
func (a *attempt) sameAtSource(ctx context.Context, source Source, list []numberedChange) ([]bool, error) {
	same := make([]bool, len(list))
	if a.target.ReadDigest != "" {
		s := a.target.Read
		s.Digest = a.target.ReadDigest
		digests, err := source.Digests(ctx, s, keysOf(list))
		if err != nil {
			return nil, err
		}
		for i, c := range list {
			same[i] = c.hasDigest(digests[i])
		}
	}

	var others []numberedChange
	var places []int
	for i, c := range list {
		if !same[i] {
			others, places = append(others, c), append(places, i)
		}
	}
	if len(others) == 0 {
		return same, nil
	}
	rows, err := a.rereadSource(ctx, source, others)
	if err != nil {
		return nil, err
	}
	for i, c := range others {
		same[places[i]] = slices.EqualFunc(rows[i], c.After, table.SameValue)
	}
	return same, nil
}

// rereadSource reads the source's rows for the keys of list again. It returns them as the
// target would store them (see convert); an element is nil if the source has no such row.
func (a *attempt) rereadSource(ctx context.Context, source Source, list []numberedChange) ([]table.Row, error) {
	stream, err := source.Rows(ctx, a.target.Read, keysOf(list))
	if err != nil {
		return nil, err
	}
	rows := make([]table.Row, len(list))
	err = eachRow(stream, len(list), func(i int, row table.Row) error {
		rows[i] = row
		return nil
	})
	if err != nil {
		return nil, err
	}
	_, err = convert(ctx, a.tx, a.target, keysOf(list), rows)
	return rows, err
}

// withdraw undoes insertions by deleting the inserted rows. These deletions fire the
// triggers that are enabled ALWAYS or for REPLICA. With fire_triggers, withdraw returns
// an error instead, so the whole attempt is rolled back and repeated.
func (a *attempt) withdraw(ctx context.Context, list []numberedChange) error {
	if len(list) == 0 {
		return nil
	}
	if a.plan.FireTriggers {
		where := fmt.Sprintf("at the source of truth, node %q,", a.plan.Source)
		if a.plan.byRule() {
			where = "on another node"
		}
		return fault.New(fault.Unavailable, "node %q: the row with the key %s was written %s during the repair", a.target.Node, list[0].Key, where)
	}
	for _, c := range list {
		a.withdrawn.Add(c.at)
	}
	a.totals.countSkipped(int64(len(list)), 0)
	return a.withSearchPath(ctx, func(ctx context.Context) error {
		return a.tx.Delete(ctx, a.target.Write, keysOf(list))
	})
}

// countSkipped moves rows from the counts of insertions and deletions to the count of
// skipped rows.
func (t *Totals) countSkipped(inserted, deleted int64) {
	t.Inserted -= inserted
	t.Deleted -= deleted
	t.Skipped += inserted + deleted
}
