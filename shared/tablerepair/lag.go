package tablerepair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"ace/shared/fanout"
	"ace/shared/fault"
	"ace/shared/patience"
	"ace/shared/retry"
	"ace/shared/table"
)

const (
	// lagWait bounds the wait for one subscription to catch up with one publisher.
	lagWait = 60 * time.Second
)

// lagPolls returns the backoff between two queries of the lag.
func lagPolls() retry.Backoff {
	return retry.Backoff{First: 10 * time.Millisecond, Max: 500 * time.Millisecond}
}

// checkReplication checks, for every target, that the target and the source have applied
// the changes of the other nodes, and finds the subscriptions that will replicate the
// repair of the target to other nodes. It stores what it finds in r.replication, one
// element for each target.
func (r *run) checkReplication(ctx context.Context) {
	r.replication = make([]replication, len(r.plan.Targets))
	if r.plan.Undoes != "" || r.plan.byRule() { // by rule, decideKeys and repairByRule check it
		return
	}

	r.progress.phase(phaseLag)
	err := fanout.Each(ctx, max(1, len(r.plan.Targets)), slices.Values(fanout.Indexes(len(r.plan.Targets))), func(ctx context.Context, i int) error {
		t, found := &r.plan.Targets[i], &r.replication[i]
		if t.Problem != nil || t.isIdle(r.plan) {
			return nil
		}

		r.findRelays(ctx, t.Node, found)
		r.lookAt(ctx, t.Node, found, r.sourceLag, r.targetLag)
		return nil
	})

	// err is a panic or the end of ctx. No target may be repaired on the result of a check
	// that was not completed.
	for i := range r.replication {
		r.replication[i].problem = cmp.Or(r.replication[i].problem, err)
	}
}

// lookAt calls the functions, which check replication for a target, until one of them
// returns an error that cannot be ignored.
func (r *run) lookAt(ctx context.Context, target string, found *replication, looks ...func(context.Context, string, *replication) error) {
	for _, look := range looks {
		err := r.req.Patience.Do(ctx, "check of replication to node "+target, func() error {
			return look(ctx, target, found)
		})
		switch {
		case err == nil:
		case r.mayIgnore(err):
			r.ignore(err, found)
		default:
			found.problem = err
			return
		}
	}
}

// mayIgnore reports whether err, a problem of replication, is only a warning. A failing
// subscription is only a warning if allow_conflict is set. Any other problem is only a
// warning if allow_lag is set or in a dry run, which does not wait for a lag, since a lag
// passes by itself.
func (r *run) mayIgnore(err error) bool {
	if errors.Is(err, errFailing) {
		return r.req.AllowConflict
	}
	return r.plan.DryRun || r.req.AllowLag
}

// ignore adds a problem of replication as a warning. In a dry run it also removes the
// relays. A row that replication has yet to deliver looks like a row to insert, and a dry
// run refuses insertions if there are relays.
func (r *run) ignore(problem error, found *replication) {
	found.warn("%s", fault.PublicMessage(problem))
	if r.plan.DryRun {
		found.relays = nil
	}
}

// replication is the state of replication to one target and to the source.
type replication struct {
	problem error // why the target cannot be repaired; nil if it can
	// a snapshot of the source: the target has applied every change that this snapshot
	// contains, except changes of nodes that could not be reached (see warnings); empty if
	// the target receives no changes by replication, or if it is unknown which changes the
	// target has applied
	applied string
	// in a repair by rule, the same for each other voter
	appliedBy map[string]string
	// slots through which the source receives changes of the table; nil if the repair need
	// not wait for them
	sourceFeeds []Feed
	// subscriptions that would replicate the rows that the repair inserts to nodes that have
	// these rows; nil if conflicts are allowed
	relays []Relay
	// ignored problems, relays that replicate the repair, and what is unknown about other
	// nodes; a repeated check adds its warnings again
	warnings []string
}

func (found *replication) warn(format string, args ...any) {
	found.warnings = append(found.warnings, fmt.Sprintf(format, args...))
}

// Feed is a replication slot through which the source of truth receives changes of the
// table.
type Feed struct {
	Node string `json:"node"` // the node that has the slot
	Slot string `json:"slot"`
	// To is, in a repair by rule, the voter that receives the changes.
	To string `json:"to,omitempty"`
}

// receiver describes the node that receives the changes of a feed.
func (f Feed) receiver(p *Plan) string {
	if f.To != "" {
		return fmt.Sprintf("node %q", f.To)
	}
	return fmt.Sprintf("the source of truth, node %q", p.Source)
}

// targetLag checks whether the target has applied the changes of all other nodes. If a
// repair inserts a row and replication delivers the same row afterwards, the subscription
// stops permanently. The source's snapshot (found.applied) is taken before inboundLag
// reads the WAL positions of the other nodes. So a target that has applied the WAL up to
// these positions has applied every change in the snapshot.
func (r *run) targetLag(ctx context.Context, target string, found *replication) error {
	source, err := r.open(ctx, r.plan.Source)
	if err != nil {
		return err
	}
	at, err := source.Position(ctx)
	if err != nil {
		return err
	}
	feeds, complete, err := r.inboundLag(ctx, target, target, "would collide with the repair", found)
	if len(feeds) > 0 && complete && err == nil {
		found.applied = at.Snapshot
	}
	return err
}

// sourceLag checks whether the source has applied the changes of all other nodes. A row
// that was written on the target, or was replicated to it, may not have reached the
// source yet. The repair would treat this row as a difference and undo it, and afterwards
// the row would reach the source.
func (r *run) sourceLag(ctx context.Context, target string, found *replication) error {
	feeds, _, err := r.inboundLag(ctx, r.plan.Source, target, "would be undone by the repair", found)
	if !r.req.AllowLag && err == nil {
		found.sourceFeeds = feeds
	}
	return err
}

// inboundLag checks that the node named to has applied what every other node has written
// so far. It waits for that, except in a dry run or if allow_lag is set. feeds are the
// slots through which the node receives changes. Two problems are no errors, and feeds
// lacks their slots:
//
//   - A node that is neither source nor target cannot be reached. inboundLag adds a
//     warning to found, unless the slots of all subscriptions were found on other nodes.
//   - The problem of a subscription may be ignored (see mayIgnore). inboundLag adds a
//     warning to found, and complete is false.
//
// harm states what a missing change does, such as "would collide with the repair", for
// the messages about a node that was not reached or a disabled subscription.
func (r *run) inboundLag(ctx context.Context, to, target, harm string, found *replication) (feeds []Feed, complete bool, err error) {
	subscriber, err := r.open(ctx, to)
	if err != nil {
		return nil, false, err
	}
	o := pendingReplication{plan: r.plan, subscriber: subscriber, wait: !r.plan.DryRun && !r.req.AllowLag, harm: harm}
	subscriptions, err := o.subscriptions(ctx)
	if err != nil || len(subscriptions) == 0 {
		return nil, err == nil, err
	}

	complete = true
	known := map[string]bool{}
	unknown := map[string]error{}
	for _, from := range r.req.Nodes {
		if from == to {
			continue
		}
		var slots []string
		var ignored map[string]error
		err := r.req.Patience.Do(ctx, "check of replication from node "+from, func() (err error) {
			slots, ignored, err = r.publisherLag(ctx, o, from, subscriptions)
			return err
		})
		for _, slot := range slots {
			feeds = append(feeds, Feed{Node: from, Slot: slot})
			known[slot] = true
		}
		for _, slot := range slices.Sorted(maps.Keys(ignored)) {
			known[slot] = true
			complete = false
			r.ignore(ignored[slot], found)
		}
		switch {
		case err == nil:
		case r.plan.reads(from) || from == target || ctx.Err() != nil || errors.Is(err, errLagging) || errors.Is(err, errFailing):
			return feeds, false, err
		default:
			unknown[from] = err
		}
	}

	// If no reached node has the slot of a subscription, a node that was not reached may
	// have it.
	if len(known) < len(subscriptions) {
		for _, from := range slices.Sorted(maps.Keys(unknown)) {
			found.warn("node %s: it is unknown whether replication has applied all changes of node %s; a change that is still missing %s: %s",
				to, from, harm, fault.PublicMessage(unknown[from]))
		}
	}
	return feeds, complete, nil
}

// publisherLag is like inboundLag, but for the changes of one node, from. slots has the
// slots on this node through which the subscriptions receive changes. If the problem of a
// subscription is only a warning (see mayIgnore), its slot and the problem are in ignored
// instead. Such a problem does not end the wait for the other subscriptions.
func (r *run) publisherLag(ctx context.Context, o pendingReplication, from string, subscriptions []table.Subscription) (slots []string, ignored map[string]error, err error) {
	if o.publisher, err = r.open(ctx, from); err != nil {
		return nil, nil, err
	}
	at, err := o.publisher.Position(ctx)
	if err != nil {
		return nil, nil, err
	}

	o.lsn = at.LSN
	if o.wait {
		flushLog(ctx, o.publisher)
	}

	ignored = map[string]error{}
	for _, s := range subscriptions {
		ours, err := o.awaitSubscription(ctx, s)
		if (errors.Is(err, errFailing) || errors.Is(err, errLagging)) && r.mayIgnore(err) {
			ignored[s.Slot] = err
			continue
		}
		if ours {
			slots = append(slots, s.Slot)
		}
		if err != nil {
			return slots, ignored, err
		}
	}
	return slots, ignored, nil
}

// flushLog makes a node send its latest changes to its subscribers. It ignores errors
// (the role may lack the privilege, or the pool may have no free connection), because
// even without this flush the subscribers receive the changes at the next commit, or
// after 15 seconds.
func flushLog(ctx context.Context, publisher Node) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	_ = publisher.FlushLog(ctx)
}

const flushTimeout = 2 * time.Second

// pendingReplication determines which changes of a publisher a subscriber has not applied
// yet.
type pendingReplication struct {
	plan                  *Plan
	publisher, subscriber Node
	// position in the publisher's WAL up to which the subscriber must have applied the WAL
	lsn  string
	wait bool   // wait until the subscriber has applied the WAL up to lsn, instead of failing at once
	harm string // what a missing change would do, for warnings and errors
}

// subscriptions returns the subscriber's subscriptions that have a slot. A subscription
// without a slot receives nothing.
func (o pendingReplication) subscriptions(ctx context.Context) ([]table.Subscription, error) {
	found, err := o.subscriber.Subscriptions(ctx, o.plan.Schema, o.plan.Table)
	return slices.DeleteFunc(found, func(s table.Subscription) bool { return s.Slot == "" }), err
}

// awaitSubscription waits until the subscriber has applied everything that the
// subscription s brings from o.publisher, up to o.lsn. It returns false if the publisher
// does not have the slot of s, so the subscription receives nothing from it.
func (o pendingReplication) awaitSubscription(ctx context.Context, s table.Subscription) (ours bool, err error) {
	deadline := time.Now().Add(lagWait)
	observed := observe(s)
	for n := 1; ; n++ {
		lag, ours, err := o.publisher.SlotLag(ctx, s.Slot, o.lsn)
		var why string
		switch {
		case err != nil || !ours:
			return false, err
		case s.Copied && lag == 0 && s.Enabled:
			return true, nil
		case observed.isFailing(s):
			return true, o.failing(s)
		case !s.Enabled:
			return true, o.lagging(s, "is disabled; a change that it has not applied yet "+o.harm)
		case !s.Copied:
			why = "has not finished the initial copy of the table"
		default:
			why = fmt.Sprintf("has yet to apply %d bytes of log from before the repair", lag)
		}

		overdue := time.Now().After(deadline)
		switch {
		case overdue && observed.isStopped(): // before PostgreSQL 15, errors are not counted
			return true, o.failing(s)
		case overdue, !o.wait && !observed.isSuspicious(s):
			return true, o.lagging(s, why)
		}
		if err := retry.Sleep(ctx, lagPolls().After(n)); err != nil {
			return true, err
		}
		if s, err = o.refresh(ctx, s); err != nil {
			return true, err
		}
	}
}

// refresh reads the state of a subscription again. If the subscription was dropped in the
// meantime, refresh returns its last state with Copied set, so that awaitSubscription
// waits only for its slot.
func (o pendingReplication) refresh(ctx context.Context, s table.Subscription) (table.Subscription, error) {
	now, err := o.subscriptions(ctx)
	if i := slices.IndexFunc(now, func(n table.Subscription) bool { return n.Name == s.Name }); i >= 0 {
		return now[i], err
	}
	s.Copied = true
	return s, err
}

// errLagging means that a node reported a lag. It is not used if a node could not be
// reached.
var errLagging = errors.New("replication lags")

func (o pendingReplication) lagging(s table.Subscription, why string) error {
	return patience.Exhausted(fault.Wrap(errLagging, fault.Unavailable, "node %q: subscription %q, which brings this table's changes from node %q, %s; set allow_lag=true to repair anyway",
		o.subscriber.Name(), s.Name, o.publisher.Name(), why))
}

// sourceWait is the maximum time for which an attempt that has locked rows waits while
// replication to the source makes no progress. It is longer than the 15 seconds after
// which a node sends its WAL to subscribers even without a commit.
const sourceWait = 30 * time.Second

// awaitSource waits until the source has applied everything that its publishers have
// written so far. The caller reads the source afterwards.
func (a *attempt) awaitSource(ctx context.Context) error {
	positions := map[string]string{}
	for _, feed := range a.unit.SourceFeeds {
		if _, ok := positions[feed.Node]; ok {
			continue
		}
		var err error
		if positions[feed.Node], err = a.publisher(feed.Node).position(ctx); err != nil {
			return err
		}
	}
	for _, feed := range a.unit.SourceFeeds {
		if err := a.awaitSlot(ctx, feed, positions[feed.Node]); err != nil {
			return err
		}
	}
	return nil
}

// publisher is a node that has a slot through which the source receives changes.
type publisher struct {
	node     Node
	position func(context.Context) (string, error)
	lag      func(ctx context.Context, slot, position string) (int64, bool, error)
}

// publisher returns the node with this name, which has the slot of a feed. If that node
// is the target, the attempt's transaction is used, so no other connection is needed. A
// call to another node has a timeout, because it may need a connection that another task
// holds, and that task may itself be waiting for a connection that this attempt holds.
func (a *attempt) publisher(name string) publisher {
	if name == a.target.Node {
		return publisher{node: a.node, position: a.tx.Position, lag: a.tx.SlotLag}
	}
	node := a.others[name]
	return publisher{
		node: node,
		position: func(ctx context.Context) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, sourceWait)
			defer cancel()
			at, err := node.Position(ctx)
			return at.LSN, err
		},
		lag: func(ctx context.Context, slot, position string) (int64, bool, error) {
			ctx, cancel := context.WithTimeout(ctx, sourceWait)
			defer cancel()
			return node.SlotLag(ctx, slot, position)
		},
	}
}

// awaitSlot waits until the source has applied everything that the slot of one feed
// sends, up to position in the WAL of the feed's node. It fails if the source makes no
// progress for sourceWait.
func (a *attempt) awaitSlot(ctx context.Context, feed Feed, position string) error {
	from := a.publisher(feed.Node)
	least, deadline := int64(-1), time.Now().Add(sourceWait)
	for n := 1; ; n++ {
		lag, found, err := from.lag(ctx, feed.Slot, position)
		switch {
		case err != nil:
			return err
		case !found:
			return fault.New(fault.Unavailable, "node %q: replication slot %q, which sends this table's changes to %s, does not exist any more; set allow_lag=true to repair anyway",
				feed.Node, feed.Slot, feed.receiver(a.plan))
		case lag == 0:
			return nil
		case least < 0:
			flushLog(ctx, from.node)
		case time.Now().After(deadline):
			return fault.New(fault.Unavailable, "node %q: replication has yet to bring %d bytes of its log to %s, and has made no progress for %s; set allow_lag=true to repair anyway",
				feed.Node, lag, feed.receiver(a.plan), sourceWait)
		}

		if least < 0 || lag < least {
			least, deadline = lag, time.Now().Add(sourceWait)
		}
		if err := retry.Sleep(ctx, lagPolls().After(n)); err != nil {
			return err
		}
	}
}
