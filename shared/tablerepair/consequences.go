package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

const (
	// checkedPerQuery is the maximum number of changed rows for which one query checks a
	// foreign key.
	checkedPerQuery = 5_000
	// checkedPerDryRun is the maximum number of changes for which a dry run checks a foreign
	// key.
	checkedPerDryRun = 10_000
	// checkWait bounds the time for checking all foreign keys of the table on one node.
	checkWait = 30 * time.Second
)

// consequences collects what the changes of a target leave inconsistent. A repair that
// disables triggers enforces no foreign key, so rows may violate one. No repair advances
// a sequence, so a sequence may have yet to return a written value. It holds a bounded
// number of rows.
type consequences struct {
	target   *Target
	dry      bool
	keys     []keyCheck // one for each foreign key that can be checked
	furthest []int64    // for each sequence of the target: the written value that it would return last
	passed   []bool     // for each sequence: whether it has yet to return a written value
}

// keyCheck is the check of one foreign key.
type keyCheck struct {
	key     table.ForeignKey
	at      []int       // the indexes of the foreign key's columns in the target's columns
	rows    []table.Row // the values of these columns in changed rows, still to be checked
	changes int64       // number of changes that make a check necessary
	orphans int64       // number of rows that violate the foreign key because of these changes
	failed  error       // why the foreign key could not be checked
}

func newConsequences(t *Target, dry bool) *consequences {
	c := &consequences{target: t, dry: dry, furthest: make([]int64, len(t.Sequences)), passed: make([]bool, len(t.Sequences))}
	for _, key := range t.ForeignKeys {
		check := keyCheck{key: key}
		for _, name := range key.Columns {
			check.at = append(check.at, t.place(name))
		}
		// A dry run does not check a foreign key from the table to itself: a row may refer to a
		// row that the same repair will write or delete.
		if !slices.Contains(check.at, -1) && (!dry || !key.Self) {
			c.keys = append(c.keys, check)
		}
	}
	return c
}

// observe records a decided change: whether it writes a value that a sequence has yet to
// return and, in a dry run, the values for which foreign keys must be checked. A repair
// that is not a dry run collects the values for the foreign keys only after COMMIT
// (checkCommitted).
func (c *consequences) observe(change change) {
	for i, s := range c.target.Sequences {
		at := c.target.place(s.Column)
		if at < 0 || change.Op != opInsert && !change.updates(at) {
			continue
		}
		row := change.row()
		if at >= len(row) || row[at] == nil {
			continue
		}
		value, err := strconv.ParseInt(*row[at], 10, 64)
		if err != nil || !s.Passed(value) {
			continue
		}
		if !c.passed[i] || s.Increment > 0 && value > c.furthest[i] || s.Increment < 0 && value < c.furthest[i] {
			c.furthest[i] = value
		}
		c.passed[i] = true
	}

	if !c.dry {
		return
	}
	for i := range c.keys {
		if len(c.keys[i].rows) < checkedPerDryRun {
			c.keys[i].collect(change)
		}
	}
}

// collect adds the values for which a change makes a check of the foreign key necessary:
// the values that the change writes or, if the foreign key is incoming, the values that
// it removes. It adds nothing if the change leaves the columns of the foreign key as they
// are.
func (k *keyCheck) collect(c change) {
	row := c.row()
	if k.key.Incoming {
		row = c.Before
	}
	switch {
	case c.Op == opInsert && k.key.Incoming, c.Op == opDelete && !k.key.Incoming:
		return
	case c.Op == opUpdate && !c.updates(k.at...):
		return
	case slices.Max(k.at) >= len(row):
		return
	}
	k.changes++
	if !k.key.Hidden {
		k.rows = append(k.rows, pick(row, k.at))
	}
}

// dependsOn reports whether any of the counted changes may make a check of the foreign
// key necessary.
func (k *keyCheck) dependsOn(totals Totals) bool {
	if k.key.Incoming {
		return totals.Updated+totals.Deleted > 0
	}
	return totals.Updated+totals.Inserted > 0
}

// check counts the rows that violate the foreign key because of the collected changes,
// and removes these changes from the list. dry means that the changes have not been made.
func (k *keyCheck) check(ctx context.Context, node Source, t *Target, dry bool) {
	for part := range slices.Chunk(k.rows, checkedPerQuery) {
		if k.failed != nil {
			break
		}
		var n int64
		n, k.failed = node.Orphans(ctx, t.Write, k.key, k.at, part, dry)
		k.orphans += n
	}
	k.rows = nil
}

// predict checks the foreign keys for the changes that a dry run has collected.
func (c *consequences) predict(ctx context.Context, node Source) {
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	for i := range c.keys {
		c.keys[i].check(ctx, node, c.target, true)
	}
}

// checkCommitted checks the foreign keys after the attempt was committed, in another
// transaction: a check that fails or takes too long must not undo the repair.
func (a *attempt) checkCommitted(ctx context.Context) {
	c := a.after
	if c == nil || len(c.keys) == 0 || a.totals.changes() == 0 {
		return
	}
	a.tx.Close() // the transaction was committed, and the checks need its connection
	ctx, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()

	node, err := a.node.Begin(ctx, a.target.Write.Access())
	if err == nil {
		defer node.Close()
		err = eachWindow(ctx, a.store, a.totals.Parts, whole(all), func(list []numberedChange) error {
			for _, change := range list {
				if a.withdrawn.Has(change.at) || a.kept.Has(change.at) {
					continue
				}
				for i := range c.keys {
					c.keys[i].collect(change.change)
				}
			}
			return c.checkFull(ctx, node, checkedPerQuery)
		})
	}
	collected := err == nil
	if collected {
		err = c.checkFull(ctx, node, 1)
	}
	for i := range c.keys {
		// If not all changes were collected, any of them may make a check necessary.
		if k := &c.keys[i]; len(k.rows) > 0 || !collected && k.dependsOn(a.totals) {
			k.failed = cmp.Or(k.failed, err)
		}
	}
}

// checkFull checks each foreign key for which observe or collect has added at least the
// given number of rows. It returns the error of the first check that fails, because the
// transaction of node cannot continue after an error.
func (c *consequences) checkFull(ctx context.Context, node Source, rows int) error {
	for i := range c.keys {
		k := &c.keys[i]
		if len(k.rows) < rows {
			continue
		}
		if k.check(ctx, node, c.target, false); k.failed != nil {
			return k.failed
		}
	}
	return nil
}

// errInterrupted is the reason why foreign keys count as not checked if an attempt was
// committed but interrupted before it stored its outcome.
var errInterrupted = fault.New(fault.Unavailable, "the repair was interrupted after COMMIT")

// uncheckedKeys returns the warnings about the foreign keys of a target whose attempt was
// interrupted after COMMIT. totals counts the changes of the attempt.
func uncheckedKeys(t *Target, totals Totals) []string {
	c := newConsequences(t, false)
	for i := range c.keys {
		if k := &c.keys[i]; k.dependsOn(totals) {
			k.failed = errInterrupted
		}
	}
	return c.keyWarnings()
}

// keyWarnings returns a warning for each foreign key that is violated or was not checked,
// with a statement that lists the rows that violate it.
func (c *consequences) keyWarnings() (list []string) {
	if c == nil {
		return nil
	}
	for _, k := range c.keys {
		if text := k.warning(c.dry); text != "" {
			list = append(list, "node "+c.target.Node+": "+text)
		}
	}
	return list
}

// sequenceWarnings returns a warning for each sequence that has yet to return a written
// value, with a statement that advances it. The list is complete only after observe was
// called with all changes.
func (c *consequences) sequenceWarnings(relation string) (list []string) {
	if c == nil {
		return nil
	}
	for i, s := range c.target.Sequences {
		if !c.passed[i] {
			continue
		}
		state := "the role may not read it"
		if s.Last != nil {
			state = fmt.Sprintf("it has returned values up to %d", *s.Last)
		}
		written := fmt.Sprintf("%s up to %d", c.tense("values were written", "values would be written"), c.furthest[i])
		if at := c.target.place(s.Column); at >= 0 && c.target.Columns[at].Redacted {
			written = c.tense("further values were written", "further values would be written")
		}
		list = append(list, fmt.Sprintf("node %s: sequence %s of column %q does not follow the repair: %s, and %s; insertions that use it may fail until you run: %s",
			c.target.Node, s.Name, s.Column, state, written, s.Remedy(relation)))
	}
	return list
}

func (c *consequences) tense(past, conditional string) string {
	if c.dry {
		return conditional
	}
	return past
}

// other returns the table at the other end of a foreign key.
func other(f table.ForeignKey) string {
	if f.Incoming {
		return f.Referring
	}
	return f.Referenced
}

func (k *keyCheck) warning(dry bool) string {
	f := k.key
	name := fmt.Sprintf("foreign key %q of %s", f.Name, table.WithoutOnly(f.Referring))
	switch {
	case k.changes == 0 && k.failed == nil:
		return ""
	case f.Hidden:
		return fmt.Sprintf("%s was not checked, because the role may not read %s; this lists the rows that violate it: %s", name, table.WithoutOnly(other(f)), f.Query())
	case errors.Is(k.failed, errInterrupted):
		return fmt.Sprintf("%s may not have been checked: %s; this lists the rows that violate it: %s", name, fault.PublicMessage(k.failed), f.Query())
	case k.failed != nil:
		return fmt.Sprintf("%s was not checked: %s; this lists the rows that violate it: %s", name, fault.PublicMessage(k.failed), f.Query())
	case k.orphans == 0:
		return ""
	}

	what := fmt.Sprintf("%d written rows refer to rows that %s lacks", k.orphans, table.WithoutOnly(f.Referenced))
	switch {
	case f.Incoming && dry:
		what = fmt.Sprintf("%d rows refer to rows that the repair would delete or change", k.orphans)
	case f.Incoming:
		what = fmt.Sprintf("%d rows refer to rows that the repair deleted or changed", k.orphans)
	case dry:
		what = fmt.Sprintf("%d rows that would be written refer to rows that %s lacks", k.orphans, table.WithoutOnly(f.Referenced))
	}
	return fmt.Sprintf("%s: %s, because foreign keys do not fire in a repair; this lists all such rows: %s", name, what, f.Query())
}
