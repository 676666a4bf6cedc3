//go:build !unit

package tablerepair_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/difftest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/pgtest"
	"ace/shared/difffile"
	"ace/shared/fault"
	"ace/shared/tablerepair"
	"ace/shared/task"
)

// The rows of public.t on three nodes, and those that a majority has. Keys 1 and 4 change
// on one node each, 2 on another one, and 5 is undecided.
var (
	ruleBefore  = [3]string{"(1,x) (2,b) (3,c) (5,1)", "(1,a) (2,b) (3,c) (4,d) (5,2)", "(1,a) (2,y) (3,c) (4,d) (5,3)"}
	ruleDecided = [3]string{"(1,a) (2,b) (3,c) (4,d) (5,1)", "(1,a) (2,b) (3,c) (4,d) (5,2)", "(1,a) (2,b) (3,c) (4,d) (5,3)"}
)

// newRuleBench stores the task of a repair of public.t by a majority of three nodes.
// order permutes the nodes of the cluster.
func newRuleBench(t *testing.T, c *pgtest.Cluster, order ...string) *bench {
	t.Helper()
	c.ExecAll(t, `DROP TABLE IF EXISTS t`, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	for node, rows := range ruleBefore {
		for row := range strings.FieldsSeq(rows) {
			id, v, _ := strings.Cut(strings.Trim(row, "()"), ",")
			c.Exec(t, node, fmt.Sprintf(`INSERT INTO t VALUES (%s, '%s')`, id, v))
		}
	}

	b := newBench(t, c)
	one := func(key string) difftest.Found {
		return difftest.Found{Rows: [2]difffile.Row{difftest.Row(key), difftest.Row(key)}}
	}
	b.setDocument(t, difftest.List{
		{"n1", "n2"}: {one("1"), one("5"), {Rows: [2]difffile.Row{nil, difftest.Row("4")}}}, {"n2", "n3"}: {one("2"), one("5")},
	})
	b.job.Source, b.job.Resolve, b.job.Nodes = "", &tablerepair.Rule{Strategy: tablerepair.Majority}, []string{"n1", "n2", "n3"}
	if order != nil {
		b.job.Nodes = order
	}
	return b
}

// setDocument stores a document about three nodes, by which the bench then repairs.
func (b *bench) setDocument(t *testing.T, found difftest.List) {
	t.Helper()
	c := b.cluster
	summary := difftest.Summary([]string{"n1", "n2", "n3"}, difffile.Column{Name: "id", Type: "integer"})
	summary.ClusterName, summary.DBName, summary.Schema, summary.Table = c.Name, c.DB, "public", "t"
	doc := difftest.Document(t, summary, found.Each)
	sum := sha256.Sum256(doc)
	b.job.Input = task.Document{Key: fmt.Sprintf("imports/%x.json", sum), Size: int64(len(doc)), SHA256: hex.EncodeToString(sum[:])}
	if _, err := b.store.Put(t.Context(), b.job.Input.Key, "application/json", bytes.Clone(doc)); err != nil {
		t.Fatal(err)
	}
}

// rowsOf returns the table's rows on every node.
func (b *bench) rowsOf(t *testing.T) (rows [3]string) {
	t.Helper()
	for node := range rows {
		rows[node] = b.cluster.QueryStrings(t, node, `SELECT coalesce(string_agg(t::text, ' ' ORDER BY id), '') FROM t`)[0][0]
	}
	return rows
}

// wantDecided checks that every node has the winners, and that the undo restores the
// rows.
func (b *bench) wantDecided(t *testing.T, r tablerepair.Result, err error) {
	t.Helper()
	if got := b.rowsOf(t); err != nil || got != ruleDecided {
		t.Fatalf("error %v, the nodes have %v", err, got)
	}
	if r.Rule == nil || r.Rule.Undecided != 1 || len(r.Rule.UndecidedKeys) != 1 || r.Rule.UndecidedKeys[0].Key[0] != "5" {
		t.Errorf("the result is %+v", r.Rule)
	}
	if len(r.Nodes) != 3 || slices.ContainsFunc(r.Nodes, func(n tablerepair.NodeResult) bool { return n.Outcome != tablerepair.Committed }) {
		t.Errorf("the nodes are %+v", r.Nodes)
	}
	b.at = nil
	if _, err := b.takeBack(t, "n1", "n2", "n3"); err != nil || b.rowsOf(t) != ruleBefore {
		t.Errorf("after the undo: %v, error %v", b.rowsOf(t), err)
	}
}

func TestRule_DoesNotDependOnTheOrderOfTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	for _, order := range [][]string{{"n1", "n2", "n3"}, {"n3", "n1", "n2"}, {"n2", "n3", "n1"}} {
		b := newRuleBench(t, c, order...)
		r, err := b.run(t.Context(), t)
		b.wantDecided(t, r, err)
	}
}

// The runner stops at each object that it stores, in turn. Another run finishes the
// repair by the decisions that are stored.
func TestRule_AnotherRunFinishesAfterACrashAtAnyStoredObject(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	for _, op := range []faulty.Op{faulty.PutIfAbsent, faulty.Commit} {
		for nth, more := 1, true; more; nth++ {
			b := newRuleBench(t, c)
			held := b.acquire(t)
			ctx, crash := context.WithCancel(t.Context())
			calls := b.store.Count(op, "")
			b.store.On(op, "", func(call int) faulty.Outcome {
				if call != nth {
					return faulty.Pass
				}
				crash()
				return faulty.FailAfter
			})
			_, _ = b.runAs(ctx, held)
			more = b.store.Count(op, "")-calls >= nth
			b.store.Heal()
			r, err := b.run(t.Context(), t)
			b.wantDecided(t, r, err)
			crash()
		}
	}
}

// An application changes a row on one node after the keys were decided. The row is left
// alone on every node that is repaired after that.
func TestRule_LeavesARowAloneThatChangedAfterTheDecision(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	tests := []struct {
		name, before, sql string
		node              int
		want              [3]string
		undecided         string
	}{
		{
			"another node's row, before the target is locked", "n1 Lock", `UPDATE t SET v = 'z' WHERE id = 1`, 2,
			[3]string{"(1,x) (2,b) (3,c) (4,d) (5,1)", "(1,a) (2,b) (3,c) (4,d) (5,2)", "(1,z) (2,b) (3,c) (4,d) (5,3)"}, "node n1 was not changed: changed on n3 after it was decided",
		},
		{
			"the target's own row", "n1 TryAdvisoryLock", `UPDATE t SET v = 'z' WHERE id = 1`, 0,
			[3]string{"(1,z) (2,b) (3,c) (4,d) (5,1)", "(1,a) (2,b) (3,c) (4,d) (5,2)", "(1,a) (2,b) (3,c) (4,d) (5,3)"}, "changed on n1 after it was decided",
		},
		{
			"another node's row, after the insertion", "n1 Insert", `DELETE FROM t WHERE id = 4`, 1,
			[3]string{"(1,a) (2,b) (3,c) (5,1)", "(1,a) (2,b) (3,c) (5,2)", "(1,a) (2,b) (3,c) (4,d) (5,3)"}, "changed on n2 after it was decided",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newRuleBench(t, c)
			b.once(tt.before, func() { c.Exec(t, tt.node, tt.sql) })
			r, err := b.run(t.Context(), t)
			if got := b.rowsOf(t); err != nil || got != tt.want {
				t.Fatalf("error %v, the nodes have %v", err, got)
			}
			if text, _ := json.Marshal(r.Rule); r.Rule.Undecided != 2 || !strings.Contains(string(text), tt.undecided) {
				t.Errorf("the result is %s", text)
			}
		})
	}
}

// Two nodes have thousands of rows to change, so that the other nodes are read by ranges
// of keys. An application changes some rows on each node after the keys were decided.
func TestRule_LeavesOnlyTheChangedOnesOfManyRowsAlone(t *testing.T) {
	t.Parallel()
	const rows = 12_000 // more than a part of keys
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	b := newRuleBench(t, c)
	c.ExecAll(t, `TRUNCATE t`, fmt.Sprintf(`INSERT INTO t SELECT i, 'right' FROM generate_series(1, %d) i`, rows))
	c.Exec(t, 0, `UPDATE t SET v = 'n1' WHERE id % 3 = 0`, `DELETE FROM t WHERE id % 30 = 1`)
	c.Exec(t, 2, `UPDATE t SET v = 'n3' WHERE id % 3 = 2`, `INSERT INTO t SELECT i, 'surplus' FROM generate_series(20001, 20100) i`)

	found := difftest.List{}
	for id := 1; id <= rows; id++ {
		for pair, differs := range map[difffile.Pair]bool{{"n1", "n2"}: id%3 == 0 || id%30 == 1, {"n2", "n3"}: id%3 == 2} {
			if key := fmt.Sprint(id); differs {
				found[pair] = append(found[pair], difftest.Found{Rows: [2]difffile.Row{difftest.Row(key), difftest.Row(key)}})
			}
		}
	}
	for id := 20001; id <= 20100; id++ {
		found[difffile.Pair{"n2", "n3"}] = append(found[difffile.Pair{"n2", "n3"}], difftest.Found{Rows: [2]difffile.Row{nil, difftest.Row(fmt.Sprint(id))}})
	}
	b.setDocument(t, found)

	b.once("n1 TryAdvisoryLock", func() {
		c.Exec(t, 0, `UPDATE t SET v = 'new' WHERE id IN (3000, 9000)`)
		c.Exec(t, 1, `UPDATE t SET v = 'new' WHERE id IN (3003, 9003, 4001)`, `DELETE FROM t WHERE id IN (3006, 31)`)
		c.Exec(t, 2, `UPDATE t SET v = 'new' WHERE id IN (3009, 4004)`, `DELETE FROM t WHERE id IN (20001, 61)`)
	})
	r, err := b.run(t.Context(), t)
	if err != nil {
		t.Fatal(err)
	}
	if r.Rule.Undecided != 10 { // 31, 61, 3000, 3003, 3006, 3009, 9000, 9003 on n1, 4001 and 4004 on n3
		t.Errorf("%d rows are undecided: %+v", r.Rule.Undecided, r.Rule.UndecidedKeys)
	}
	for node, want := range []string{
		"3000:new 3003:n1 3006:n1 3009:n1 9000:new 9003:n1",
		"3003:new 4001:new 9003:new",
		"3009:new 4001:n3 4004:new",
	} {
		got := c.QueryStrings(t, node, `SELECT coalesce(string_agg(id || ':' || v, ' ' ORDER BY id), '') FROM t WHERE v <> 'right'`)[0][0]
		if got != want {
			t.Errorf("n%d has %s, want %s", node+1, got, want)
		}
	}
	for node, want := range []string{"31 61", "31 3006", "61"} {
		got := c.QueryStrings(t, node, fmt.Sprintf(`SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), '') FROM generate_series(1, %d) i WHERE i NOT IN (SELECT id FROM t)`, rows))[0][0]
		if got != want {
			t.Errorf("n%d lacks %s, want %s", node+1, got, want)
		}
	}
}

// Sessions end at each call of a node. The repair makes another attempt.
func TestRule_IsRepeatedWhenSessionsEndAtAnyStage(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	for _, stage := range []string{"n2 Rows", "n2 Digests", "n1 Insert", "n3 Commit"} {
		t.Run("before "+stage, func(t *testing.T) {
			b := newRuleBench(t, c)
			b.once(stage, func() { c.ExecAll(t, endSessions) })
			r, err := b.run(t.Context(), t)
			b.wantDecided(t, r, err)
		})
	}
}

// The runner stops after the first node was committed, and another node is gone when the
// next run continues. The result says what was committed, by the decisions of the first
// run.
func TestRule_ReportsCommittedNodesIfAnotherNodeIsGoneAfterACrash(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	b := newRuleBench(t, c)
	ctx, crash := context.WithCancel(t.Context())
	b.once("n3 TryAdvisoryLock", crash)
	if _, err := b.run(ctx, t); err == nil {
		t.Fatal("the run did not stop")
	}

	b.gone = "n2"
	r, err := b.run(t.Context(), t)
	if err == nil || !strings.Contains(err.Error(), `"n2" is gone`) {
		t.Errorf("error %v", err)
	}
	if len(r.Nodes) != 3 || r.Nodes[0].Outcome != tablerepair.Committed || r.Nodes[2].Outcome == tablerepair.Committed || r.Rule == nil || r.Rule.Undecided != 1 {
		t.Fatalf("the result is %+v", r)
	}
	if got := b.rowsOf(t); got != [3]string{ruleDecided[0], ruleBefore[1], ruleBefore[2]} {
		t.Errorf("the nodes have %v", got)
	}
}

// A task is cancelled while the first of its nodes is changed. The nodes after it were
// not changed, and the result says so.
func TestRule_CancelledBetweenTwoNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	b := newRuleBench(t, c)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	b.commit = func(ctx context.Context, real func(context.Context) error) error {
		err := real(ctx)
		cancel(fault.New(fault.Cancelled, "cancelled"))
		return err
	}
	r, err := b.run(ctx, t)
	if fault.CodeOf(err) != fault.Cancelled || len(r.Nodes) != 3 || r.Nodes[0].Outcome != tablerepair.Committed || r.Nodes[2].Outcome != tablerepair.RolledBack {
		t.Errorf("error %v, the result is %+v", err, r)
	}
	if got := b.rowsOf(t); got != [3]string{ruleDecided[0], ruleBefore[1], ruleBefore[2]} {
		t.Errorf("the nodes have %v", got)
	}
}

// Replication brings a composed winner to a node before that node is changed. The row is
// the winner then, although its digest was not known when the key was decided.
func TestRule_AcceptsAComposedRowThatReplicationBrought(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	b := newRuleBench(t, c)
	b.job.Resolve = &tablerepair.Rule{Strategy: tablerepair.FillNulls}
	c.ExecAll(t, `ALTER TABLE t ADD w text`, `DELETE FROM t`)
	for node, row := range []string{`(1, 'x', NULL)`, `(1, NULL, 'y')`, `(1, NULL, NULL)`} {
		c.Exec(t, node, `INSERT INTO t VALUES `+row)
	}

	b.once("n2 Lock", func() { c.Exec(t, 1, `UPDATE t SET v = 'x'`) })
	r, err := b.run(t.Context(), t)
	if got := b.rowsOf(t); err != nil || got != [3]string{"(1,x,y)", "(1,x,y)", "(1,x,y)"} {
		t.Fatalf("error %v, the nodes have %v", err, got)
	}
	if r.Rule.Undecided != 0 || r.Nodes[1].Totals.Unchanged != 1 {
		t.Errorf("undecided %v, n2 %+v", r.Rule, r.Nodes[1])
	}
}
