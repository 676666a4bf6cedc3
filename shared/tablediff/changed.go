package tablediff

import (
	"context"
	"fmt"

	"ace/shared/table"
)

// scanChanged does a unit of a pages strategy that has a baseline: the stretches whose rows may have changed are digested
// again, in the snapshots that told so; of the others the baseline knows the sums.
func (j *job) scanChanged(ctx context.Context) error {
	found := make([]pageSums, len(j.nodes))
	err := j.inPass(ctx, func(txs []Tx) error {
		j.announce(txs, false)
		err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = j.proveStretches(ctx, txs[node], node)
			return err
		})
		if err != nil {
			return err
		}
		j.announce(txs, true)
		return j.onAll(ctx, func(ctx context.Context, node int) error {
			return j.digestChanged(ctx, txs[node], node, found[node].Stretches)
		})
	})
	if err != nil {
		return err
	}
	return j.writePages(found, pageSums.stretched)
}

// proveStretches tells which stretches of the unit's pages hold the very rows that they held at the baseline.
func (j *job) proveStretches(ctx context.Context, tx Tx, node int) (pageSums, error) {
	spans := j.plan.Scans[j.unit.Index][node]
	now, err := tx.PageFreshness(ctx, j.sources[node], spans)
	if err != nil {
		return pageSums{}, err
	}
	known := j.plan.knownStretches(node)
	row := pageSums{Node: node}
	for i, span := range spans {
		s := Stretch{Span: span}
		if before, ok := known[span]; ok && now[i].Unchanged(before.Rows, before.Horizon) {
			s.Rows, s.Horizon, s.Same = before.Rows, now[i].Horizon, true
		}
		row.Stretches = append(row.Stretches, s)
	}
	return row, nil
}

// digestChanged digests the stretches that are not the same.
func (j *job) digestChanged(ctx context.Context, tx Tx, node int, stretches []Stretch) error {
	var spans []table.Span
	var at []int
	for i, s := range stretches {
		if !s.Same {
			spans, at = append(spans, s.Span), append(at, i)
		}
	}
	kept := newStretchSums(spans, j.plan.coarse())
	horizons, err := tx.PageSums(ctx, j.sources[node], spans, table.Grouping{Buckets: j.plan.coarse()}, kept.add)
	if err != nil {
		return err
	}
	for i, s := range kept.stretches(horizons) {
		stretches[at[i]] = s
	}
	return nil
}

// knownStretches gives the stretches of a node's pages that the baseline knows.
func (p *Plan) knownStretches(node int) map[table.Span]Stretch {
	known := map[table.Span]Stretch{}
	for _, s := range p.Known.Stretches[node] {
		known[s.Span] = s
	}
	return known
}

// scanKnown compares all pages of every node by coarse buckets, digesting only what may have changed. What differs is then
// found as in a comparison without a baseline, among the rows of the buckets that do.
func (r *run) scanKnown(ctx context.Context) error {
	sums, err := r.knownSums(ctx)
	if err != nil {
		return err
	}
	differing, rows, equal := differingBuckets(sums)
	buckets := r.plan.fine(differing)
	switch {
	case rows <= r.plan.listedByScan():
		r.compareListed(buckets, equal)
		return nil
	case len(differing) <= r.plan.coarse()/2:
		if err := r.scanBuckets(ctx, buckets); err != nil {
			return err
		}
		r.equal.add(equal)
		return nil
	}
	return r.scanBuckets(ctx, nil)
}

// knownSums gives the sums of the coarse buckets on every node, and keeps what each stretch holds.
func (r *run) knownSums(ctx context.Context) ([][]table.Sum, error) {
	units, err := r.scanUnits(ctx, phaseChanged, nil)
	if err != nil {
		return nil, err
	}
	nodes := len(r.plan.Nodes)
	sums := newSums(nodes, r.plan.coarse())
	known := make([]map[table.Span]Stretch, nodes)
	r.stretches = make([][]Stretch, nodes)
	for node := range known {
		known[node] = r.plan.knownStretches(node)
	}
	for _, u := range units {
		err := eachScan(ctx, r.Store, u, nodes, func(row pageSums) error {
			if err := r.plan.checkStretches(u, row); err != nil {
				return err
			}
			for _, s := range row.Stretches {
				if s.Same {
					r.unchanged++
					s.Same, s.Sums = false, known[row.Node][s.Span].Sums
				}
				rows, err := addPacked(s.Sums, sums[row.Node])
				if err == nil && rows != s.Rows {
					err = fmt.Errorf("the sums of %d rows are of %d", s.Rows, rows)
				}
				if err != nil {
					return err
				}
				r.stretches[row.Node] = append(r.stretches[row.Node], s)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}

// keepStretches keeps what each stretch holds for a baseline.
func (r *run) keepStretches(u Unit, row pageSums) error {
	if r.stretches == nil || len(row.Stretches) == 0 {
		return nil
	}
	if err := r.plan.checkStretches(u, row); err != nil {
		return err
	}
	r.stretches[row.Node] = append(r.stretches[row.Node], row.Stretches...)
	return nil
}

// checkStretches makes sure that a node's stretches are all of the unit's pages: one that lacked would look empty.
func (p *Plan) checkStretches(u Unit, row pageSums) error {
	spans := p.Scans[u.Index][row.Node]
	if len(spans) != len(row.Stretches) {
		return fmt.Errorf("%d of %d stretches of node %d", len(row.Stretches), len(spans), row.Node)
	}
	for i, s := range row.Stretches {
		if s.Span != spans[i] {
			return fmt.Errorf("stretch %v of node %d instead of %v", s.Span, row.Node, spans[i])
		}
	}
	return nil
}
