package tablerepair

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/retry"
	"ace/shared/table"
)

const (
	// lagWait bounds the wait for replication to catch up.
	lagWait = 60 * time.Second
)

// lagPolls is how long to wait between two questions about the lag.
func lagPolls() retry.Backoff {
	return retry.Backoff{First: 10 * time.Millisecond, Max: 500 * time.Millisecond}
}

// checkReplication looks on every target whether replication from any node owes it something, or the source, and whether it brings what
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
		found := replication{}
		for _, look := range []func(context.Context, string, *replication) error{r.lagBehind, r.lagOf} {
			err := look(ctx, r.plan.Targets[i].Node, &found)
			if err != nil && (r.plan.DryRun || r.job.AllowLag) {
				warnings, err = append(warnings, fault.PublicMessage(err)), nil
			}
			if found.owes = err; err != nil {
				break
			}
		}
		r.replication[i] = found
		mu.Lock()
		defer mu.Unlock()
		r.told = append(r.told, warnings...)
		r.told = append(r.told, found.unknown...)
		return nil
	})
}

// replication is how far that of all nodes' rows to one target has come, and to the source.
type replication struct {
	owes      error    // why the target cannot be repaired; nil if nothing is in the way
	applied   string   // snapshot of the source of which everything was applied; empty if nothing is replicated to the target
	returning []Feed   // by which the source gets its rows; none if they need not be waited for
	unknown   []string // what could not be found out about nodes that are neither
}

// Feed is a replication slot by which the source of truth gets rows.
type Feed struct {
	Node string `json:"node"` // that has the slot
	Slot string `json:"slot"`
}

// lagOf looks at what the target is owed: a row that is inserted by a repair and comes by replication afterwards stops the
// subscription for ever. What the source's snapshot sees was written, here or elsewhere, before the other nodes are asked how far
// they are.
func (r *run) lagOf(ctx context.Context, target string, found *replication) error {
	source, err := r.open(ctx, r.plan.Source)
	if err != nil {
		return err
	}
	at, err := source.Position(ctx)
	if err != nil {
		return err
	}
	feeds, err := r.lagInto(ctx, target, target, "would collide with the repair", found)
	if len(feeds) > 0 && err == nil {
		found.applied = at.Snapshot
	}
	return err
}

// lagBehind looks at what the source is owed: what was written on the target, or came there from elsewhere, and is on its way would
// be taken for what is to be mended, be taken back, and then come to the source.
func (r *run) lagBehind(ctx context.Context, target string, found *replication) error {
	feeds, err := r.lagInto(ctx, r.plan.Source, target, "would be taken back by the repair", found)
	if !r.job.AllowLag {
		found.returning = feeds
	}
	return err
}

// lagInto makes sure, or without waiting says, that a node has applied what any other has written until now. It gives the slots by which
// it does. Whether a node that is neither the source nor the target can be asked does not decide whether they can be repaired.
func (r *run) lagInto(ctx context.Context, to, target, harm string, found *replication) (feeds []Feed, err error) {
	subscriber, err := r.open(ctx, to)
	if err != nil {
		return nil, err
	}
	o := owing{plan: r.plan, subscriber: subscriber, wait: !r.plan.DryRun && !r.job.AllowLag, harm: harm}
	subscriptions, err := o.subscriptions(ctx)
	if err != nil || len(subscriptions) == 0 {
		return nil, err
	}
	known := map[string]bool{}
	unknown := map[string]error{}
	for _, from := range r.job.Nodes {
		if from == to {
			continue
		}
		slots, err := r.lagFrom(ctx, o, from, subscriptions)
		for _, slot := range slots {
			feeds, known[slot] = append(feeds, Feed{Node: from, Slot: slot}), true
		}
		switch {
		case err == nil:
		case from == r.plan.Source || from == target || ctx.Err() != nil || errors.Is(err, errLagging):
			return feeds, err
		default:
			unknown[from] = err
		}
	}
	if len(known) < len(subscriptions) { // one at least is of somebody who was not asked
		for _, from := range slices.Sorted(maps.Keys(unknown)) {
			found.unknown = append(found.unknown, fmt.Sprintf("node %s: whether replication has brought all of node %s is not known, and what it has not %s: %s",
				to, from, harm, fault.PublicMessage(unknown[from])))
		}
	}
	return feeds, nil
}

// lagFrom is lagInto from one node.
func (r *run) lagFrom(ctx context.Context, o owing, from string, subscriptions []table.Subscription) (slots []string, err error) {
	if o.publisher, err = r.open(ctx, from); err != nil {
		return nil, err
	}
	at, err := o.publisher.Position(ctx)
	if err != nil {
		return nil, err
	}
	o.lsn = at.LSN
	if o.wait {
		flush(ctx, o.publisher)
	}
	for _, s := range subscriptions {
		ours, err := o.subscription(ctx, s)
		if ours {
			slots = append(slots, s.Slot)
		}
		if err != nil {
			return slots, err
		}
	}
	return slots, nil
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

// flush has a node's subscribers get what was written there. Without it they do when somebody commits, or after 15 seconds: so a
// role that may not, or a pool that has no connection to spare, is no error.
func flush(ctx context.Context, publisher Node) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_ = publisher.FlushLog(ctx)
}

const flushTimeout = 2 * time.Second

// owing looks for what replication owes a subscriber.
type owing struct {
	plan                  *Plan
	publisher, subscriber Node
	lsn                   string // of the publisher: what was written before it counts
	wait                  bool   // for what is owed; else it is an error at once
	harm                  string // what would come of it
}

// subscriptions gives those of the subscriber by which it may be owed something: one without a slot comes from nowhere.
func (o owing) subscriptions(ctx context.Context) ([]table.Subscription, error) {
	found, err := o.subscriber.Subscriptions(ctx, o.plan.Schema, o.plan.Table)
	return slices.DeleteFunc(found, func(s table.Subscription) bool { return s.Slot == "" }), err
}

// subscription makes sure that there is nothing to be applied by one, and says whether it is of the publisher.
func (o owing) subscription(ctx context.Context, s table.Subscription) (ours bool, err error) {
	deadline := time.Now().Add(lagWait)
	for n := 1; ; n++ {
		behind, ours, err := o.publisher.Behind(ctx, s.Slot, o.lsn)
		var why string
		switch {
		case err != nil || !ours:
			return false, err
		case !s.Enabled:
			return true, o.lagging(s, "is disabled, and what it has not applied yet "+o.harm)
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
		if err := retry.Sleep(ctx, lagPolls().After(n)); err != nil {
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
	now, err := o.subscriptions(ctx)
	if i := slices.IndexFunc(now, func(n table.Subscription) bool { return n.Name == s.Name }); i >= 0 {
		return now[i], err
	}
	s.Copied = true
	return s, err
}

// errLagging tells what a node says of its replication from that it says nothing.
var errLagging = errors.New("replication lags")

func (o owing) lagging(s table.Subscription, why string) error {
	return fault.Wrap(errLagging, fault.Unavailable, "node %q: subscription %q, which brings this table's changes from node %q, %s; allow_lag=true repairs all the same",
		o.subscriber.Name(), s.Name, o.publisher.Name(), why)
}

// returnWait is how long locked rows wait for replication to go on bringing to the source what was written before. It is longer
// than a node's log takes to get to its subscribers where nobody commits.
const returnWait = 30 * time.Second

// awaitReturn waits for that. It was waited for before, but rows may have been written since, until they were locked. The source
// is read afterwards.
func (a *attempt) awaitReturn(ctx context.Context) error {
	positions := map[string]string{}
	for _, feed := range a.unit.Returning {
		if _, ok := positions[feed.Node]; ok {
			continue
		}
		var err error
		if positions[feed.Node], err = a.publisher(feed.Node).position(ctx); err != nil {
			return err
		}
	}
	for _, feed := range a.unit.Returning {
		if err := a.awaitSlot(ctx, feed, positions[feed.Node]); err != nil {
			return err
		}
	}
	return nil
}

// publisher is a node whose rows come to the source.
type publisher struct {
	node     Node
	position func(context.Context) (string, error)
	behind   func(ctx context.Context, slot, position string) (int64, bool, error)
}

// publisher gives a node of a feed. The target is asked in the transaction, which needs no other connection. That of another node is
// not waited for for ever: whoever has it may wait for ours.
func (a *attempt) publisher(name string) publisher {
	if name == a.target.Node {
		return publisher{node: a.node, position: a.tx.Position, behind: a.tx.Behind}
	}
	node := a.others[name]
	return publisher{
		node: node,
		position: func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, returnWait)
			defer cancel()
			at, err := node.Position(ctx)
			return at.LSN, err
		},
		behind: func(ctx context.Context, slot, position string) (int64, bool, error) {
			ctx, cancel := context.WithTimeout(ctx, returnWait)
			defer cancel()
			return node.Behind(ctx, slot, position)
		},
	}
}

// awaitSlot waits for the source to have applied what one slot gives it. One that is gone gives it nothing more.
func (a *attempt) awaitSlot(ctx context.Context, feed Feed, position string) error {
	from := a.publisher(feed.Node)
	least, deadline := int64(-1), time.Now().Add(returnWait)
	for n := 1; ; n++ {
		behind, found, err := from.behind(ctx, feed.Slot, position)
		switch {
		case err != nil:
			return err
		case !found:
			return fault.New(fault.Unavailable, "node %q: replication slot %q, by which the source of truth, node %q, gets this table's changes, is gone; allow_lag=true repairs all the same",
				feed.Node, feed.Slot, a.plan.Source)
		case behind == 0:
			return nil
		case least < 0:
			flush(ctx, from.node)
		case time.Now().After(deadline):
			return fault.New(fault.Unavailable, "node %q: replication has still to bring %d bytes of its log to the source of truth, node %q, and has stood still for %s; allow_lag=true repairs all the same",
				feed.Node, behind, a.plan.Source, returnWait)
		}
		if least < 0 || behind < least {
			least, deadline = behind, time.Now().Add(returnWait)
		}
		if err := retry.Sleep(ctx, lagPolls().After(n)); err != nil {
			return err
		}
	}
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
