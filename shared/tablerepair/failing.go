package tablerepair

import (
	"errors"
	"fmt"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

// errFailing means that a subscription fails again and again, so that waiting does not
// help.
var errFailing = errors.New("replication fails")

// observation detects a subscription that fails again and again. Its apply worker ends
// with an error and is started again after a few seconds.
type observation struct {
	first   table.Subscription // the state of the subscription when the observation began
	began   time.Time
	running time.Time // when the worker was seen running last, or began
}

func observe(s table.Subscription) observation {
	now := time.Now()
	return observation{first: s, began: now, running: now}
}

// failingAfter is the time within which a worker that fails ends with another error. It
// is longer than the 5 seconds (wal_retrieve_retry_interval) after which a server starts
// a worker again.
const failingAfter = 8 * time.Second

// isFailing reports whether the subscription fails. now is its current state. The caller
// must call isFailing only if the subscription has not applied everything. Errors from
// before the first state do not count, since their reason may have been removed. A
// subscription without a running worker does not count as failing, since the worker may
// have stopped because the publisher was restarted.
func (o *observation) isFailing(now table.Subscription) bool {
	if now.Running {
		o.running = time.Now()
	}
	if !now.Enabled {
		return now.DisableOnError && now.Errors > 0
	}
	return now.Errors > o.first.Errors
}

// isStopped reports whether the subscription has had no apply worker for a while.
func (o *observation) isStopped() bool { return time.Since(o.running) > failingAfter }

// isSuspicious reports whether the subscription may be failing: it has had errors, and
// has not been observed long enough to know whether it still fails. Then it must be
// observed for some seconds even if the repair does not wait for a lag.
func (o *observation) isSuspicious(now table.Subscription) bool {
	return now.Errors > 0 && time.Since(o.began) <= failingAfter+time.Second
}

func (o pendingReplication) failing(s table.Subscription) error {
	state := "its apply worker is not running"
	if s.Errors > 0 {
		state = fmt.Sprintf("its apply worker has ended with an error %d times", s.Errors)
	}
	if !s.Enabled {
		state += ", and the last error has disabled it"
	}
	if s.SkipLSN != "" {
		state += fmt.Sprintf(" (it is to skip the transaction at %s)", s.SkipLSN)
	}
	return fault.Wrap(errFailing, fault.Invalid, "node %q: subscription %q, which brings this table's changes from node %q, fails: %s. The server log of node %q has the reason, often a row that exists there already. Rows that are inserted now would only add conflicts. Remove the reason on node %q: change or delete the row that the log names, or skip the transaction with the LSN from the log: ALTER SUBSCRIPTION %s SKIP (lsn = '...'). When the subscription has caught up, compare and repair again",
		o.subscriber.Name(), s.Name, o.publisher.Name(), state, o.subscriber.Name(), o.subscriber.Name(), table.Quote(s.Name))
}
