package tablerepair

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

// Relay is a subscription of another node through which the repair of a target is
// replicated to that node. The node has rows that the repair inserts, or gets them by its
// own repair. The replicated insertion of such a row is a duplicate, at which the
// subscription stops for ever.
type Relay struct {
	Node         string `json:"node"`
	Subscription string `json:"subscription"`
	// LocalOnly means origin = none: the subscription skips the repair, provided that the
	// repair's changes have a replication origin.
	LocalOnly bool `json:"local_only,omitempty"`
	// Lacks means that the node lacks all rows that are inserted. The relay is only a
	// problem because the node is repaired too.
	Lacks bool `json:"lacks,omitempty"`
}

// relayWait bounds the query for the subscriptions of a node that is neither source nor
// target. Such a node may be down, and the repair does not depend on it.
const relayWait = 5 * time.Second

// findRelays finds the relays of a target to all other nodes. Unless allow_conflict is
// set, it stores in found the relays to nodes that have the inserted rows or get these
// rows by their own repair. It adds a warning for each relay that replicates the repair,
// and for each node that cannot be reached.
func (r *run) findRelays(ctx context.Context, target string, found *replication) {
	repaired := func(name string) bool {
		return slices.ContainsFunc(r.plan.Targets, func(t Target) bool { return t.Node == name && t.Problem == nil })
	}

	var relays []Relay
	var others []string // nodes with relays, except for the source
	for _, name := range r.req.Nodes {
		if name == target {
			continue
		}
		to, err := r.findRelaysTo(ctx, target, name, r.plan.reads(name) || repaired(name))
		if err != nil {
			found.warn("it is unknown whether replication brings the repair to node %s: %s", name, fault.PublicMessage(err))
		}
		found.warnOfRelays(to, target)
		relays = append(relays, to...)
		if len(to) > 0 && name != r.plan.Source {
			others = append(others, name)
		}
	}
	if r.req.AllowConflict || len(relays) == 0 {
		return
	}
	if r.plan.byRule() { // every node may have the rows that are inserted
		found.relays = relays
		return
	}

	var holds map[string]holding
	if len(others) > 0 {
		var err error
		if holds, err = r.holdings(ctx, target, others); err != nil {
			found.warn("it is unknown whether other nodes have the rows that are inserted on node %s: %s", target, fault.PublicMessage(err))
		}
	}
	for _, relay := range relays {
		relay.Lacks = holds[relay.Node] == lacksRows
		if relay.Node == r.plan.Source || repaired(relay.Node) || holds[relay.Node] == hasRows {
			found.relays = append(found.relays, relay)
		}
	}
}

// warnOfRelays adds a warning for each relay that replicates the repair of the target.
func (found *replication) warnOfRelays(relays []Relay, target string) {
	for _, relay := range relays {
		if !relay.LocalOnly {
			found.warn("%s", relay.warning(target))
		}
	}
}

// findRelaysTo calls relaysTo. Unless involved is set, name is neither source nor target,
// and findRelaysTo tries only once.
func (r *run) findRelaysTo(ctx context.Context, target, name string, involved bool) (relays []Relay, err error) {
	if !involved {
		ctx, cancel := context.WithTimeout(ctx, relayWait)
		defer cancel()
		return r.relaysTo(ctx, target, name)
	}
	err = r.req.Patience.Do(ctx, "check of replication to node "+name, func() (err error) {
		relays, err = r.relaysTo(ctx, target, name)
		return err
	})
	return relays, err
}

// relaysTo returns the subscriptions by which peer receives the table's changes from
// target.
func (r *run) relaysTo(ctx context.Context, target, peer string) (relays []Relay, err error) {
	from, err := r.open(ctx, target)
	if err != nil {
		return nil, err
	}
	to, err := r.open(ctx, peer)
	if err != nil {
		return nil, err
	}

	subscriptions, err := to.Subscriptions(ctx, r.plan.Schema, r.plan.Table)
	if err != nil {
		return nil, err
	}
	for _, s := range subscriptions {
		if s.Slot == "" {
			continue
		}
		_, ours, err := from.SlotLag(ctx, s.Slot, "0/0")
		if err != nil {
			return nil, err
		}
		if ours {
			relays = append(relays, Relay{Node: peer, Subscription: s.Name, LocalOnly: s.LocalOnly})
		}
	}
	return relays, nil
}

func (y Relay) warning(target string) string {
	return fmt.Sprintf("node %s: subscription %q of node %s replicates the repair like any other change, since it does not have origin = none: it stops at an inserted row that exists there already",
		target, y.Subscription, y.Node)
}

// refuseRelays returns why rows must not be inserted: a relay would replicate them to a
// node that has them. unmarked is set if the repair's changes have no replication origin.
func (j *unitRun) refuseRelays(unmarked bool) []string {
	if j.totals.Inserted == 0 {
		return nil
	}
	var refusals []string
	for _, y := range j.unit.Relays {
		if y.LocalOnly && !unmarked {
			continue
		}
		remedy := fmt.Sprintf("let the subscription skip the repair (PostgreSQL 16 and newer, on node %q: ALTER SUBSCRIPTION %s SET (origin = none))", y.Node, table.Quote(y.Subscription))
		if y.LocalOnly {
			remedy = fmt.Sprintf("allow the role to set a replication origin on node %q, so that the subscription skips the repair", j.target.Node)
		}
		if y.Lacks {
			remedy = fmt.Sprintf("repair only node %q (nodes=%s), since the subscription brings the rows on to node %q", j.target.Node, j.target.Node, y.Node)
		}
		refusals = append(refusals, fmt.Sprintf("node %q: %d rows would be inserted, and subscription %q of node %q would replicate them to that node, where they exist already or are inserted too; it would stop there and apply nothing any more; %s, or set allow_conflict=true and skip the transaction there afterwards (ALTER SUBSCRIPTION ... SKIP)",
			j.target.Node, j.totals.Inserted, y.Subscription, y.Node, remedy))
	}
	return refusals
}
