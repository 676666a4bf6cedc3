package tablerepair

import (
	"context"
	"errors"
	"slices"

	"ace/shared/diffarchive"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/table"
)

// What the missing privileges are for, in messages.
const (
	forRepair = "this repair"
	forDryRun = "the repair that this dry run tries"
)

// missingToRead returns the privileges that the target's role lacks for reading whole
// rows. A dry run needs them too.
func (t *targetBuilder) missingToRead() table.Grants {
	missing := t.common.Missing(t.node, t.places[1], t.plan.Schema, t.plan.Table)
	missing.Privileges = nil // the next line adds SELECT on all columns, because before-images have all columns
	missing.Need("SELECT", t.node.Unreadable, true)
	return missing
}

// missingToWrite returns the privileges that the target's role lacks for the writes that
// the plan permits. The repair sets only columns that the source has too.
func (t *targetBuilder) missingToWrite() table.Grants {
	p, w := t.plan, t.writing
	missing := table.Grants{Role: w.Role, Table: table.Name(p.Schema, p.Table), Schemas: w.Closed}
	missing.Need("INSERT", t.written(w.Insert.Except, nil), w.Insert.Some)
	if !p.InsertOnly {
		missing.Need("UPDATE", t.written(w.Update.Except, t.ignored), w.Update.Some)
	}
	if !w.Delete && !p.InsertOnly && !p.UpsertOnly {
		missing.NeedTable("DELETE")
	}

	role := table.Quote(w.Role)
	for _, function := range w.Functions {
		missing.Statements = append(missing.Statements, "GRANT EXECUTE ON FUNCTION "+function+" TO "+role)
	}
	for _, use := range w.Unusable {
		if t.source == nil || !has(t.source, use.Column) {
			missing.Statements = append(missing.Statements, "GRANT USAGE ON SEQUENCE "+use.Sequence+" TO "+role)
		}
	}

	if !p.FireTriggers && !w.ReplicaRole {
		missing.Statements = append(missing.Statements, table.GrantReplicaRole(w.ServerVersion, w.Role))
	}
	return missing
}

// written returns the elements of columns that the source has too and that are not in
// excluded.
func (t *targetBuilder) written(columns, excluded []string) []string {
	return slices.DeleteFunc(slices.Clone(columns), func(name string) bool {
		return t.source != nil && !has(t.source, name) || slices.Contains(excluded, name)
	})
}

func has(d *table.Description, column string) bool {
	_, known := d.Column(column)
	return known
}

// checkPrivileges records in the target which privileges the role lacks for this repair.
// It returns an error only if the role may not read the target's rows, because then even
// a dry run is impossible.
func (t *targetBuilder) checkPrivileges() error {
	reading := t.missingToRead()
	all := reading
	all.Add(t.missingToWrite())
	t.target.Denied = deniedOn(t.node.Node, all)
	if reading.IsZero() {
		return nil
	}
	return deniedFault(t.node.Node, all)
}

// withWriting returns err, the error of a node whose table cannot be described. If the
// reason is a missing privilege, withWriting adds the privileges that are missing for
// writing, so that the user can grant all of them at once.
func (t *targetBuilder) withWriting(ctx context.Context, node Node, err error) error {
	var e *table.DeniedError
	if !errors.As(err, &e) {
		return err
	}
	var failed error
	if t.writing, failed = node.DescribeWriting(ctx, t.plan.Schema, t.plan.Table); failed != nil {
		return failed
	}
	all := e.Missing
	all.Add(t.missingToWrite())
	return deniedFault(e.Node, all)
}

// failedTarget returns a target that cannot be repaired because of err.
func failedTarget(node string, err error) Target {
	t := Target{Node: node, Problem: problemOf(err)}
	var e *table.DeniedError
	if errors.As(err, &e) {
		t.Denied = deniedOn(node, e.Missing)
	}
	return t
}

// deniedFault returns the fault of a node on which privileges are missing. Its cause is a
// table.DeniedError.
func deniedFault(node string, missing table.Grants) error {
	cause := &table.DeniedError{Node: node, Missing: missing}
	return fault.Wrap(cause, fault.Invalid, "%s", table.DeniedText(forRepair, []table.Denied{cause.Denied()}))
}

// deniedOn converts missing, the privileges that the role lacks on a node, to the form in
// which a plan stores them. It returns nil if missing is empty.
func deniedOn(node string, missing table.Grants) *table.Denied {
	if missing.IsZero() {
		return nil
	}
	return &table.Denied{Node: node, Role: missing.Role, Grants: missing.SQL()}
}

func deniedText(purpose string, list []*table.Denied) string {
	var nodes []table.Denied
	for _, d := range list {
		if d != nil {
			nodes = append(nodes, *d)
		}
	}
	return table.DeniedText(purpose, nodes)
}

// deniedTarget returns the privileges that the role lacks on the i-th chosen node, for
// reading and for writing. It returns nil if the role lacks no privilege, or if the
// node's table could not be described for another reason.
func (p *planner) deniedTarget(i int) *table.Denied {
	t := &p.targets[i]
	var all table.Grants
	var e *table.DeniedError
	switch {
	case errors.As(p.failed[i], &e):
		return deniedOn(p.chosen[i], e.Missing)
	case t.node == nil || t.writing == nil:
		return nil
	case t.common != nil:
		all = t.missingToRead()
	default:
		all = table.Grants{Role: t.node.Role, Table: table.Name(p.plan.Schema, p.plan.Table)}
		all.Need("SELECT", t.node.Unreadable, true)
	}
	all.Add(t.missingToWrite())
	return deniedOn(p.chosen[i], all)
}

// checkSource returns an error if missing, the privileges that the role lacks for reading
// the source, is not empty. The error also names what is missing on the targets for which
// the document has rows, so that the user can grant everything at once.
func (p *planner) checkSource(ctx context.Context, missing table.Grants) error {
	if missing.IsZero() {
		return nil
	}
	all := []*table.Denied{deniedOn(p.plan.Source, missing)}
	for i, name := range p.chosen {
		work, err := p.hasKeys(ctx, name)
		if err != nil {
			return err
		}
		if work {
			all = append(all, p.deniedTarget(i))
		}
	}
	return fault.New(fault.Invalid, "%s", deniedText(forRepair, all))
}

// hasKeys reports whether the document has rows that differ between the source and a
// target.
func (p *planner) hasKeys(ctx context.Context, target string) (bool, error) {
	doc, err := diffarchive.Open(ctx, p.store, p.req.Input)
	if err != nil {
		return false, err
	}
	defer doc.Close()

	errFound := errors.New("found")
	err = doc.Walk(func(e difffile.Entry) error {
		if slices.Contains(e.Pair[:], p.plan.Source) && slices.Contains(e.Pair[:], target) {
			return errFound
		}
		return nil
	}, nil)
	if errors.Is(err, errFound) {
		return true, nil
	}
	return false, err
}

// excuse removes the problems of targets for which the document has no rows: nothing is
// read or written there.
func (p *planner) excuse(ctx context.Context) error {
	for i := range p.plan.Targets {
		t := &p.plan.Targets[i]
		if t.Problem == nil {
			continue
		}
		work, err := p.hasKeys(ctx, t.Node)
		if err != nil {
			return err
		}
		if !work {
			*t = Target{Node: t.Node, Before: t.Before}
		}
	}
	return nil
}

// judgePrivileges records missing privileges as the problem of each target for which the
// document has rows. In a dry run, it adds a warning instead.
func (p *planner) judgePrivileges(context.Context) error {
	var warned []*table.Denied
	for i := range p.plan.Targets {
		t := &p.plan.Targets[i]
		switch {
		case t.Denied == nil || t.Problem != nil:
		case t.isIdle(p.plan):
			t.Denied = nil
		case p.plan.DryRun:
			warned = append(warned, t.Denied)
		default:
			t.Problem = &Problem{Code: fault.Invalid, Message: deniedText(forRepair, []*table.Denied{t.Denied})}
		}
	}
	if len(warned) > 0 {
		p.plan.Warnings = append(p.plan.Warnings, deniedText(forDryRun, warned))
	}
	return nil
}

// isIdle reports whether the repair neither reads nor writes the target, because the
// document has no rows for it. It returns false for an undo, and for a target with a
// problem.
func (t *Target) isIdle(p *Plan) bool {
	return p.Undoes == "" && t.Problem == nil && t.Keys.Count == 0
}
