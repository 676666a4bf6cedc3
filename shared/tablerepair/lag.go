package tablerepair

import (
	"context"
	"fmt"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

const (
	// lagWait is how long it is waited for replication to catch up, lagPoll how often it is looked at.
	lagWait = 60 * time.Second
	lagPoll = 500 * time.Millisecond
)

// checkLag makes sure that replication from the source owes the target nothing: a row that is inserted by a repair and
// comes by replication afterwards stops the subscription for ever. With wait false it only tells.
func checkLag(ctx context.Context, p *Plan, source, target Node, position string, wait bool) error {
	subscriptions, err := target.Subscriptions(ctx, p.Schema, p.Table)
	if err != nil {
		return err
	}
	for _, s := range subscriptions {
		if s.Slot == "" {
			continue // it comes from nowhere: nothing is owed
		}
		if err := checkSubscription(ctx, s, source, target, position, wait); err != nil {
			return err
		}
	}
	return nil
}

func checkSubscription(ctx context.Context, s table.Subscription, source, target Node, position string, wait bool) error {
	for deadline := time.Now().Add(lagWait); ; {
		behind, ours, err := source.Behind(ctx, s.Slot, position)
		switch {
		case err != nil || !ours:
			return err
		case !s.Enabled:
			return lagging(s, source, target, "is disabled, and what it has not applied yet would collide with the repair")
		case behind == 0:
			return nil
		case !wait || time.Now().After(deadline):
			return lagging(s, source, target, fmt.Sprintf("has still to apply %d bytes of log from before the repair", behind))
		}
		if err := sleep(ctx, lagPoll); err != nil {
			return err
		}
	}
}

func lagging(s table.Subscription, source, target Node, why string) error {
	return fault.New(fault.Unavailable, "node %q: subscription %q, which brings this table's changes from node %q, %s; allow_lag=true repairs all the same",
		target.Name(), s.Name, source.Name(), why)
}
