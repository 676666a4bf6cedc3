package tablerepair

import (
	"context"

	"ace/shared/table"
)

// absentAtOnce is the number of keys that one scan of a table searches for.
const absentAtOnce = 50_000

// absences holds the keys for which an index finds no row: source has the keys that the
// source's index does not find, and node has the keys that the target's index does not
// find. If an index missed a row that exists, the decision would be wrong: the repair
// would delete a row that the source has, or insert a row that the target has.
type absences struct {
	source, node []table.Key
}

// noteAbsent records a key without a row if a decision relies on the row's absence. It
// records no keys for a large table, because a scan of it takes minutes, during which the
// target's rows are locked. For large tables the repair relies on the comparison, which
// has searched for rows that the index misses. In a large table a rerun has searched only
// for keys that no node seemed to have.
func (d *decider) noteAbsent(key table.Key, want, have table.Row) {
	if want == nil && !d.plan.UpsertOnly && !d.plan.InsertOnly && d.target.SmallSource {
		d.absent.source = append(d.absent.source, key)
	}
	if have == nil && d.target.SmallTarget {
		d.absent.node = append(d.absent.node, key)
	}
}

// checkAbsent checks that the tables have no rows for the recorded keys. It scans a table
// when many keys are recorded. After the last key, the caller must call checkAbsent with
// end set, so that it scans for the remaining keys too.
func (d *decider) checkAbsent(ctx context.Context, end bool) error {
	if len(d.absent.source) >= absentAtOnce || end && len(d.absent.source) > 0 {
		if err := d.source.CheckAbsent(ctx, d.target.Read, d.absent.source); err != nil {
			return err
		}
		d.absent.source = nil
	}
	if len(d.absent.node) >= absentAtOnce || end && len(d.absent.node) > 0 {
		if err := d.node.CheckAbsent(ctx, d.target.Write.Source, d.absent.node); err != nil {
			return err
		}
		d.absent.node = nil
	}
	return nil
}
