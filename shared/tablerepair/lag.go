package tablerepair

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/table"
)

const (
	// lagWait is how long it is waited for replication to catch up. It is looked at again after firstLagPoll, and then after
	// twice as long each time, up to lagPoll.
	lagWait      = 60 * time.Second
	firstLagPoll = 10 * time.Millisecond
	lagPoll      = 500 * time.Millisecond
)

// checkReplication looks on every target whether replication from the source owes it something, and whether it brings what
// is written there to others.
func (r *run) checkReplication(ctx context.Context) {
	r.replication = make([]replication, len(r.plan.Targets))
	if r.plan.Undoes != "" {
		return
	}
	r.progress.phase(phaseLag)
	var mu sync.Mutex
	_ = fanout.Each(ctx, max(1, len(r.plan.Targets)), slices.Values(numbers(len(r.plan.Targets))), func(ctx context.Context, i int) error {
		if r.plan.Targets[i].Problem != nil {
			return nil
		}
		warnings := r.echoesOf(ctx, i)
		found, err := r.lagOf(ctx, r.plan.Targets[i].Node)
		if err != nil && (r.plan.DryRun || r.job.AllowLag) {
			warnings, err = append(warnings, fault.PublicMessage(err)), nil
		}
		r.replication[i] = replication{owes: err, applied: found}
		mu.Lock()
		defer mu.Unlock()
		r.told = append(r.told, warnings...)
		return nil
	})
}

// replication is how far that of the source's rows to one target has come.
type replication struct {
	owes    error  // why the target cannot be repaired; nil if nothing is in the way
	applied string // snapshot of the source of which everything was applied; empty if nothing is replicated
}

func (r *run) lagOf(ctx context.Context, target string) (applied string, err error) {
	source, err := r.open(ctx, r.plan.Source)
	if err != nil {
		return "", err
	}
	node, err := r.open(ctx, target)
	if err != nil {
		return "", err
	}
	at, err := source.Position(ctx)
	if err != nil {
		return "", err
	}
	replicated, err := checkLag(ctx, r.plan, source, node, at.LSN, !r.plan.DryRun && !r.job.AllowLag)
	if err != nil || !replicated {
		return "", err
	}
	return at.Snapshot, nil
}

// echoesOf asks the source and the other targets. What cannot be asked is told, too.
func (r *run) echoesOf(ctx context.Context, i int) (warnings []string) {
	peers := []string{r.plan.Source}
	for k, t := range r.plan.Targets {
		if k != i && t.Problem == nil {
			peers = append(peers, t.Node)
		}
	}
	for _, name := range peers {
		target, err := r.open(ctx, r.plan.Targets[i].Node)
		var peer Node
		if err == nil {
			peer, err = r.open(ctx, name)
		}
		var found []string
		if err == nil {
			found, err = echoes(ctx, r.plan, target, peer)
		}
		if err != nil {
			found = []string{"whether replication brings the repair to node " + name + " is not known: " + fault.PublicMessage(err)}
		}
		warnings = append(warnings, found...)
	}
	return warnings
}

// checkLag makes sure that replication from the source owes the target nothing: a row that is inserted by a repair and
// comes by replication afterwards stops the subscription for ever. With wait false it only tells. It says whether there
// is any.
func checkLag(ctx context.Context, p *Plan, source, target Node, lsn string, wait bool) (replicated bool, err error) {
	subscriptions, err := target.Subscriptions(ctx, p.Schema, p.Table)
	if err != nil {
		return false, err
	}
	check := owing{plan: p, source: source, target: target, lsn: lsn, wait: wait}
	for _, s := range subscriptions {
		if s.Slot == "" {
			continue // it comes from nowhere: nothing is owed
		}
		ours, err := check.subscription(ctx, s)
		if err != nil {
			return false, err
		}
		replicated = replicated || ours
	}
	return replicated, nil
}

// owing looks for what replication owes a target.
type owing struct {
	plan           *Plan
	source, target Node
	lsn            string
	wait           bool
}

func (o owing) subscription(ctx context.Context, s table.Subscription) (ours bool, err error) {
	deadline := time.Now().Add(lagWait)
	for poll := firstLagPoll; ; poll = min(2*poll, lagPoll) {
		behind, ours, err := o.source.Behind(ctx, s.Slot, o.lsn)
		var why string
		switch {
		case err != nil || !ours:
			return false, err
		case !s.Enabled:
			return true, o.lagging(s, "is disabled, and what it has not applied yet would collide with the repair")
		case !s.Copied:
			why = "has not copied the table's first rows yet"
		case behind == 0:
			return true, nil
		default:
			why = fmt.Sprintf("has still to apply %d bytes of log from before the repair", behind)
		}
		if !o.wait || time.Now().After(deadline) {
			return true, o.lagging(s, why)
		}
		if err := sleep(ctx, poll); err != nil {
			return true, err
		}
		if s, err = o.again(ctx, s); err != nil {
			return true, err
		}
	}
}

// again reads what has become of a subscription that was still copying. One that is gone owes nothing more.
func (o owing) again(ctx context.Context, s table.Subscription) (table.Subscription, error) {
	if s.Copied {
		return s, nil
	}
	now, err := o.target.Subscriptions(ctx, o.plan.Schema, o.plan.Table)
	if i := slices.IndexFunc(now, func(n table.Subscription) bool { return n.Name == s.Name }); i >= 0 {
		return now[i], err
	}
	s.Copied = true
	return s, err
}

func (o owing) lagging(s table.Subscription, why string) error {
	return fault.New(fault.Unavailable, "node %q: subscription %q, which brings this table's changes from node %q, %s; allow_lag=true repairs all the same",
		o.target.Name(), s.Name, o.source.Name(), why)
}

// echoes warns of subscriptions by which the repair of a node comes to another one like any other change: a row that is
// there already stops them.
func echoes(ctx context.Context, p *Plan, target, peer Node) ([]string, error) {
	subscriptions, err := peer.Subscriptions(ctx, p.Schema, p.Table)
	if err != nil {
		return nil, err
	}
	var warnings []string
	for _, s := range subscriptions {
		if s.LocalOnly || s.Slot == "" {
			continue
		}
		_, ours, err := target.Behind(ctx, s.Slot, "0/0")
		if err != nil {
			return nil, err
		}
		if ours {
			warnings = append(warnings, fmt.Sprintf("node %s: subscription %q of node %s brings the repair there like any other change, since it is not one with origin = none: rows that are there already stop it",
				target.Name(), s.Name, peer.Name()))
		}
	}
	return warnings, nil
}
