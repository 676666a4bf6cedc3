package tablerepair

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/resolve"
	"ace/shared/table"
)

// checkOthers reads the versions that the other nodes have now for a part of keys, all
// nodes at once. It records the keys for which a node has another version than when the
// key was decided. It does nothing in a repair by source of truth, where w is nil.
func (w *winners) checkOthers(ctx context.Context, p *keyPart) error {
	if w == nil || len(p.keys) == 0 {
		return nil
	}
	changed, err := fanout.Map(ctx, len(w.others), w.others, func(ctx context.Context, from peer) ([]int, error) {
		return w.changedOn(ctx, from, from.voter, p.decided.n, p.decided.decisions)
	})
	if err != nil {
		return err
	}
	for i, from := range w.others {
		p.decided.note(w.node(from.voter), changed[i])
	}
	return nil
}

// begin begins the part that checkOthers has checked. It also checks the versions of the
// target if its rows are not locked, as in a dry run. The versions of locked rows are
// known since they were locked.
func (w *winners) begin(ctx context.Context, target Reader, p decidedPart) error {
	w.part = p
	if w.locked != nil || len(p.decisions) == 0 {
		return nil
	}
	changed, err := w.changedOn(ctx, target, w.voter, p.n, p.decisions)
	w.part.note(w.node(w.voter), changed)
	return err
}

// note records the indexes of decisions for which a node has another version now.
func (p *decidedPart) note(node string, changed []int) {
	for _, i := range changed {
		if p.changed == nil {
			p.changed = map[int]string{}
		}
		if p.changed[i] == "" {
			p.changed[i] = node
		}
	}
}

// lockedDigest returns the expression for the digest with which a repair by rule reads
// the rows that it locks. It is empty for another repair.
func (a *attempt) lockedDigest() string {
	if !a.plan.byRule() {
		return ""
	}
	return a.target.WriteDigest
}

// noteLocked records in locked the keys of a part for which the target has another
// version than when the key was decided. digests has the digests of the locked rows, by
// the index of the key in the part. first is the number of the first key of the part.
func (a *attempt) noteLocked(locked *lockedRows, p decidedPart, first int64, digests map[int]int64) {
	if !a.plan.byRule() {
		return
	}
	voter := a.plan.Resolve.voter(a.target.Node)
	for i := range p.decisions {
		var now *int64
		if digest, found := digests[i]; found {
			now = &digest
		}
		if !p.decisions[i].holds(voter, now) {
			locked.changed.Add(first + int64(i))
		}
	}
}

// node returns the name of a voter.
func (w *winners) node(voter int) string { return w.run.plan.Resolve.Voters[voter].Node }

// changedOn returns the indexes of the decisions for which the node has neither the
// version that was seen there nor the winning version. It compares digests, and then the
// texts of the rows whose digests differ. The decisions are those of the n-th part.
func (w *winners) changedOn(ctx context.Context, from Reader, voter, n int, decisions []decision) ([]int, error) {
	read := w.run.plan.Resolve.Voters[voter].Read
	keys := make([]table.Key, len(decisions))
	for i, d := range decisions {
		keys[i] = d.key
	}
	digests, err := readDigests(ctx, from, read, keys)
	if err != nil {
		return nil, err
	}

	var changed, unproven []int
	for i := range decisions {
		switch d := &decisions[i]; {
		case d.holds(voter, digests[i]):
		case digests[i] != nil && d.verdict == resolve.Row:
			unproven = append(unproven, i)
		default:
			changed = append(changed, i)
		}
	}
	if len(unproven) == 0 {
		return changed, nil
	}
	others, err := w.differFromWinner(ctx, from, read, n, keysAt(keys, unproven))
	for _, at := range others {
		changed = append(changed, unproven[at])
	}
	slices.Sort(changed)
	return changed, err
}

// differFromWinner returns the indexes of the keys for which the node's row is not the
// winning one, by their texts. The keys are those of the n-th part.
func (w *winners) differFromWinner(ctx context.Context, from Reader, read table.Source, n int, keys []table.Key) ([]int, error) {
	won, err := w.rows(ctx, n, keys)
	if err != nil {
		return nil, err
	}
	defer func() { _ = won.Close() }() // the stream was only read
	wanted := &lookahead{stream: won}

	stream, err := from.Rows(ctx, read, keys)
	if err != nil {
		return nil, err
	}
	var differ []int
	err = eachRow(stream, len(keys), func(i int, row table.Row) error {
		winner, err := wanted.at(i)
		if err == nil && !row.Equal(winner.Row) {
			differ = append(differ, i)
		}
		return err
	})
	return differ, err
}

// skipChanged reports whether the row that was decided last must be left alone, because a
// node has another version than when the key was decided. If so, it counts the row. want
// is the winning row and have is the target's row; each is nil if it does not exist.
func (d *decider) skipChanged(want, have table.Row) bool {
	i := int(d.at - 1 - d.first)
	node, changed := d.winners.part.changed[i]
	// The digest of the winner is not known if it was put together from several versions, so
	// a changed row may be the winner.
	if d.locked != nil && d.locked.changed.Has(d.at-1) && (want == nil || !have.Equal(want)) {
		node, changed = d.target.Node, true
	}
	if changed {
		d.totals.Skipped++
		d.totals.nameChanged(d.winners.part.decisions[i].key, node)
	}
	return changed
}

func (t *Totals) nameChanged(key table.Key, node string) {
	if len(t.Changed) < maxUndecidedKeys {
		t.Changed = append(t.Changed, UndecidedKey{key, fmt.Sprintf("changed on %s after it was decided", node)})
	}
}

// explain adds to a change why it is made.
func (w *winners) explain(c *change, i int) {
	d := &w.part.decisions[i]
	c.Place, c.Rule, c.Reason = w.part.places[i], d.rule, cmp.Or(d.reason, "decided by rule")
}

// changedElsewhere returns, for each change of list, the name of a node that has another
// version now than when the change was decided, or "" if there is no such node. The
// caller must have called Renew.
func (w *winners) changedElsewhere(ctx context.Context, list []numberedChange) ([]string, error) {
	nodes := make([]string, len(list))
	for from := 0; from < len(list); {
		n := int(list[from].Place / keysPerPart)
		to := from
		for to < len(list) && int(list[to].Place/keysPerPart) == n {
			to++
		}
		if err := w.changedInPart(ctx, n, list[from:to], nodes[from:to]); err != nil {
			return nil, err
		}
		from = to
	}
	return nodes, nil
}

// changedInPart is changedElsewhere for changes of one part of keys.
func (w *winners) changedInPart(ctx context.Context, n int, list []numberedChange, nodes []string) (err error) {
	if w.part, err = w.run.readDecisions(ctx, n); err != nil {
		return err
	}
	decisions := make([]decision, len(list))
	for i, c := range list {
		at, found := slices.BinarySearch(w.part.places, c.Place)
		if !found {
			return fault.New(fault.Internal, "the change of the key %s has no decision", c.Key)
		}
		decisions[i] = w.part.decisions[at]
	}

	for _, p := range w.others {
		changed, err := w.changedOn(ctx, p, p.voter, n, decisions)
		if err != nil {
			return err
		}
		for _, i := range changed {
			nodes[i] = w.node(p.voter)
		}
		if err := w.undelivered(ctx, p, list, nodes); err != nil {
			return err
		}
	}
	return nil
}

// undelivered records the insertions of rows that the node p has written, but that
// replication may have yet to bring to the target, where it would find a duplicate.
func (w *winners) undelivered(ctx context.Context, p peer, list []numberedChange, nodes []string) error {
	name := w.node(p.voter)
	applied := w.run.unit.AppliedBy[name]
	if applied == "" || list[0].Op != opInsert {
		return nil
	}
	read := w.run.plan.Resolve.Voters[p.voter].Read
	present, err := p.Digests(ctx, read, keysOf(list))
	if err != nil {
		return err
	}
	since, err := p.WrittenSince(ctx, read, keysOf(list), applied)
	if err != nil {
		return err
	}
	for i := range list {
		if present[i] != nil && since[i] {
			nodes[i] = name
		}
	}
	return nil
}
