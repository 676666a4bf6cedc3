package tablerepair

import (
	"cmp"
	"context"
	"time"

	"ace/shared/archive"
	"ace/shared/bitmap"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/retry"
	"ace/shared/table"
)

const (
	// fenceWait is how long an attempt waits for another repair of the table to end, fencePoll how often it looks.
	fenceWait = 30 * time.Second
	fencePoll = 200 * time.Millisecond
)

// attempt is one try to repair a target, in one transaction.
type attempt struct {
	*job
	number       int
	tx           Tx
	replaced     bitmap.Set // changes whose rows were deleted and are to be inserted
	withdrawn    bitmap.Set // insertions that were taken back
	kept         bitmap.Set // deletions that are not done
	replacements int
	gone         int64 // changes gone over since they were decided
}

// repair makes the attempt. The order of its steps is what package and manifest promise; whatever fails before COMMIT
// rolls the node back.
func (j *job) repair(ctx context.Context) (Totals, error) {
	a := &attempt{job: j, number: j.unit.Attempt}
	source, err := j.begin(ctx, func(ctx context.Context) (err error) {
		a.tx, err = j.node.BeginRepair(ctx, j.target.Write.Access())
		return err
	})
	if a.tx != nil {
		defer a.tx.Close()
	}
	if err != nil {
		return Totals{}, err
	}
	if source != nil {
		defer source.Close()
	}
	if err := a.prepare(ctx); err != nil {
		return Totals{}, err
	}
	if err := a.record(ctx, source); err != nil {
		return Totals{}, err
	}
	var altered *Stored
	if a.totals.changes() > 0 {
		if altered, err = a.write(ctx, source); err != nil {
			return Totals{}, err
		}
	}
	a.conclude(ctx, outcome{Outcome: Committed, Totals: a.totals, Altered: altered})
	return a.totals, nil
}

// prepare takes the fence and makes sure that the task is still ours: from here on a later runner has to wait. Then it
// locks the table.
func (a *attempt) prepare(ctx context.Context) error {
	if err := takeFence(ctx, a.tx, a.plan, a.target.Node, fenceWait); err != nil {
		return err
	}
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return err
	}
	if err := a.unsettled(ctx); err != nil {
		return err
	}
	if err := a.tx.Hold(ctx, a.target.Write.Source); err != nil {
		return err
	}
	reason, err := a.tx.KeepLocal(ctx)
	if err != nil {
		return err
	}
	if reason != "" {
		a.totals.Warnings = append(a.totals.Warnings, "node "+a.target.Node+": "+reason)
	}
	if a.plan.FireTriggers {
		return a.tx.Fire(ctx)
	}
	return a.tx.Quiet(ctx)
}

// unsettled makes sure that the attempt has left nothing yet. Who waited for an answer in vain may have concluded how it
// ended, and begun another one; whoever concludes later waits for the fence. Or it was made before, by a runner that was
// replaced or by whoever got the same unit, and would find nothing left to do. In any case the next number is free.
func (a *attempt) unsettled(ctx context.Context) error {
	left := ""
	err := a.store.List(ctx, archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, ""), "", func(info archive.Info) bool {
		left = info.Key
		return false
	})
	if err == nil && left != "" {
		err = fault.New(fault.Unavailable, "attempt %d to repair node %q was begun or concluded before: there is %s", a.number, a.target.Node, left)
	}
	return err
}

// takeFence waits until no other repair of the table is at work on the node.
func takeFence(ctx context.Context, tx Tx, p *Plan, node string, wait time.Duration) error {
	for deadline := time.Now().Add(wait); ; {
		got, err := tx.Fence(ctx, p.Schema, p.Table)
		if err != nil || got {
			return err
		}
		if time.Now().After(deadline) {
			return fault.New(fault.Unavailable, "node %q: another repair of this table has been at work there for %s", node, wait)
		}
		if err := retry.Sleep(ctx, fencePoll); err != nil {
			return err
		}
	}
}

// record decides and stores what was decided.
func (a *attempt) record(ctx context.Context, source Source) error {
	r := &recorder{store: a.store, header: part.Header{TaskID: a.plan.TaskID, PlanHash: a.plan.Hash()}, totals: &a.totals,
		name: func(n int) (string, string) {
			name := undoName(n)
			return archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, name), unitName(a.target.Node, a.number, name)
		}}
	defer r.abort()
	if err := a.decide(ctx, source, r); err != nil {
		return err
	}
	if err := a.unaltered(ctx); err != nil {
		return err
	}
	return a.checkReach()
}

// unaltered makes sure that the table has the columns of the plan. Another one would be lost with a row that is deleted,
// and is in no before-image. Since rows were read nobody can alter the table.
func (a *attempt) unaltered(ctx context.Context) error {
	now, err := a.tx.Columns(ctx, a.plan.Schema, a.plan.Table)
	if err != nil {
		return err
	}
	planned := map[string]Column{}
	for _, c := range a.target.Columns {
		planned[c.Name] = c
	}
	same := len(now) == len(planned)
	for _, c := range now {
		p := planned[c.Name]
		same = same && p.Type == c.Declared && p.Written != c.Generated
	}
	if !same {
		return fault.New(fault.Conflict, "node %q: the table was altered since this was planned: start it again", a.target.Node)
	}
	return nil
}

func (a *attempt) decide(ctx context.Context, source Source, r *recorder) error {
	if source == nil {
		return a.restoreAll(ctx, a.tx, a.tx.Lock, r)
	}
	var held *bitmap.Set
	if !a.plan.InsertOnly { // what is never changed need not be locked, and a role without UPDATE could not
		held = &bitmap.Set{}
		if err := a.hold(ctx, held); err != nil {
			return err
		}
	}
	if err := a.awaitReturn(ctx); err != nil {
		return err
	}
	if err := a.decideAll(ctx, source, a.tx, held, r); err != nil {
		return err
	}
	return source.Renew(ctx) // nothing is held at the source while the target is written
}

// hold locks the target's rows and notes which keys have one. The source is not read before.
func (a *attempt) hold(ctx context.Context, held *bitmap.Set) error {
	first, keysOnly := int64(0), a.target.Write.Source
	keysOnly.Columns = keysOnly.Key
	return a.eachKeys(ctx, func(_ int, keys []table.Key) error {
		stream, err := a.tx.Lock(ctx, keysOnly, keys)
		if err != nil {
			return err
		}
		err = places(stream, func(at int) { held.Add(first + int64(at)) })
		first += int64(len(keys))
		return err
	})
}

// places calls fn for the place of each row of a stream, and closes the stream.
func places(stream table.RowStream, fn func(at int)) error {
	for {
		at, _, err := stream.Next()
		if at < 0 || err != nil {
			return cmp.Or(err, stream.Close())
		}
		fn(at)
	}
}

// write stores the manifest, applies, verifies and commits. After an error of Commit only Settle knows what happened.
func (a *attempt) write(ctx context.Context, source Source) (*Stored, error) {
	if err := a.announce(ctx); err != nil {
		return nil, err
	}
	if err := a.checkDeletions(ctx, source); err != nil {
		return nil, err
	}
	if err := a.withPath(ctx, a.apply); err != nil {
		return nil, err
	}
	if err := a.lookAgain(ctx, source); err != nil {
		return nil, err
	}
	altered, err := a.verify(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.twins(ctx); err != nil {
		return nil, err
	}
	if err := a.leases.CheckLease(ctx, a.plan.TaskID, a.unit.Lease); err != nil {
		return nil, err
	}
	return altered, a.tx.Commit(ctx)
}

// announce stores the manifest.
func (a *attempt) announce(ctx context.Context) error {
	mark, err := a.tx.Mark(ctx)
	if err != nil {
		return err
	}
	p, t := a.plan, a.target
	return archive.PutJSONIfAbsent(ctx, a.store, archive.RepairKey(p.TaskID, t.Node, a.number, manifestName), Manifest{
		Format: manifestFormat, TaskID: p.TaskID, PlanHash: p.Hash(), Node: t.Node, Attempt: a.number, WrittenAt: time.Now().UTC(),
		ClusterName: p.ClusterName, DBName: p.DBName, Schema: p.Schema, Table: p.Table,
		Key: p.Key, Columns: t.Columns, Common: t.Common, Fires: t.Fires, Mark: mark, Server: t.Server, Totals: a.totals,
	})
}

// withPath calls fn under the search_path that user code has in any other session: that of triggers,
// deferred ones too, of defaults, generated columns and constraints.
func (a *attempt) withPath(ctx context.Context, fn func(context.Context) error) error {
	if err := a.tx.Path(ctx, a.target.Write.Path); err != nil {
		return err
	}
	if err := fn(ctx); err != nil {
		return err
	}
	if err := a.tx.CheckNow(ctx); err != nil {
		return err
	}
	return a.tx.Path(ctx, a.target.Write.SearchPath)
}

// conclude notes what is certain now. If that fails it can be found out again.
func (a *attempt) conclude(ctx context.Context, o outcome) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), concludeTimeout)
	defer cancel()
	_ = archive.PutJSONIfAbsent(ctx, a.store, archive.RepairKey(a.plan.TaskID, a.target.Node, a.number, outcomeName), o)
}

const concludeTimeout = 10 * time.Second
