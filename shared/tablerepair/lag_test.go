package tablerepair

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/task"
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
		{"there is no worker after an error", waits, func(s *table.Subscription, _ time.Duration) { s.Running, s.Errors = false, 1 }, lagWait, "has ended with an error 1 times"},
		{"in a dry run, there is no worker after an error", dryRun, func(s *table.Subscription, _ time.Duration) { s.Running, s.Errors = false, 1 }, failingAfter, ""},
		{"the publisher was restarted after an error in the past", waits, func(s *table.Subscription, since time.Duration) {
			s.Running, s.Errors = since > 20*time.Second, 1
		}, lagWait, ""},
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

// feed is a publisher with one slot.
type feed struct {
	named
	slot string
	lag  func() int64
}

func (n feed) FlushLog(context.Context) error { return nil }

func (n feed) Position(context.Context) (table.Position, error) {
	return table.Position{LSN: "0/1", Snapshot: "7:7:"}, nil
}

func (n feed) SlotLag(_ context.Context, slot, _ string) (int64, bool, error) {
	return n.lag(), slot == n.slot, nil
}

// fed is a node with subscriptions.
type fed struct {
	feed
	subscriptions func() []table.Subscription
}

func (n fed) Subscriptions(context.Context, string, string) ([]table.Subscription, error) {
	return n.subscriptions(), nil
}

func (n fed) Expecting(table.Identity) Node { return n }

func (n fed) Discreet() Node { return n }

// opener opens nodes by name.
type opener map[string]fed

func (o opener) Open(_ context.Context, _, _ string, names []string) (nodes []Node, err error) {
	for _, name := range names {
		nodes = append(nodes, o[name])
	}
	return nodes, nil
}

// One subscription of the source lags and another one fails. The flag that ignores one of
// the two problems must not end the check for the other.
func TestCheckReplication_IgnoresOneProblemAndChecksTheOthers(t *testing.T) {
	catchesUp := func(since time.Duration) int64 { return max(0, int64(20*time.Second-since)) }
	tests := []struct {
		name                    string
		allowLag, allowConflict bool
		lagging, failing        string // the nodes
		lag                     func(since time.Duration) int64
		problem                 error
		took                    time.Duration
		feeds                   []Feed
	}{
		{"allow_conflict waits for the lag of a later node", false, true, "n3", "n2", catchesUp, nil, 20 * time.Second, []Feed{{Node: "n3", Slot: "s_n3"}}},
		{"allow_conflict waits for the lag of an earlier node", false, true, "n2", "n3", catchesUp, nil, 20 * time.Second, []Feed{{Node: "n2", Slot: "s_n2"}}},
		{"allow_conflict does not ignore a lag", false, true, "n3", "n2", func(time.Duration) int64 { return 4711 }, errLagging, lagWait, nil},
		{"allow_lag does not ignore a later failure", true, false, "n2", "n3", catchesUp, errFailing, 0, nil},
		{"both", true, true, "n2", "n3", catchesUp, nil, 0, nil},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			nodes := opener{}
			for _, name := range []string{"n1", "n2", "n3"} {
				nodes[name] = fed{feed{named{name: name}, "s_" + name, func() int64 { return 1 }}, func() []table.Subscription { return nil }}
			}
			lagging := nodes[tt.lagging]
			lagging.lag = func() int64 { return tt.lag(time.Since(began)) }
			nodes[tt.lagging] = lagging
			source := nodes["n1"]
			source.subscriptions = func() []table.Subscription {
				var all []table.Subscription
				for _, from := range []string{"n2", "n3"} {
					s := table.Subscription{Name: "s_" + from, Slot: "s_" + from, Enabled: true, Copied: true, Running: true}
					if from == tt.failing {
						s.Enabled, s.DisableOnError, s.Errors = false, true, 1
					}
					all = append(all, s)
				}
				return all
			}
			nodes["n1"] = source

			r := &run{
				Coordinator: &Coordinator{nodes: nodes},
				plan:        &Plan{Source: "n1", Targets: []Target{{Node: "n2", Keys: Keys{Count: 1}}}},
				progress:    progress{report: func(task.Progress) {}},
				req:         Request{Nodes: []string{"n1", "n2", "n3"}, AllowLag: tt.allowLag, AllowConflict: tt.allowConflict},
			}
			r.checkReplication(t.Context())

			found := r.replication[0]
			if !errors.Is(found.problem, tt.problem) {
				t.Errorf("%s: %v", tt.name, found.problem)
			}
			if took := time.Since(began); took < tt.took || took > tt.took+2*lagPolls().Max {
				t.Errorf("%s: it took %s", tt.name, took)
			}
			if diff := cmp.Diff(tt.feeds, found.sourceFeeds); diff != "" {
				t.Errorf("%s: %s", tt.name, diff)
			}
			if warnings := strings.Join(found.warnings, "\n"); tt.allowConflict != strings.Contains(warnings, `from node "`+tt.failing+`", fails`) {
				t.Errorf("%s: warnings %q", tt.name, warnings)
			}
		})
	}
}

func TestCheckReplication_APanicIsAProblem(t *testing.T) {
	nodes := opener{}
	for _, name := range []string{"n1", "n2"} {
		nodes[name] = fed{feed{named: named{name: name}}, func() []table.Subscription { panic("a defect") }}
	}
	r := &run{
		Coordinator: &Coordinator{nodes: nodes},
		plan:        &Plan{Source: "n1", Targets: []Target{{Node: "n2", Keys: Keys{Count: 1}}}},
		progress:    progress{report: func(task.Progress) {}},
		req:         Request{Nodes: []string{"n1", "n2"}, AllowLag: true, AllowConflict: true},
	}
	r.checkReplication(t.Context())
	if problem := r.replication[0].problem; fault.CodeOf(problem) != fault.Internal {
		t.Errorf("the problem is %v, want an Internal one", problem)
	}
}
