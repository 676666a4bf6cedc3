package tablediff

import (
	"context"
	"reflect"
	"slices"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// checkUnaltered verifies that no table was altered or replaced since the plan was made.
// If the type or the collation of the key was changed, the plan's ranges and expressions
// have another meaning. If the table got another partition, the plan's pages do not cover
// it. In both cases there may be rows that no unit has read, although no unit has failed.
func (r *run) checkUnaltered(ctx context.Context) error {
	defer r.timings.measure(plan.PhaseMerge)()
	return r.retry(ctx, "check of the catalogs", func() error {
		now, err := r.describeAgain(ctx)
		if fault.CodeOf(err) == fault.Invalid {
			return fault.Wrap(err, fault.Conflict, "the table was altered during the comparison: %s; start the comparison again", fault.PublicMessage(err))
		}
		if err != nil {
			return err
		}

		for i, source := range now.Sources {
			if !sameReading(r.plan.Sources[i], source, r.plan.ReadsPages()) {
				return fault.New(fault.Conflict, "node %q: the table was altered during the comparison; start the comparison again", source.Node)
			}
		}

		return nil
	})
}

// describeAgain returns a plan that describes the tables as they are now.
func (r *run) describeAgain(ctx context.Context) (*plan.Plan, error) {
	nodes, err := plan.OpenNodes(ctx, r.Nodes, r.plan)
	if err != nil {
		return nil, err
	}
	p := &planner{request: r.request, nodes: nodes, key: r.plan.Key, plan: &plan.Plan{
		Schema: r.plan.Schema, Table: r.plan.Table, Filter: r.plan.Filter, Ignored: r.plan.Ignored, Seeds: r.plan.Seeds,
		Digest: r.plan.Digest, Strategy: r.plan.Strategy,
	}}
	return p.plan, p.describe(ctx)
}

// sameReading reports whether two sources of a node read the table in the same way:
// planned is the source in the plan, and now was made from the present catalogs. The
// lists of partitions must have the same names only if the comparison read partitions one
// by one. It did so only if its plan reads pages (readsPages). The files of the
// partitions need not be compared, because every unit has verified that no partition was
// rewritten. If only the ages of rows were read by partition, checkFacts detects a
// changed list of partitions.
func sameReading(planned, now table.Source, readsPages bool) bool {
	byPartition := readsPages && len(planned.Partitions) > 0 && planned.Partitions[0].Relation != planned.Relation
	if byPartition && !slices.EqualFunc(planned.Partitions, now.Partitions, func(a, b table.Partition) bool { return a.Relation == b.Relation }) {
		return false
	}
	if !planned.Files.IsZero() && planned.Files.OID != now.Files.OID { // another table has this name now
		return false
	}

	if planned.Relation == table.WithoutOnly(now.Relation) { // plans of earlier versions may lack ONLY
		now.Relation = planned.Relation
	}

	planned.Partitions, now.Partitions = nil, nil
	planned.Files = table.Files{}
	now.Files = table.Files{}
	planned.Lockable, now.Lockable = false, false // plans of earlier versions lack Lockable and Foreign
	planned.Foreign, now.Foreign = false, false
	planned.Unversioned = now.Unversioned             // Unversioned only determines how the index is checked
	if planned.KeyIndex != "" && now.KeyIndex != "" { // another index on the key's columns finds the same rows
		now.KeyIndex = planned.KeyIndex
	}
	if planned.KeyIndex == "" { // plans of earlier versions lack KeyIndex
		now.KeyIndex = ""
	}

	return reflect.DeepEqual(planned, now)
}
