package tablediff

import (
	"context"
	"maps"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/tablediff/plan"
)

// readFilter returns, for each node, what the filter means on the node. It returns nil if
// the plan has no filter.
func readFilter(ctx context.Context, p *plan.Plan, nodes []plan.Node) ([]plan.FilterMeaning, error) {
	if p.Filter == "" {
		return nil, nil
	}

	columns := make([]string, len(p.Columns))
	for i, column := range p.Columns {
		columns[i] = column.Name
	}
	return fanout.Map(ctx, len(nodes), fanout.Indexes(len(nodes)), func(ctx context.Context, i int) (s plan.FilterMeaning, err error) {
		s.Shown, s.Doubt, err = nodes[i].ProveFilter(ctx, p.Sources[i], columns)
		return s, err
	})
}

// isIncremental reports whether a later comparison can conclude from the ages of rows
// (the transaction ids in their xmin) what has changed since this plan was made.
func isIncremental(p *plan.Plan) bool {
	return len(p.Facts) == len(p.Nodes) && whyNotIncremental(p) == ""
}

// whyNotIncremental returns why a later comparison cannot conclude from the ages of rows
// what has changed since this plan was made. An empty string means that it can.
func whyNotIncremental(p *plan.Plan) string {
	why := whyAgesUnreliable(p)
	if why == "" && p.Strategy == plan.Pages && p.Grid == 0 {
		why = "its pages cannot be read one range at a time, or the nodes hash its keys differently"
	}
	return why
}

// whyAgesUnreliable returns why the ages of rows do not prove that a row is unchanged. An
// empty string means that the ages are reliable.
func whyAgesUnreliable(p *plan.Plan) string {
	for i, s := range p.Selections {
		if s.Doubt != "" {
			return "node " + p.Nodes[i] + ": table_filter may select other rows although none has changed: " + s.Doubt
		}
	}

	for i, facts := range p.Facts {
		if facts.Unproven != "" {
			return "node " + p.Nodes[i] + ": " + facts.Unproven
		}
	}
	return ""
}

// changedFacts returns the names of the facts that differ between a and b or that only
// one of them has.
func changedFacts(a, b map[string]string) []string {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, b)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(name string) bool {
		return a[name] != "" && a[name] == b[name]
	})
}

// checkFacts verifies that the facts that make the ages of rows reliable did not change
// during the comparison. If they did, the run stores no baseline, and a comparison that
// builds on a baseline fails, because it has relied on the ages.
func (r *run) checkFacts(ctx context.Context) error {
	if r.request.Rerun != nil || !isIncremental(r.plan) {
		return nil
	}
	defer r.timings.measure(plan.PhaseMerge)()

	return r.retry(ctx, "check of the facts", func() error {
		nodes, err := plan.OpenNodes(ctx, r.Nodes, r.plan)
		if err != nil {
			return err
		}

		now, err := readFacts(ctx, nodes, r.plan.Schema, r.plan.Table)
		if err != nil {
			return err
		}

		selections, err := readFilter(ctx, r.plan, nodes)
		if err != nil {
			return err
		}

		r.factsUnchanged = true
		for i, facts := range now {
			changed := changedFacts(r.plan.Facts[i].Values, facts.Values)
			if selections != nil && selections[i] != r.plan.Selections[i] {
				changed = append(changed, "meaning of table_filter")
			}
			if len(changed) == 0 && facts.Unproven == "" {
				continue
			}

			r.factsUnchanged = false
			if r.plan.Known != nil {
				return fault.New(fault.Conflict, "node %q changed during a comparison with a baseline: %s; start the comparison again", r.plan.Nodes[i], append(changed, facts.Unproven)[0])
			}
		}

		return nil
	})
}
