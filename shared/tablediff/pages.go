package tablediff

import (
	"context"
	"errors"
	"fmt"

	"ace/shared/archive"
	"ace/shared/fault"
	"ace/shared/part"
	"ace/shared/table"
)

// scan does a unit that reads some pages of every node, all nodes at once; rows counts what it found there.
func (j *job) scan(ctx context.Context, read func(ctx context.Context, tx Tx, node int) (pageSums, error), rows func(pageSums) int64) error {
	found := make([]pageSums, len(j.nodes))
	err := j.inPass(ctx, func(txs []Tx) error {
		j.announce(txs, true)
		return j.onAll(ctx, func(ctx context.Context, node int) (err error) {
			found[node], err = read(ctx, txs[node], node)
			return err
		})
	})
	if err != nil {
		return err
	}
	return j.writePages(found, rows)
}

// sum does a unit of the pages strategy: pages are digested per leaf or bucket.
func (j *job) sum(ctx context.Context, by table.Grouping) error {
	return j.scan(ctx, func(ctx context.Context, tx Tx, node int) (pageSums, error) { return j.sumPages(ctx, tx, node, by) }, pageSums.grouped)
}

// writePages writes what the pages of each node hold to the part, and counts their rows.
func (j *job) writePages(found []pageSums, rows func(pageSums) int64) error {
	j.totals.RowsPerNode = make([]int64, len(j.nodes))
	for node, row := range found {
		j.totals.RowsPerNode[node] = rows(row)
		if err := j.out.Row(row); err != nil {
			return err
		}
	}
	return nil
}

// grouped counts the rows of all groups.
func (p pageSums) grouped() (n int64) {
	for _, rows := range p.Rows {
		n += rows
	}
	return n
}

// stretched counts the rows of all stretches.
func (p pageSums) stretched() (n int64) {
	for _, s := range p.Stretches {
		n += s.Rows
	}
	return n
}

// sumPages digests the unit's pages of one node, and keeps what each stretch of them held where that is of use later.
func (j *job) sumPages(ctx context.Context, tx Tx, node int, by table.Grouping) (pageSums, error) {
	spans := j.plan.Scans[j.unit.Index][node]
	sums := make([]table.Sum, by.Groups())
	var kept *stretchSums
	if j.keepsStretches() {
		by.Coarse = j.plan.coarse()
		kept = newStretchSums(spans, by.Coarse)
	}
	horizons, err := tx.PageSums(ctx, j.sources[node], spans, by, func(span, group int, sum table.Sum) {
		if kept != nil && span != table.AllSpans {
			kept.add(span, group, sum)
			return
		}
		sums[group] = sums[group].Add(sum)
	})
	row := pageSums{Node: node}
	for group, sum := range sums {
		if sum.Rows > 0 {
			row.Group = append(row.Group, group)
			row.Rows = append(row.Rows, sum.Rows)
			row.Digest = append(row.Digest, sum.Digest)
		}
	}
	if kept == nil || err != nil {
		return row, err
	}
	row.Stretches = kept.stretches(horizons)
	if once, again := row.grouped(), row.stretched(); once != again {
		return row, fault.New(fault.Internal, "node %q counted %d rows and %d rows on the same pages", j.plan.Nodes[node], once, again)
	}
	return row, nil
}

// keepsStretches: of a comparison of all pages, for a baseline.
func (j *job) keepsStretches() bool {
	return j.plan.Grid > 0 && j.plan.Known == nil && j.unit.Phase == phaseBuckets && len(j.unit.Buckets) == 0
}

// combineScans adds up what all scan units found: the sum of every leaf or bucket on every node. Each of their rows is
// given to kept too.
func combineScans(ctx context.Context, store archive.Store, nodes, groups int, units []Unit, kept func(Unit, pageSums) error) ([][]table.Sum, error) {
	sums := newSums(nodes, groups)
	for _, u := range units {
		err := eachScan(ctx, store, u, nodes, func(row pageSums) error {
			if err := row.addTo(sums); err != nil {
				return err
			}
			return kept(u, row)
		})
		if err != nil {
			return nil, err
		}
	}
	return sums, nil
}

func newSums(nodes, groups int) [][]table.Sum {
	sums := make([][]table.Sum, nodes)
	for node := range sums {
		sums[node] = make([]table.Sum, groups)
	}
	return sums
}

// eachScan gives the rows of a scan part, one of each node in the plan's order.
func eachScan(ctx context.Context, store archive.Store, u Unit, nodes int, take func(pageSums) error) error {
	reader, err := part.Open(ctx, store, u.key(), u.header())
	if err != nil {
		return err
	}
	defer reader.Close()
	seen := 0
	for {
		var row pageSums
		more, err := reader.Next(&row)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if row.Node != seen || seen >= nodes {
			err = fmt.Errorf("row %d is of node %d of %d", seen, row.Node, nodes)
		} else {
			err = take(row)
		}
		if err != nil {
			return fault.Wrap(err, fault.Internal, "part %s does not fit its plan", u.key())
		}
		seen++
	}
	if seen != nodes {
		return fault.New(fault.Internal, "part %s has the pages of %d nodes instead of %d", u.key(), seen, nodes)
	}
	return nil
}

// addTo adds what the pages of one node hold to the sums of its groups.
func (p pageSums) addTo(sums [][]table.Sum) error {
	if len(p.Rows) != len(p.Group) || len(p.Digest) != len(p.Group) {
		return fmt.Errorf("%d groups, %d counts and %d digests of node %d", len(p.Group), len(p.Rows), len(p.Digest), p.Node)
	}
	if p.Node < 0 || p.Node >= len(sums) {
		return fmt.Errorf("node %d of %d", p.Node, len(sums))
	}
	of := sums[p.Node]
	for i, group := range p.Group {
		if group < 0 || group >= len(of) {
			return fmt.Errorf("group %d of %d of node %d", group, len(of), p.Node)
		}
		of[group] = of[group].Add(table.Sum{Rows: p.Rows[i], Digest: p.Digest[i]})
	}
	return nil
}

// narrowingUnits makes compare units of the leaves whose combined sums differ. They cover all leaves, in blocks, and
// each lists at most about listed rows. The equal leaves are counted here: no unit will look at them again.
func narrowingUnits(plan *Plan, sums [][]table.Sum, buckets []int, listed int64) (units []Unit, equal Totals) {
	equal.RowsPerNode = make([]int64, len(plan.Nodes))
	u := Unit{TaskID: plan.TaskID, PlanHash: plan.Hash(), Phase: phaseCompare}
	var rows int64
	leaves := plan.Layout.Leaves()
	for leaf := range leaves {
		if rows >= listed && leaf%plan.Layout.LeavesPerBlock == 0 {
			u.To = leaf
			units = append(units, u)
			u = Unit{TaskID: u.TaskID, PlanHash: u.PlanHash, Phase: u.Phase, Index: u.Index + 1, From: leaf}
			rows = 0
		}
		most, same := across(sums, leaf)
		if same {
			equal.addEqual(most)
			continue
		}
		rows += most
		u.Buckets = buckets // not before: buckets without leaves are listed over the whole table
		u.Leaves = append(u.Leaves, leaf)
		u.Rows = append(u.Rows, most)
	}
	u.To = leaves
	return append(units, u), equal
}

// across gives how many rows of a group the node has that has the most, and whether it is the same on all nodes.
func across(sums [][]table.Sum, group int) (most int64, same bool) {
	same = true
	for node := range sums {
		most = max(most, sums[node][group].Rows)
		same = same && sums[node][group] == sums[0][group]
	}
	return most, same
}

// narrowScanned lists the leaves that a scan found to differ, or the few rows of the buckets that do.
func (j *job) narrowScanned(ctx context.Context) error {
	if len(j.unit.Buckets) > 0 && len(j.unit.Leaves) == 0 {
		return j.narrowBuckets(ctx)
	}
	limit := j.plan.listed()
	if j.plan.ByText {
		limit = scanListed
	}
	differing := make([]compared, len(j.unit.Leaves))
	for i, leaf := range j.unit.Leaves {
		differing[i] = compared{stretch: j.leaf(leaf), leaf: leaf, most: j.unit.Rows[i]}
	}
	return j.inGroups(differing, limit, func(group []compared) error { return j.narrowGroup(ctx, group, 2*limit) })
}

// inGroups narrows leaves, as many at a time as hold about limit rows.
func (j *job) inGroups(differing []compared, limit int64, narrow func([]compared) error) error {
	for len(differing) > 0 {
		n, _ := fitting(differing, limit)
		n = max(1, n)
		if err := narrow(differing[:n]); err != nil {
			return err
		}
		differing = differing[n:]
	}
	return nil
}

// narrowGroup lists some leaves in one snapshot per node, and matches them when the nodes are free for others. If they
// have outgrown what was expected, they are digested and split like any other range.
func (j *job) narrowGroup(ctx context.Context, group []compared, limit int64) error {
	list := j.lists
	if j.plan.ByText {
		list = j.scanLists
	}
	var lists [][][]table.Listed
	err := j.inSnapshots(ctx, func(txs []Tx) (err error) {
		for _, tx := range txs {
			tx.Last()
		}
		lists, err = list(ctx, txs, group, limit)
		return err
	})
	switch {
	case errors.Is(err, table.ErrMore):
		return j.narrowGrown(ctx, group, limit)
	case err != nil:
		return err
	}
	return j.match(j.rank(ctx), lists, group)
}

// narrowGrown narrows leaves that hold more rows than were expected, and than the limit allows.
func (j *job) narrowGrown(ctx context.Context, group []compared, limit int64) error {
	if j.plan.ByText { // no index gives the pieces of a range
		return fault.New(fault.Unavailable, "differing ranges have grown beyond %d rows while they were compared", limit)
	}
	stretches := make([]stretch, len(group))
	for i, d := range group {
		stretches[i] = d.stretch
	}
	return j.inSnapshots(ctx, func(txs []Tx) error {
		return j.compareStretches(ctx, txs, stretches, maxSplits)
	})
}

// scanListed bounds the rows listed by one pass over a table.
const scanListed = 100_000

// scanLists lists some leaves by reading each node's table in physical order.
func (j *job) scanLists(ctx context.Context, txs []Tx, group []compared, limit int64) ([][][]table.Listed, error) {
	leaves := make([]int, len(group))
	for i, d := range group {
		leaves[i] = d.leaf
	}
	lists, err := j.scanList(ctx, txs, j.plan.Layout.Bounds, leaves, limit)
	if err != nil {
		return nil, err
	}
	for node := range lists {
		listed := make([][]table.Listed, len(leaves))
		for i, leaf := range leaves {
			listed[i] = lists[node][leaf]
		}
		lists[node] = listed
	}
	return lists, nil
}

// scanList lists rows of these ranges between the bounds, or of all if there are none, each at its number.
func (j *job) scanList(ctx context.Context, txs []Tx, bounds []table.Key, ranges []int, limit int64) ([][][]table.Listed, error) {
	lists := make([][][]table.Listed, len(txs))
	err := j.onAll(ctx, func(ctx context.Context, node int) (err error) {
		lists[node], err = txs[node].ScanList(ctx, j.sources[node], bounds, ranges, limit)
		return err
	})
	return lists, err
}
