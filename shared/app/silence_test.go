//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
	"ace/shared/archive"
)

const (
	// silentTimeout is the limit of a statement, and of the wait for an answer while a
	// repair may hold locks.
	silentTimeout = 2 * time.Second
	// silentEnd bounds a task with a silent node: each of its steps connects twice to a node
	// that does not answer, for ten seconds. It leaves time for a loaded machine.
	silentEnd = 2 * time.Minute
	// silentLocks bounds how long a repair with a silent node keeps rows locked.
	silentLocks = 15 * time.Second
)

// silenceBench is a cluster of two nodes, each reached through a proxy that can fall
// silent, with a table whose rows differ on both nodes.
type silenceBench struct {
	cluster *pgtest.Cluster // the definition that leads to the proxies
	proxies []*pgtest.Proxy
	store   archive.Store
	diff    string     // a comparison of the table
	repair  string     // a repair of n2 from n1
	planted [][]string // the rows of n2 before the repair
}

func newSilenceBench(t *testing.T) *silenceBench {
	t.Helper()
	c := pgtest.NewCluster(t)
	b := &silenceBench{cluster: c, store: apptest.Store(t)}
	for i := range c.Nodes {
		b.proxies = append(b.proxies, pgtest.NewProxy(t, c.Nodes[i]))
		b.cluster = pointed(b.cluster, i, "127.0.0.1", b.proxies[i].Port())
	}
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 60) i`)
	b.plant(t)
	b.planted = content(t, b.cluster, 1, "t")
	s := b.service(t)
	b.diff = s.Diff(t, "public.t").TaskID
	b.repair = repair(t, s, b.diff, "n1", nil).TaskID
	return b
}

// plant makes the rows differ as the document of the comparison has them.
func (b *silenceBench) plant(t *testing.T) {
	t.Helper()
	b.cluster.Exec(t, 0, `TRUNCATE t`, `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 60) i WHERE i <> 7`)
	b.cluster.Exec(t, 1, `TRUNCATE t`, `INSERT INTO t SELECT i, CASE WHEN i IN (5, 6) THEN 'x' ELSE 'v' || i END FROM generate_series(1, 60) i WHERE i <> 8`)
}

// service returns a service with short bounds.
func (b *silenceBench) service(t *testing.T) *apptest.Service {
	t.Helper()
	return apptest.New(t, b.cluster, apptest.Options{
		Store: b.store, Parallel: 1, Timeout: silentTimeout, Patience: time.Second,
		AnswerMargin: 500 * time.Millisecond, RepairAnswerTimeout: silentTimeout,
	})
}

// silentOperations are the operations during which a node may fall silent.
func silentOperations() map[string]func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus {
	return map[string]func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus{
		"diff": func(t *testing.T, _ *silenceBench, s *apptest.Service) api.TaskStatus {
			return s.Wait(t, s.Submit(t, "public.t"))
		},
		"rerun": func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus {
			return s.Wait(t, s.SubmitRerun(t, b.diff, "public.t"))
		},
		"repair": func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus {
			return s.Wait(t, submitRepair(t, s, b.diff, "n1", nil))
		},
		"dry run": func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus {
			return s.Wait(t, submitRepair(t, s, b.diff, "n1", dryRun))
		},
		"undo": func(t *testing.T, b *silenceBench, s *apptest.Service) api.TaskStatus {
			u := undo(t, s, b.repair, nil)
			return api.TaskStatus{TaskID: u.TaskID, Status: u.Status, Error: u.Error}
		},
	}
}

// reset prepares the rows for an operation.
func (b *silenceBench) reset(t *testing.T, operation string) {
	t.Helper()
	b.plant(t)
	if operation == "undo" { // the rows are as the repair left them
		b.cluster.Exec(t, 1, `TRUNCATE t`, `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 60) i WHERE i <> 7`)
	}
}

// states returns the rows of the target before an operation, and as they are if it
// completes.
func (b *silenceBench) states(t *testing.T, operation string) (before, after [][]string) {
	t.Helper()
	before = content(t, b.cluster, 1, "t")
	switch operation {
	case "repair":
		return before, content(t, b.cluster, 0, "t")
	case "undo":
		return before, b.planted
	}
	return before, before
}

// messages runs an operation and returns what it sends to each node.
func (b *silenceBench) messages(t *testing.T, operation string) (sent [][]string) {
	t.Helper()
	b.reset(t, operation)
	var ends []func() []string
	for _, proxy := range b.proxies {
		ends = append(ends, proxy.Record())
	}
	if status := silentOperations()[operation](t, b, b.service(t)); status.Status != api.StatusCompleted {
		t.Fatalf("without silence the task ended %s: %s", status.Status, status.Error)
	}
	for _, end := range ends {
		sent = append(sent, end())
	}
	return sent
}

// run runs an operation during which a node falls silent, and checks its end.
func (b *silenceBench) run(t *testing.T, operation string, node int, silence func(*pgtest.Proxy) <-chan struct{}, frozen bool) {
	t.Helper()
	b.reset(t, operation)
	before, after := b.states(t, operation)
	s := b.service(t)
	proxy := b.proxies[node]
	fired := silence(proxy)
	defer proxy.Resume()

	freed := make(chan time.Duration, 1)
	ended := make(chan struct{})
	go func() {
		defer close(freed)
		select {
		case <-ended:
		case <-fired:
			if node != 1 || !frozen { // the locks of a stopped backend end with the backend
				freed <- b.lockRow(t)
			}
		}
	}()

	began := time.Now()
	status := silentOperations()[operation](t, b, s)
	took := time.Since(began)
	close(ended)
	waited := <-freed
	select {
	case <-fired:
	default:
		t.Errorf("no node fell silent; the task ended %s %s", status.Status, status.Error)
	}

	t.Logf("%s after %.1f s, row locked for %.1f s: %s", status.Status, took.Seconds(), waited.Seconds(), status.Error)
	if took > silentEnd || waited > silentLocks {
		t.Errorf("the task took %s and its locks were held for %s, want at most %s and %s", took, waited, silentEnd, silentLocks)
	}
	name := fmt.Sprintf(`node "n%d"`, node+1)
	if status.Status == api.StatusFailed && !strings.Contains(status.Error, name) {
		t.Errorf("the error does not name %s: %s", name, status.Error)
	}
	if status.Status != api.StatusFailed && status.Status != api.StatusCompleted {
		t.Errorf("the task ended %s: %s", status.Status, status.Error)
	}

	proxy.Resume()
	b.cluster.Exec(t, 1, `SET lock_timeout = '10s'`, `BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; COMMIT`)
	now := content(t, b.cluster, 1, "t")
	if !cmp.Equal(now, after) && (status.Status == api.StatusCompleted || !cmp.Equal(now, before)) {
		t.Errorf("the task ended %s, and the rows are neither as before nor as they should be:\n%s", status.Status, cmp.Diff(after, now))
	}
}

// lockRow locks a row on the target, and returns how long it waited.
func (b *silenceBench) lockRow(t *testing.T) time.Duration {
	began := time.Now()
	b.cluster.Exec(t, 1, `SET lock_timeout = '100s'`, `SELECT FROM t WHERE id = 5 FOR UPDATE`)
	return time.Since(began)
}

// Cases O-F3 and O-F4, see docs/RELIABILITY.md. Each step is one message to a node.
func TestSilence_ASilentNodeEndsAStatementAndFreesTheLocks(t *testing.T) {
	t.Parallel()
	for operation, steps := range map[string][]struct {
		node int
		at   string
		how  pgtest.Silence
	}{
		"diff": {
			{0, "hash_record_extended", pgtest.Unreachable},
			{1, "LOCK TABLE", pgtest.Frozen},
		},
		"repair": {
			{0, "LOCK TABLE", pgtest.AnswerLost}, // the source, while the target's rows are locked
			{1, "pg_try_advisory_xact_lock", pgtest.RequestLost},
			{1, "FOR UPDATE", pgtest.AnswerLost},
			{1, `SET "v"`, pgtest.Frozen},
			{1, "COMMIT", pgtest.AnswerLost},
		},
		"dry run": {{0, "LOCK TABLE", pgtest.Frozen}},
		"rerun":   {{1, "ace_inner", pgtest.AnswerLost}},
		"undo":    {{1, "INSERT INTO", pgtest.AnswerLost}},
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			b := newSilenceBench(t)
			for _, step := range steps {
				t.Run(fmt.Sprintf("n%d, %s at %s", step.node+1, step.how, step.at), func(t *testing.T) {
					b.run(t, operation, step.node, func(p *pgtest.Proxy) <-chan struct{} { return p.SilenceAt(step.at, step.how) }, step.how == pgtest.Frozen)
				})
			}
		})
	}
}

// Cases O-F3 and O-F4, see docs/RELIABILITY.md. A node falls silent at a message that is
// chosen at random from all that an operation sends to it.
func TestSilence_AtAnyMessageOfAnOperation(t *testing.T) {
	t.Parallel()
	b := newSilenceBench(t)
	ways := []pgtest.Silence{pgtest.RequestLost, pgtest.AnswerLost, pgtest.Unreachable, pgtest.Frozen}
	operations := slices.Sorted(maps.Keys(silentOperations()))
	random := rand.New(rand.NewPCG(soak.Seed(t), 0))
	sent := map[string][][]string{} // by operation and node
	rounds := soak.Rounds(t, 2, 400)
	for range rounds {
		operation := operations[random.IntN(len(operations))]
		if sent[operation] == nil {
			sent[operation] = b.messages(t, operation)
		}
		node := random.IntN(len(b.proxies))
		if len(sent[operation][node]) == 0 { // an undo does not use the source
			node = 1
		}
		count := len(sent[operation][node])
		n, how := random.IntN(count), ways[random.IntN(len(ways))]
		t.Run(fmt.Sprintf("%s, n%d, %s at message %d of %d", operation, node+1, how, n, count), func(t *testing.T) {
			b.run(t, operation, node, func(p *pgtest.Proxy) <-chan struct{} { return p.SilenceAtMessage(n, how) }, how == pgtest.Frozen)
		})
	}
	soak.Report(t, "%d silences", rounds)
}
