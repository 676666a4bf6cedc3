package tablerepair

import (
	"context"
	"errors"
	"time"

	"ace/shared/archive"
	"ace/shared/part"
)

// A repair by rule decides each key once, from the versions of all nodes, and stores the
// decision before any node is changed. Then it changes one node after the other:
//
//   - The winner of a key is the same for every node, since it is read from the stored
//     decision. No attempt looks at a commit time again, so a repaired row, which is
//     newer than all others, cannot win.
//   - An attempt changes a row only if every node has the version that the decision saw,
//     or the winning one already. The target's rows are locked then, and the other nodes
//     have received what was written on the target before.
//   - The nodes are not repaired at the same time. An attempt holds locks on its target's
//     rows while it waits until the other nodes have received the target's changes. Two
//     such attempts could wait for each other, because replication waits for row locks.

// RuleResult is what a repair by rule decided.
type RuleResult struct {
	// Undecided counts the keys that are left alone because the rule names no winner, and
	// the rows that were left alone because they changed after they were decided.
	Undecided int64
	// UndecidedKeys has the first of them, with the reason.
	UndecidedKeys []UndecidedKey
	Rules         map[string]int64         // number of keys by the label of the rule
	Clocks        map[string]time.Duration // how far each node's clock is ahead; nil if no times are compared
}

// ruleResult returns what the run decided. It returns nil for another repair.
func (r *run) ruleResult() *RuleResult {
	if !r.plan.byRule() {
		return nil
	}
	all := r.decided
	result := &RuleResult{Undecided: all.Undecided, UndecidedKeys: all.UndecidedKeys, Rules: r.plan.Resolve.labels(all.Rules)}
	for _, n := range r.results {
		result.Undecided += n.Totals.Skipped
		for _, key := range n.Totals.Changed {
			if len(result.UndecidedKeys) < maxUndecidedKeys {
				result.UndecidedKeys = append(result.UndecidedKeys, UndecidedKey{key.Key, "node " + n.Node + " was not changed: " + key.Reason})
			}
		}
	}
	if r.plan.Resolve.ComparesTimes {
		result.Clocks = map[string]time.Duration{}
		for _, v := range r.plan.Resolve.Voters {
			result.Clocks[v.Node] = v.Clock
		}
	}
	return result
}

// decideKeys decides all keys of a repair by rule. It does nothing for another repair.
//
// If an earlier run has decided all keys, it may have changed nodes too. Then decideKeys
// only reads the decisions, without asking any node, so that the outcomes are reported
// even if a node cannot be reached any more.
func (r *run) decideKeys(ctx context.Context) error {
	if !r.plan.byRule() {
		return nil
	}
	reading, cancel := r.outlasting(ctx)
	defer cancel()
	decided, err := r.loadAllDecided(reading)
	if errors.Is(err, archive.ErrNotFound) {
		if err := r.awaitVoters(ctx); err != nil {
			return err
		}
		decided, err = r.decideAllKeys(ctx)
	}
	r.decided = decided
	return err
}

// loadAllDecided returns the totals of all decisions. The error is archive.ErrNotFound if
// a part of keys is not decided yet.
func (r *run) loadAllDecided(ctx context.Context) (decidedTotals, error) {
	sum := decidedTotals{Changes: make([]int64, len(r.plan.Resolve.Voters))}
	for n := range r.plan.Resolve.Keys.Parts {
		var totals decidedTotals
		err := r.req.Patience.Do(ctx, "reading the decisions", func() (err error) {
			totals, err = r.loadDecided(ctx, n)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum.add(totals)
	}
	return sum, nil
}

// decidedIdle reports whether no decision of a repair by rule changes the target.
func (r *run) decidedIdle(t *Target) bool {
	if !r.plan.byRule() {
		return false
	}
	voter := r.plan.Resolve.voter(t.Node)
	return voter >= 0 && r.decided.Changes[voter] == 0
}

// awaitVoters waits until every voter has applied what the other nodes have written so
// far. Otherwise a change that is still on its way would look like a difference.
func (r *run) awaitVoters(ctx context.Context) error {
	r.progress.phase(phaseLag)
	var found replication
	for _, v := range r.plan.Resolve.Voters {
		r.lookAt(ctx, v.Node, &found, func(ctx context.Context, node string, found *replication) error {
			_, _, err := r.inboundLag(ctx, node, node, "would be mistaken for a difference", found)
			return err
		})
		if found.problem != nil {
			break
		}
	}
	for i := range r.replication {
		r.replication[i].warnings = found.warnings
	}
	return found.problem
}

// repairByRule repairs one node of a repair by rule. It checks replication first, because
// other nodes may have been repaired since the last check.
func (r *run) repairByRule(ctx context.Context, i int) NodeResult {
	t := &r.plan.Targets[i]
	if t.Problem == nil && !r.decidedIdle(t) && ctx.Err() == nil {
		found := replication{warnings: r.replication[i].warnings}
		r.findRelays(ctx, t.Node, &found)
		r.lookAt(ctx, t.Node, &found, r.votersLag, r.ruleTargetLag)
		r.replication[i] = found
	}
	return r.repairTarget(ctx, i)
}

// votersLag is sourceLag for a repair by rule: it checks whether the other voters have
// applied the changes of all other nodes.
func (r *run) votersLag(ctx context.Context, target string, found *replication) error {
	var feeds []Feed
	for _, v := range r.plan.Resolve.Voters {
		if v.Node == target {
			continue
		}
		to, _, err := r.inboundLag(ctx, v.Node, target, "would be mistaken for a difference", found)
		if err != nil {
			return err
		}
		for _, feed := range to {
			feed.To = v.Node
			feeds = append(feeds, feed)
		}
	}
	if !r.req.AllowLag {
		found.sourceFeeds = feeds
	}
	return nil
}

// ruleTargetLag is targetLag for a repair by rule.
func (r *run) ruleTargetLag(ctx context.Context, target string, found *replication) error {
	applied := map[string]string{}
	for _, v := range r.plan.Resolve.Voters {
		if v.Node == target {
			continue
		}
		node, err := r.open(ctx, v.Node)
		if err != nil {
			return err
		}
		at, err := node.Position(ctx)
		if err != nil {
			return err
		}
		applied[v.Node] = at.Snapshot
	}
	feeds, complete, err := r.inboundLag(ctx, target, target, "would collide with the repair", found)
	if len(feeds) > 0 && complete && err == nil {
		found.appliedBy = applied
	}
	return err
}

// decideAllKeys decides all keys that are not decided yet, one part at a time. It returns
// the totals of all decisions.
func (r *run) decideAllKeys(ctx context.Context) (decidedTotals, error) {
	r.progress.phase(phaseDecide)
	sum := decidedTotals{Changes: make([]int64, len(r.plan.Resolve.Voters))}
	for n := range r.plan.Resolve.Keys.Parts {
		var totals decidedTotals
		err := r.req.Patience.Do(ctx, "deciding about the rows", func() error {
			_, err := r.invoker.Invoke(ctx, Unit{TaskID: r.plan.TaskID, PlanHash: r.plan.Hash(), Phase: phaseDecide, Target: n, Lease: r.req.Lease})
			if err != nil {
				return err
			}
			totals, err = r.loadDecided(ctx, n)
			return err
		})
		if err != nil {
			return sum, err
		}
		sum.add(totals)
	}
	return sum, nil
}

func (r *run) loadDecided(ctx context.Context, n int) (totals decidedTotals, err error) {
	key, header := r.plan.decisionPart(n)
	err = part.ReadTotals(ctx, r.store, key, header, &totals)
	return totals, err
}
