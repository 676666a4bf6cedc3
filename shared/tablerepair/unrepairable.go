package tablerepair

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/table"
)

// A row is unrepairable if it differs from the row at the source of truth (in an undo,
// from the before-image) whatever a repair writes. There are three reasons: the target
// generates the column, its type writes the value in another way, or a trigger changes
// what the repair writes. A comparison will report such a row again, so a repair never
// counts it as unchanged.

// lostValues holds the source's values that the target stores with another text, by the
// index of the row and then of the column.
type lostValues map[int]map[int]*string

func (l lostValues) add(row, column int, value *string) {
	if l[row] == nil {
		l[row] = map[int]*string{}
	}
	l[row][column] = value
}

// unrepairableColumns returns the indexes of the columns in which a row that is not
// written differs from the source's row.
func (d *decider) unrepairableColumns(want, have table.Row, lost map[int]*string) []int {
	var columns []int
	for i, c := range d.target.Columns[:d.target.Common] {
		_, isLost := lost[i]
		if !c.Ignored && (isLost || !table.SameValue(want[i], have[i])) {
			columns = append(columns, i)
		}
	}
	return columns
}

// unstorable returns the source's values that the target may not be able to store: the
// values of want in generated columns, and the values in lost. If want is nil, it returns
// only the values in lost.
func (d *decider) unstorable(want table.Row, lost map[int]*string) (columns []int, values table.Row) {
	for i, c := range d.target.Columns[:d.target.Common] {
		value, isLost := lost[i]
		switch {
		case c.Ignored:
			continue
		case isLost:
		case want != nil && !c.Written:
			value = want[i]
		default:
			continue
		}
		columns = append(columns, i)
		values = append(values, value)
	}
	return columns, values
}

// untouched counts a row that is not written. columns are the indexes of the columns in
// which it differs; if there are none, the row counts as unchanged.
func (d *decider) untouched(key table.Key, columns []int) {
	if len(columns) == 0 {
		d.totals.Unchanged++
		return
	}
	d.totals.UnrepairableUnwritten++
	d.totals.nameUnrepairable(d.target, key, columns)
}

// predict counts, in a dry run, a row that a repair would write, if it is already known
// that the row would still differ from the wanted row after that. A repair counts such
// rows when it reads them back (verify). predict ignores generated columns, because the
// values that the node would generate are not known.
func (d *decider) predict(c change) {
	if !d.plan.DryRun || c.Op == opDelete {
		return
	}
	columns := d.target.unrepairableAfter(c, c.row())
	columns = slices.DeleteFunc(columns, func(at int) bool { return !d.target.Columns[at].Written })
	if len(columns) > 0 {
		d.totals.UnrepairableWritten++
		d.totals.nameUnrepairable(d.target, c.Key, columns)
	}
}

// unrepairableAfter returns the indexes of the columns in which row, the target's row
// after the change c, differs from the row that was wanted. If only one of the two rows
// exists, it returns all columns.
func (t *Target) unrepairableAfter(c change, row table.Row) []int {
	want := c.row()
	if row == nil && want == nil {
		return nil
	}
	wanted := map[int]*string{}
	for i, at := range c.WantedColumns {
		wanted[at] = c.Wanted[i]
	}

	var columns []int
	for i, column := range t.Columns[:t.Common] {
		if column.Ignored {
			continue
		}
		if row == nil || want == nil {
			columns = append(columns, i)
			continue
		}
		value, known := wanted[i]
		if !known {
			value = want[i]
		}
		// For an update, want has the old values of generated columns, which are not wanted
		// values.
		known = known || column.Written || c.Op == opInsert
		if known && !table.SameValue(row[i], value) {
			columns = append(columns, i)
		}
	}
	return columns
}

// nameUnrepairable records the key of a row that differs, unless leftKeys keys are
// recorded already, and the names of the columns in which it differs.
func (t *Totals) nameUnrepairable(target *Target, key table.Key, columns []int) {
	if len(t.UnrepairableKeys) < leftKeys {
		t.UnrepairableKeys = append(t.UnrepairableKeys, key)
	}
	for _, at := range columns {
		if name := target.Columns[at].Name; !slices.Contains(t.UnrepairableColumns, name) {
			t.UnrepairableColumns = append(t.UnrepairableColumns, name)
		}
	}
}

// Unrepairable returns the number of rows that cannot be made equal.
func (t *Totals) Unrepairable() int64 { return t.UnrepairableUnwritten + t.UnrepairableWritten }

// unrepairableRows are the written rows that still differ from the wanted rows. They are
// stored in the footer of the part of altered rows, so that they are known even if the
// response to COMMIT is lost.
type unrepairableRows struct {
	Count   int64       `json:"unequal,omitempty"`
	Keys    []table.Key `json:"keys,omitempty"`
	Columns []string    `json:"columns,omitempty"`
}

// addUnrepairable adds the written rows that still differ to the totals of the decisions.
func (t *Totals) addUnrepairable(rows unrepairableRows) {
	t.UnrepairableWritten += rows.Count
	t.UnrepairableKeys = append(t.UnrepairableKeys, rows.Keys[:min(len(rows.Keys), leftKeys-len(t.UnrepairableKeys))]...)
	for _, name := range rows.Columns {
		if !slices.Contains(t.UnrepairableColumns, name) {
			t.UnrepairableColumns = append(t.UnrepairableColumns, name)
		}
	}
}

// unrepairableWarning returns a warning that states why rows of a target differ after the
// repair, or an empty string if there are no such rows.
func (p *Plan) unrepairableWarning(t *Target, totals *Totals) string {
	if totals.Unrepairable() == 0 {
		return ""
	}
	var reasons []string
	for _, name := range totals.UnrepairableColumns {
		reasons = append(reasons, t.unrepairableReason(name))
	}
	slices.Sort(reasons)

	from := fmt.Sprintf("from those of the source of truth, node %s", p.Source)
	if p.byRule() {
		from = "from those that the rule chose"
	}
	if p.Undoes != "" {
		from = "from the rows before the repair"
	}
	differ := "differ"
	if p.DryRun {
		differ = "will differ"
	}
	return fmt.Sprintf("node %s: %d rows are unrepairable: they %s %s even after this task, in %s",
		t.Node, totals.Unrepairable(), differ, from, strings.Join(reasons, ", "))
}

// unrepairableReason names a column and states why its value cannot be made equal.
func (t *Target) unrepairableReason(name string) string {
	at := t.place(name)
	switch {
	case at < 0:
		return fmt.Sprintf("column %q", name)
	case !t.Columns[at].Written:
		return fmt.Sprintf("column %q (generated there)", name)
	case t.Columns[at].Convert != "":
		return fmt.Sprintf("column %q (its type there is %s)", name, t.Columns[at].Type)
	}
	return fmt.Sprintf("column %q (a trigger changes it)", name)
}
