package tablerepair

import (
	"context"
	"slices"
	"strings"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/rowdigest"
)

// undo plans to take a repair back: on every node where it was committed.
func (p *planner) undo(ctx context.Context) error {
	var repaired []string
	for _, name := range p.job.Nodes {
		left := false
		err := p.store.List(ctx, archive.RepairsPrefix(p.job.Undoes, name), "", func(archive.Info) bool { left = true; return false })
		if err != nil {
			return err
		}
		if left {
			repaired = append(repaired, name)
		}
	}
	for _, name := range repaired {
		t, warnings, err := p.undoTarget(ctx, name)
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			t = &Target{Node: name, Problem: problemOf(err)}
		}
		if t != nil {
			p.plan.Targets = append(p.plan.Targets, *t)
			p.plan.Warnings = append(p.plan.Warnings, warnings...)
		}
	}
	if len(p.plan.Targets) == 0 {
		return fault.New(fault.Invalid, "task %s has changed no row on any node, so there is nothing to take back", p.job.Undoes)
	}
	return nil
}

// undoTarget finds the committed attempt and describes the table as it is now; nil if nothing was committed there.
func (p *planner) undoTarget(ctx context.Context, name string) (*Target, []string, error) {
	node, err := p.open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	s := &settler{store: p.store, node: node, target: &Target{Node: name}, plan: &Plan{TaskID: p.job.Undoes, Schema: p.plan.Schema, Table: p.plan.Table}}
	t := &targeting{plan: p.plan}
	if t.node, err = node.Describe(ctx, p.plan.Schema, p.plan.Table, rowdigest.Seeds{}); err != nil {
		return nil, nil, err
	}
	if t.writing, err = node.DescribeWriting(ctx, p.plan.Schema, p.plan.Table); err != nil {
		return nil, nil, err
	}
	p.plan.Key = nil
	for _, k := range t.node.Key {
		p.plan.Key = append(p.plan.Key, k.Name)
	}
	t.source = t.node
	target, warnings, err := t.make()
	if err != nil {
		return nil, nil, err
	}
	s.target = &target
	if target.Attempt, err = s.committedAttempt(ctx); err != nil || target.Attempt == 0 {
		return nil, nil, err
	}
	m, err := loadManifest(ctx, p.store, p.job.Undoes, name, target.Attempt)
	if err != nil {
		return nil, nil, err
	}
	return &target, warnings, target.arrange(m)
}

// arrange puts the table's columns into the order that the manifest's rows have.
func (t *Target) arrange(m *Manifest) error {
	columns := make([]Column, len(m.Columns))
	write := t.Write
	write.Columns, write.Names, write.Types = nil, nil, nil
	var missing []string
	for i, was := range m.Columns {
		at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == was.Name })
		if at < 0 {
			missing = append(missing, was.Name)
			continue
		}
		columns[i] = t.Columns[at]
		write.Columns = append(write.Columns, t.Write.Columns[at])
		write.Names = append(write.Names, t.Write.Names[at])
		write.Types = append(write.Types, t.Write.Types[at])
	}
	if len(missing) > 0 {
		return fault.New(fault.Invalid, "node %q: the table has lost columns since the repair: %s", t.Node, strings.Join(missing, ", "))
	}
	for i, r := range t.Updates {
		for k, at := range r.Columns {
			name := t.Columns[at].Name
			t.Updates[i].Columns[k] = slices.IndexFunc(columns, func(c Column) bool { return c.Name == name })
		}
	}
	t.Columns, t.Write, t.Common = columns, write, len(columns)
	return nil
}
