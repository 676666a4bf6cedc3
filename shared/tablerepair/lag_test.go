package tablerepair

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ace/shared/fault"
	"ace/shared/table"
)

// laggard is a node whose subscriber lags by a number of bytes that depends on the time
// since it began.
type laggard struct {
	Node
	began   time.Time
	lag     func(since time.Duration) int64
	gone    bool
	flushed int
}

func (n *laggard) Name() string { return "n9" }

func (n *laggard) FlushLog(context.Context) error { n.flushed++; return nil }

func (n *laggard) Position(context.Context) (table.Position, error) {
	return table.Position{LSN: "0/1"}, nil
}

func (n *laggard) SlotLag(context.Context, string, string) (int64, bool, error) {
	return n.lag(time.Since(n.began)), !n.gone, nil
}

func TestPendingReplication_WaitsAMinuteForASubscription(t *testing.T) {
	tests := []struct {
		name string
		lag  func(since time.Duration) int64
		took time.Duration
		says string
	}{
		{"there is nothing to wait for", func(time.Duration) int64 { return 0 }, 0, ""},
		{"it catches up just in time", func(since time.Duration) int64 { return max(0, int64(59*time.Second-since)) }, 59 * time.Second, ""},
		{"it does not", func(time.Duration) int64 { return 4711 }, lagWait,
			`node "n8": subscription "s", which brings this table's changes from node "n9", has yet to apply 4711 bytes of log from before the repair; set allow_lag=true to repair anyway`},
		{"it catches up too late", func(since time.Duration) int64 { return max(0, int64(70*time.Second-since)) }, lagWait, "has yet to apply"},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			healthy := table.Subscription{Name: "s", Slot: "s", Enabled: true, Copied: true, Running: true}
			subscriber := subscriber{named{name: "n8"}, func() table.Subscription { return healthy }}
			o := pendingReplication{plan: &Plan{}, subscriber: subscriber, publisher: &laggard{began: began, lag: tt.lag}, lsn: "0/1", wait: true}
			ours, err := o.awaitSubscription(t.Context(), healthy)
			if took := time.Since(began); !ours || took < tt.took || took > tt.took+2*lagPolls().Max {
				t.Errorf("%s: it took %s", tt.name, took)
			}
			if says := fault.PublicMessage(err); (err == nil) != (tt.says == "") || !strings.Contains(says, tt.says) || err != nil && fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
	}
}

// subscriber is a node with one subscription, whose state changes.
type subscriber struct {
	named
	state func() table.Subscription
}

func (n subscriber) Subscriptions(context.Context, string, string) ([]table.Subscription, error) {
	return []table.Subscription{n.state()}, nil
}

// Case O-P13, see docs/RELIABILITY.md.
func TestPendingReplication_RecognizesASubscriptionThatFails(t *testing.T) {
	const dryRun, waits = false, true
	tests := []struct {
		name  string
		wait  bool
		state func(s *table.Subscription, since time.Duration)
		took  time.Duration
		says  string // of a subscription that fails; "" if it only lags
	}{
		{"every start ends with an error", waits, func(s *table.Subscription, since time.Duration) { s.Errors = 3 + int64(since/(5*time.Second)) }, 5 * time.Second, "has ended with an error 4 times"},
		{"in a dry run", dryRun, func(s *table.Subscription, since time.Duration) { s.Errors = 3 + int64(since/(5*time.Second)) }, 5 * time.Second, "has ended with an error 4 times"},
		{"there is no worker after an error", dryRun, func(s *table.Subscription, _ time.Duration) { s.Running, s.Errors = false, 1 }, failingAfter, "has ended with an error 1 times"},
		{"there is no worker, and errors are not counted", waits, func(s *table.Subscription, _ time.Duration) { s.Running = false }, lagWait, "its apply worker is not running"},
		{"an error has disabled it", dryRun, func(s *table.Subscription, _ time.Duration) { s.Enabled, s.DisableOnError, s.Errors = false, true, 1 }, 0, "the last error has disabled it"},
		{"a transaction is to be skipped", dryRun, func(s *table.Subscription, since time.Duration) {
			s.Errors, s.SkipLSN = 1+int64(since/time.Second), "0/AB"
		}, time.Second, "it is to skip the transaction at 0/AB"},
		{"it failed in the past", dryRun, func(s *table.Subscription, _ time.Duration) { s.Errors = 3 }, failingAfter, ""},
		{"it was disabled", dryRun, func(s *table.Subscription, _ time.Duration) { s.Enabled = false }, 0, ""},
		{"it only lags", dryRun, func(*table.Subscription, time.Duration) {}, 0, ""},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			state := func() table.Subscription {
				s := table.Subscription{Name: "s", Slot: "s", Enabled: true, Copied: true, Running: true}
				tt.state(&s, time.Since(began))
				return s
			}
			o := pendingReplication{
				plan: &Plan{}, subscriber: subscriber{named{name: "n8"}, state}, wait: tt.wait, lsn: "0/1",
				publisher: &laggard{began: began, lag: func(time.Duration) int64 { return 4711 }},
			}
			_, err := o.awaitSubscription(t.Context(), state())
			if took := time.Since(began); took < tt.took || took > tt.took+time.Second+2*lagPolls().Max {
				t.Errorf("%s: it took %s", tt.name, took)
			}
			says := fault.PublicMessage(err)
			fails := strings.Contains(says, `subscription "s", which brings this table's changes from node "n9", fails: `)
			if fails != (tt.says != "") || !strings.Contains(says, tt.says) || fails == strings.Contains(says, "allow_") || fails == fault.Retryable(err) {
				t.Errorf("%s: %s", tt.name, says)
			}
		})
	}
}

type named struct {
	Node
	name string
}

func (n named) Name() string { return n.name }

func TestAwaitSource_WaitsWhileReplicationMakesProgress(t *testing.T) {
	tests := []struct {
		name string
		lag  func(since time.Duration) int64
		gone bool
		took time.Duration
		says string
	}{
		{"it goes on for minutes", func(since time.Duration) int64 { return max(0, int64(3*time.Minute-since)) }, false, 3 * time.Minute, ""},
		{"it stands still", func(time.Duration) int64 { return 4711 }, false, sourceWait,
			`node "n9": replication has yet to bring 4711 bytes of its log to the source of truth, node "n1", and has made no progress for 30s; set allow_lag=true to repair anyway`},
		{"it goes on and then stands still", func(since time.Duration) int64 { return max(1, int64(time.Minute-since)) }, false, time.Minute + sourceWait, "has yet to bring 1 bytes"},
		{"the slot is gone", func(time.Duration) int64 { return 0 }, true, 0, `node "n9": replication slot "s", which sends this table's changes to the source of truth, node "n1"`},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			third := &laggard{began: began, lag: tt.lag, gone: tt.gone}
			a := &attempt{unitRun: &unitRun{
				unit: Unit{SourceFeeds: []Feed{{Node: "n9", Slot: "s"}}}, plan: &Plan{Source: "n1"}, target: &Target{Node: "n2"},
				others: map[string]Node{"n9": third},
			}}
			err := a.awaitSource(t.Context())
			if took := time.Since(began); took < tt.took || took > tt.took+2*lagPolls().Max {
				t.Errorf("%s: it took %s", tt.name, took)
			}
			if (err == nil) != (tt.says == "") || !strings.Contains(fault.PublicMessage(err), tt.says) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if want := min(1, int(tt.took)); third.flushed != want {
				t.Errorf("%s: the log was written %d times", tt.name, third.flushed)
			}
		})
	}
}
