package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ace/shared/archive"
	"ace/shared/fanout"
	"ace/shared/part"
	"ace/shared/table"
)

// Worker repairs single targets. It has no state of its own.
type Worker struct {
	store  archive.Store
	nodes  Opener
	leases Leases
	// lockWait bounds how long an attempt waits for another repair of the table to end.
	// After that the attempt fails, and may be repeated.
	lockWait time.Duration
}

// NewWorker returns a worker.
func NewWorker(store archive.Store, nodes Opener, leases Leases) *Worker {
	return &Worker{store: store, nodes: nodes, leases: leases, lockWait: repairLockWait}
}

// WaitForLock sets how long an attempt waits for another repair of the table to end, and
// returns w. 0 leaves the default, 30 seconds.
func (w *Worker) WaitForLock(d time.Duration) *Worker {
	w.lockWait = cmp.Or(d, w.lockWait)
	return w
}

// Do does one unit: an attempt to repair a target, or the decisions of a dry run. If an
// attempt fails, only the settler can determine its outcome.
func (w *Worker) Do(ctx context.Context, u Unit) (Totals, error) {
	plan, err := loadPlan(ctx, w.store, u.TaskID)
	if err != nil {
		return Totals{}, err
	}
	if err := u.check(plan); err != nil {
		return Totals{}, err
	}
	j := &unitRun{store: w.store, leases: w.leases, lockWait: w.lockWait, unit: u, plan: plan}
	if u.Phase == phaseDecide {
		if j.voters, err = j.openVoters(ctx, w.nodes); err != nil {
			return Totals{}, err
		}
		return Totals{}, j.decideKeys(ctx, u.Target)
	}
	j.target = &plan.Targets[u.Target]
	if err := j.open(ctx, w.nodes); err != nil {
		return Totals{}, err
	}
	if u.Phase == phaseDryRun {
		return j.dryRun(ctx)
	}
	return j.repair(ctx)
}

// unitRun is one unit of work being done.
type unitRun struct {
	store          archive.Store
	leases         Leases
	lockWait       time.Duration
	unit           Unit
	plan           *Plan
	target         *Target
	source         Node   // nil for an undo and in a repair by rule
	voters         []Node // in a repair by rule, the nodes of Plan.Resolve.Voters
	decisions      decidedPart
	node           Node
	others         map[string]Node // opened nodes by name: source, target and those of the unit's SourceFeeds
	totals         Totals
	progressStored time.Time // when the progress was last stored
	// reached is the first row whose update would also change rows of another table, with
	// the name of the foreign key that causes this. It is nil if there is no such row.
	reached *reachedRow
	after   *consequences // nil if the table has neither foreign keys nor sequences
	// nullRow is the first row to write that has NULL in a column that is NOT NULL on the
	// target. It is nil if there is no such row.
	nullRow *nullRow
}

type nullRow struct {
	key    table.Key
	column string
}

type reachedRow struct {
	key        table.Key
	foreignKey string
}

// emitTo returns a function for a decided change. The function stores the change with r,
// records its consequences, and sets reached if the change would also change rows of
// another table, and nullRow if the target refuses a NULL.
func (j *unitRun) emitTo(ctx context.Context, r *recorder) func(change) error {
	if j.after == nil && len(j.target.ForeignKeys)+len(j.target.Sequences) > 0 {
		j.after = newConsequences(j.target, j.plan.DryRun)
	}
	return func(c change) error {
		if j.after != nil {
			j.after.observe(c)
		}
		if name := j.target.reachedBy(c); name != "" && j.reached == nil {
			j.reached = &reachedRow{c.Key, name}
		}
		if column := j.target.nullIn(c); column != "" && j.nullRow == nil {
			j.nullRow = &nullRow{c.Key, column}
		}
		return r.add(ctx, c)
	}
}

func (j *unitRun) open(ctx context.Context, nodes Opener) error {
	names := []string{j.target.Node}
	if j.plan.Source != "" {
		names = append(names, j.plan.Source)
	}
	for _, feed := range j.unit.SourceFeeds {
		names = append(names, feed.Node)
	}

	opened, err := nodes.Open(ctx, j.plan.ClusterName, j.plan.DBName, names)
	if err != nil {
		return err
	}
	for i := range opened {
		opened[i] = j.plan.bind(opened[i])
	}

	j.node = opened[0]
	j.others = map[string]Node{}
	if j.plan.Source != "" {
		j.source = opened[1]
	}
	for i, name := range names {
		j.others[name] = opened[i]
	}
	if j.plan.byRule() {
		j.voters, err = j.openVoters(ctx, nodes)
	}
	return err
}

// begin opens the source's transaction, and calls target to open the target's
// transaction. It does so in the order of the nodes in the cluster (see Target.Before).
// It returns nil for an undo, which has no source.
func (j *unitRun) begin(ctx context.Context, target func(context.Context) error) (source Source, err error) {
	if j.plan.byRule() {
		return j.beginVoters(ctx, target)
	}
	if j.source == nil {
		return nil, target(ctx)
	}
	if j.target.Before {
		if err := target(ctx); err != nil {
			return nil, err
		}
		return j.source.Begin(ctx, j.target.Read.Strict())
	}
	if source, err = j.source.Begin(ctx, j.target.Read.Strict()); err != nil {
		return nil, err
	}
	if err := target(ctx); err != nil {
		source.Close()
		return nil, err
	}
	return source, nil
}

// decideAll decides about every key of the target. locked has the locked rows of the
// target. If locked is not nil, decideAll fails if the target has a row for any other
// key.
func (j *unitRun) decideAll(ctx context.Context, source, node Reader, locked *lockedRows, r *recorder) error {
	d := newDecider(j.plan, j.target)
	d.source = source
	d.node = node
	d.locked = locked
	d.totals = &j.totals
	d.emit = j.emitTo(ctx, r)
	if d.winners, _ = source.(*winners); d.winners != nil {
		d.winners.locked = locked
	}
	return j.eachKeys(ctx, d.winners.checkOthers, func(p keyPart) error {
		if d.winners != nil {
			if err := d.winners.begin(ctx, node, p.decided); err != nil {
				return err
			}
		}
		if len(p.keys) > 0 {
			if err := d.decide(ctx, p.n, p.keys); err != nil {
				return err
			}
		}
		if err := d.checkAbsent(ctx, p.n == j.target.Keys.Parts-1); err != nil {
			return err
		}
		if err := r.endPart(ctx); err != nil {
			return err
		}
		j.storeProgress(ctx, j.totals.decidedProgress(p.n+1))
		return nil
	})
}

// keyPart is the n-th part of the target's keys. In a repair by rule it has only the keys
// for which the target is to be changed, and their decisions.
type keyPart struct {
	n       int
	keys    []table.Key
	decided decidedPart
}

// eachKeys calls fn for each part of the target's keys. While fn runs, the next part is
// read and passed to prepare.
func (j *unitRun) eachKeys(ctx context.Context, prepare func(context.Context, *keyPart) error, fn func(keyPart) error) error {
	return fanout.Ahead(ctx, func(ctx context.Context, give func(keyPart) error) error {
		for n := range j.target.Keys.Parts {
			p, err := j.readPart(ctx, n)
			if err == nil {
				err = prepare(ctx, &p)
			}
			if err == nil {
				err = give(p)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}, fn)
}

// asRead prepares nothing.
func asRead(context.Context, *keyPart) error { return nil }

func (j *unitRun) readPart(ctx context.Context, n int) (p keyPart, err error) {
	p.n = n
	if !j.plan.byRule() {
		p.keys, err = readKeys(ctx, j.store, j.plan, j.target.Keys, n)
		return p, err
	}
	p.decided, err = j.loadDecisions(ctx, n)
	p.keys = p.decided.keys()
	return p, err
}

// dryRun does a dry run: it decides what to change, in a read-only transaction. If the
// totals of an earlier dry run of this unit are stored, it returns these.
func (j *unitRun) dryRun(ctx context.Context) (Totals, error) {
	if totals, err := j.loadDryRun(ctx); err == nil || !errors.Is(err, archive.ErrNotFound) {
		return totals, err
	}

	var node Source
	source, err := j.begin(ctx, func(ctx context.Context) (err error) {
		node, err = j.node.Begin(ctx, j.target.Write.Strict())
		return err
	})
	if node != nil {
		defer node.Close()
	}
	if err != nil {
		return Totals{}, err
	}
	if source != nil {
		defer source.Close()
	}

	var r *recorder
	if j.plan.Report || j.plan.Scripts {
		r = &recorder{store: j.store, header: part.Header{TaskID: j.plan.TaskID, PlanHash: j.plan.Hash()}, totals: &j.totals,
			hasher: j.plan.rowHasher(j.target),
			name: func(n int) (string, string) {
				key := j.unit.decisionKey(n)
				return key, key
			}}
		defer r.abort()
	}

	if j.plan.Undoes != "" {
		err = j.restoreAll(ctx, node, node.Rows, r)
	} else {
		err = j.decideAll(ctx, source, node, nil, r)
	}
	if err != nil {
		return Totals{}, err
	}
	j.totals.Refused = j.refusals(j.target.Unmarked != "")

	if j.after != nil {
		j.after.predict(ctx, node)
		j.totals.Warnings = slices.Concat(j.totals.Warnings, j.after.keyWarnings(), j.after.sequenceWarnings(j.relation()))
	}

	// Durable: the totals of the dry run. If this unit is run again, it returns the stored
	// totals instead of deciding about the rows again.
	err = archive.PutJSONIfAbsent(ctx, j.store, totalsKey(j.plan.TaskID, j.unit.Target), j.totals)
	if errors.Is(err, archive.ErrPrecondition) {
		return j.loadDryRun(ctx)
	}
	return j.totals, err
}

// relation returns the table's name as a statement contains it.
func (j *unitRun) relation() string { return table.Name(j.plan.Schema, j.plan.Table) }

// loadDryRun returns the totals of an earlier dry run of this unit. The error is
// archive.ErrNotFound if none are stored.
func (j *unitRun) loadDryRun(ctx context.Context) (Totals, error) {
	var totals Totals
	_, _, err := archive.ReadJSON(ctx, j.store, totalsKey(j.plan.TaskID, j.unit.Target), &totals)
	return totals, err
}

// refusals returns every reason for which the changes as a whole must not be made,
// although there is a decision for each row. unmarked is set if the changes have no
// replication origin.
func (j *unitRun) refusals(unmarked bool) []string {
	return slices.Concat(j.refuseReach(), j.refuseRelays(unmarked), j.refuseOperations(), j.refuseNulls())
}

// refuseReach returns why the changes must not be made: they would also change rows of
// other tables, for which there are no before-images. With allow_cascade it returns nil.
func (j *unitRun) refuseReach() (refusals []string) {
	if !j.plan.FireTriggers || j.plan.AllowCascade {
		return nil
	}
	if j.totals.Deleted > 0 && len(j.target.Deletes) > 0 {
		refusals = append(refusals, fmt.Sprintf("node %q: %d rows would be deleted, and foreign key %q changes rows of another table with them; set allow_cascade=true to permit this, or fire_triggers=false to avoid it",
			j.target.Node, j.totals.Deleted, j.target.Deletes[0]))
	}
	if j.reached != nil {
		refusals = append(refusals, fmt.Sprintf("node %q: the row with the key %s would be updated, and foreign key %q changes rows of another table with it; set allow_cascade=true to permit this, or fire_triggers=false to avoid it",
			j.target.Node, j.reached.key, j.reached.foreignKey))
	}
	return refusals
}

// refuseOperations returns why updates or deletions must not be made: the node refuses
// all of them in this table, for example because the table is published and has no
// replica identity.
func (j *unitRun) refuseOperations() (refusals []string) {
	for _, of := range []struct {
		count          int64
		done, rejected string
	}{
		{j.totals.Updated, "updated", j.target.UpdateRefused},
		{j.totals.Deleted, "deleted", j.target.DeleteRefused},
	} {
		if of.count > 0 && of.rejected != "" {
			refusals = append(refusals, fmt.Sprintf("node %q: %d rows would be %s, which the node refuses: %s", j.target.Node, of.count, of.done, of.rejected))
		}
	}
	return refusals
}

// refuseNulls returns why rows must not be written: a row has NULL in a column that is
// NOT NULL on the target, or a row to insert has no value for such a column because the
// source lacks the column.
func (j *unitRun) refuseNulls() (refusals []string) {
	if j.nullRow != nil {
		refusals = append(refusals, fmt.Sprintf("node %q: column %q is NOT NULL there, and the row with the key %s has NULL in it",
			j.target.Node, j.nullRow.column, j.nullRow.key))
	}
	if j.totals.Inserted > 0 && len(j.target.Required) > 0 && !j.target.Fires {
		refusals = append(refusals, fmt.Sprintf("node %q: %d rows would be inserted, but column %q, which the source lacks, is NOT NULL there and has no default",
			j.target.Node, j.totals.Inserted, j.target.Required[0]))
	}
	return refusals
}

// nullIn returns the name of a column that is NOT NULL and that a change sets to NULL, or
// "" if there is none. If triggers fire, it returns "", because a trigger may replace the
// NULL.
func (t *Target) nullIn(c change) string {
	if t.Fires || c.Op == opDelete {
		return ""
	}
	for i, value := range c.After {
		at := i
		if c.Op == opUpdate {
			at = c.Columns[i]
		}
		if value == nil && t.Columns[at].NotNull {
			return t.Columns[at].Name
		}
	}
	return ""
}

// reachedBy returns the name of a foreign key through which a change would also change
// rows of another table, or "" if there is none.
func (t *Target) reachedBy(c change) string {
	for _, r := range t.Updates {
		if c.updates(r.Columns...) {
			return r.Name
		}
	}
	return ""
}
