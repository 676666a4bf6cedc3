package tablerepair

import (
	"context"

	"ace/shared/table"
)

// absentAtOnce is how many keys one scan of a table looks for.
const absentAtOnce = 50_000

// absences are keys that the index of a node leads to no row of. What is decided from that would be
// wrong if the index missed rows: a row would be deleted that the source has, or inserted twice.
type absences struct {
	source, node []table.Key
}

// noteAbsent notes where a key has no row, if something follows from that. It notes none of a large
// table: to search that takes minutes, in which the rows of the target are locked. There the
// comparison has looked for rows that the index misses.
func (d *decider) noteAbsent(key table.Key, want, have table.Row) {
	if want == nil && !d.plan.UpsertOnly && !d.plan.InsertOnly && d.target.SmallSource {
		d.absent.source = append(d.absent.source, key)
	}
	if have == nil && d.target.SmallTarget {
		d.absent.node = append(d.absent.node, key)
	}
}

// checkAbsent makes sure that the rows noted are not in the tables, once there are many, or at the end.
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
