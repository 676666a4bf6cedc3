package tablerepair

import (
	"context"
	"maps"
	"slices"
	"strings"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/rowdigest"
)

// undo plans the undo of a repair on every node where it was committed.
func (p *planner) undo(ctx context.Context) error {
	repaired, err := p.repairedNodes(ctx)
	if err != nil {
		return err
	}

	for _, name := range repaired {
		var t *Target
		var warnings []string
		err := p.req.Patience.Do(ctx, "planning the undo on node "+name, func() (err error) {
			t, warnings, err = p.undoTarget(ctx, name)
			return err
		})
		if err != nil && ctx.Err() != nil {
			return err
		}
		if err != nil {
			failed := failedTarget(name, err)
			t = &failed
		}
		if t != nil {
			p.plan.Targets = append(p.plan.Targets, *t)
			p.plan.Warnings = append(p.plan.Warnings, warnings...)
		}
	}

	if len(p.plan.Targets) == 0 {
		return fault.New(fault.Invalid, "task %s has not changed any row on any node, so there is nothing to undo", p.req.Undoes)
	}
	return nil
}

// repairedNodes returns the nodes for which the repair stored a manifest: first the nodes
// of the cluster, in its order, then the nodes that no longer belong to the cluster.
func (p *planner) repairedNodes(ctx context.Context) ([]string, error) {
	found := map[string]bool{}
	err := eachManifest(ctx, p.store, archive.RepairsOfTaskPrefix(p.req.Undoes), func(node string, _ int) { found[node] = true })
	var names []string
	for _, name := range slices.Concat(p.req.Nodes, slices.Sorted(maps.Keys(found))) {
		if found[name] {
			names = append(names, name)
			delete(found, name)
		}
	}
	return names, err
}

// undoTarget returns the target for undoing the committed attempt on one node, with a
// description of the table as it is now. It returns nil if no change was committed on
// that node.
func (p *planner) undoTarget(ctx context.Context, name string) (*Target, []string, error) {
	repair := &Plan{TaskID: p.req.Undoes, Schema: p.plan.Schema, Table: p.plan.Table}
	s := &settler{store: p.store, target: &Target{Node: name}, plan: repair, wait: abandonedWait}
	m, err := s.lastManifest(ctx)
	if err != nil || m == nil {
		return nil, nil, err
	}
	if !slices.Contains(p.req.Nodes, name) {
		return nil, nil, fault.New(fault.Invalid, "node %q was repaired, but is not an active node of cluster %s: nothing was undone there", name, p.plan.ClusterName)
	}

	if s.node, err = p.open(ctx, name); err != nil {
		return nil, nil, err
	}
	target, warnings, err := p.describeUndo(ctx, s.node, m)
	if err != nil {
		return nil, nil, err
	}

	s.target, s.node = &target, s.node.Expecting(target.Server)
	if target.Attempt, err = s.committedAttempt(ctx); err != nil || target.Attempt == 0 {
		return nil, nil, err
	}
	return &target, warnings, nil
}

// describeUndo returns the target for undoing the attempt of the manifest m: it describes
// the table as it is now, with the columns in the order of the manifest's rows.
func (p *planner) describeUndo(ctx context.Context, node Node, m *Manifest) (target Target, warnings []string, err error) {
	t := &targetBuilder{plan: p.plan}
	p.plan.Key = m.Key
	if err := p.plan.redact(m.redacted()); err != nil {
		return target, nil, err
	}
	if t.node, err = node.Describe(ctx, p.plan.Schema, p.plan.Table, rowdigest.Seeds{}); err != nil {
		return target, nil, t.withWriting(ctx, node, err)
	}
	if err = m.checkRepaired(t.node); err != nil {
		return target, nil, err
	}
	if t.writing, err = node.Expecting(t.node.Server).DescribeWriting(ctx, p.plan.Schema, p.plan.Table); err != nil {
		return target, nil, err
	}
	t.source = t.node
	if target, warnings, err = t.build(); err != nil {
		return target, nil, err
	}
	return target, warnings, target.arrange(m)
}

// arrange puts the table's columns into the order of the manifest's rows. Columns that
// were added after the repair follow.
func (t *Target) arrange(m *Manifest) error {
	var order []int
	var missing []string
	for _, was := range m.Columns {
		at := t.place(was.Name)
		if at < 0 {
			missing = append(missing, was.Name)
		}
		order = append(order, at)
	}
	if len(missing) > 0 {
		return fault.New(fault.Invalid, "node %q: the table lacks columns that it had at the repair: %s", t.Node, strings.Join(missing, ", "))
	}

	for at := range t.Columns {
		if !slices.Contains(order, at) {
			order = append(order, at)
		}
	}

	var columns []Column
	write := t.Write
	write.Columns, write.Names, write.Types, write.Parse = nil, nil, nil, nil
	for _, at := range order {
		columns = append(columns, t.Columns[at])
		write.Columns = append(write.Columns, t.Write.Columns[at])
		write.Names = append(write.Names, t.Write.Names[at])
		write.Types = append(write.Types, t.Write.Types[at])
		write.Parse = append(write.Parse, t.Write.Parse[at])
	}

	for i, r := range t.Updates {
		for k, at := range r.Columns {
			t.Updates[i].Columns[k] = slices.Index(order, at)
		}
	}

	t.Columns = columns
	t.Write = write
	t.Common = len(m.Columns)
	return nil
}

// place returns the index of the column with this name, or -1 if there is none.
func (t *Target) place(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}
