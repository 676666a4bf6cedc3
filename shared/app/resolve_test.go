//go:build !unit

package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// versions are the rows of a table on three nodes: for each key, the names and cities on
// n1, n2 and n3. "" means that the node lacks the row, and "-" is NULL. The number is the
// second of the commit.
var versions = map[int][3]string{
	1: {"a x 0", "a x 0", "a x 0"}, // equal
	2: {"a x 0", "b x 9", "a x 0"}, // n2 wrote last, n1 and n3 agree
	3: {"a x 0", "", ""},           // only n1
	4: {"a x 0", "a x 0", ""},      // all but n3
	5: {"a - 0", "a x 5", "a - 0"}, // n2 has a value for a NULL
	6: {"a - 0", "- x 0", "- - 0"}, // the values are on two nodes
	7: {"a x 0", "b x 3", "c x 9"}, // all differ, n3 wrote last
}

// plant creates the table on three nodes with the rows of versions.
func plant(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	c.ExecAll(t, fmt.Sprintf(`CREATE TABLE %s (id int PRIMARY KEY, name text, city text)`, table))
	for node := range c.Nodes {
		statements := []string{ // the origin is only there to set the commit times
			fmt.Sprintf(`SELECT pg_replication_origin_create('%s')`, table), fmt.Sprintf(`SELECT pg_replication_origin_session_setup('%s')`, table),
		}
		for id, of := range versions {
			var name, city string
			var second int
			if n, _ := fmt.Sscan(of[node], &name, &city, &second); n == 3 {
				statements = append(statements, fmt.Sprintf(`SELECT pg_replication_origin_xact_setup('0/1', '2026-01-02 03:04:%02d+00');
					INSERT INTO %s VALUES (%d, nullif('%s', '-'), nullif('%s', '-'))`, second, table, id, name, city))
			}
		}
		c.Exec(t, node, statements...)
	}
}

// nodeContents returns the rows of a table on all nodes.
func nodeContents(t *testing.T, c *pgtest.Cluster, table string) []string {
	t.Helper()
	var nodes []string
	for node := range c.Nodes {
		var rows []string
		for _, row := range content(t, c, node, table) {
			rows = append(rows, row[0])
		}
		nodes = append(nodes, strings.Join(rows, " "))
	}
	return nodes
}

func byRule(resolve string, more func(*api.TableRepairRequest)) func(*api.TableRepairRequest) {
	return func(r *api.TableRepairRequest) {
		r.Resolve, r.SourceOfTruth = resolve, ""
		if more != nil {
			more(r)
		}
	}
}

// By each strategy, every node gets the version that wins, and undecided keys are left
// alone everywhere. The repair does what the dry run announced, and can be undone.
func TestTableRepair_ByRule(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(3), pgtest.ServerSetting("track_commit_timestamp", "on"))
	s := apptest.New(t, c, apptest.Options{})
	tests := []struct {
		name, resolve string
		change        func(*api.TableRepairRequest)
		want          [3]string
		undecided     []string // the keys
		reason        string   // in the report
	}{
		{
			"newest", api.ResolveNewest, nil,
			onNodes("(1,a,x) (2,b,x) (3,a,x) (4,a,x) (5,a,x) (6,a,) (7,c,x)", 6, "(6,a,)", "(6,,x)", "(6,,)"), []string{"6"}, "n3 wrote last, at 2026-01-02T03:04:09.000000Z",
		},
		{
			"newest_tie", api.ResolveNewest, func(r *api.TableRepairRequest) { r.SourceOfTruth = "n2"; r.Missing = api.MissingDelete },
			onNodes("(1,a,x) (2,b,x) (5,a,x) (6,,x) (7,c,x)", 0), nil, "n2 is the source of truth",
		},
		{
			"newest_skip", api.ResolveNewest, func(r *api.TableRepairRequest) { r.Missing = api.MissingSkip; r.Nodes = []string{"n1"} },
			[3]string{"(1,a,x) (2,b,x) (3,a,x) (4,a,x) (5,a,x) (6,a,) (7,c,x)", "(1,a,x) (2,b,x) (4,a,x) (5,a,x) (6,,x) (7,b,x)", "(1,a,x) (2,a,x) (5,a,) (6,,) (7,c,x)"}, []string{"6"}, "n2 wrote last",
		},
		{
			"majority", api.ResolveMajority, nil,
			onNodes("(1,a,x) (2,a,x) (4,a,x) (5,a,) (6,a,) (7,a,x)", 6, "(6,a,) (7,a,x)", "(6,,x) (7,b,x)", "(6,,) (7,c,x)"), []string{"6", "7"}, "2 of 3 nodes lack the row",
		},
		{
			"union", api.ResolveUnion, nil,
			[3]string{"(1,a,x) (2,a,x) (3,a,x) (4,a,x) (5,a,) (6,a,) (7,a,x)", "(1,a,x) (2,b,x) (3,a,x) (4,a,x) (5,a,x) (6,,x) (7,b,x)", "(1,a,x) (2,a,x) (3,a,x) (4,a,x) (5,a,) (6,,) (7,c,x)"},
			[]string{"2", "5", "6", "7"}, "missing on n2, n3; all nodes that have the row agree",
		},
		{
			"fill_nulls", api.ResolveFillNulls, nil,
			[3]string{"(1,a,x) (2,a,x) (3,a,x) (4,a,x) (5,a,x) (6,a,x) (7,a,x)", "(1,a,x) (2,b,x) (4,a,x) (5,a,x) (6,a,x) (7,b,x)", "(1,a,x) (2,a,x) (5,a,x) (6,a,x) (7,c,x)"},
			[]string{"2", "3", "4", "7"}, "put together from the values that are not NULL",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := "public.t_" + tt.name
			plant(t, c, table)
			before := nodeContents(t, c, table)
			d := s.Diff(t, table)
			reporting := func(r *api.TableRepairRequest) {
				byRule(tt.resolve, tt.change)(r)
				r.GenerateReport = true
			}
			dry := repair(t, s, d.TaskID, "", func(r *api.TableRepairRequest) { reporting(r); r.DryRun = true })
			if diff := cmp.Diff(before, nodeContents(t, c, table)); diff != "" || dry.Status != api.StatusCompleted {
				t.Fatalf("dry run: %s %s, changed:\n%s", dry.Status, dry.Error, diff)
			}

			real := repair(t, s, d.TaskID, "", reporting)
			if diff := cmp.Diff(tt.want[:], nodeContents(t, c, table)); diff != "" || real.Status != api.StatusCompleted {
				t.Fatalf("%s %s (-want +got):\n%s", real.Status, real.Error, diff)
			}
			checkRuleResult(t, real, tt.resolve, tt.undecided)
			checkRuleResult(t, dry, tt.resolve, tt.undecided)
			for node := range real.Nodes {
				if got, want := dry.counts(node)+"committed", real.counts(node); got != want {
					t.Errorf("node %s: the dry run counts %s, the repair %s", node, got, want)
				}
			}
			for _, r := range []repaired{dry, real} {
				if _, text := saved(t, s, "/ace/reports/"+r.TaskID); !strings.Contains(text, tt.reason) {
					t.Errorf("the report lacks %q:\n%s", tt.reason, text)
				}
			}

			again := repair(t, s, d.TaskID, "", reporting)
			for node, n := range again.Nodes {
				if n.Inserted+n.Updated+n.Deleted != 0 {
					t.Errorf("a second repair changes node %s: %s", node, again.counts(node))
				}
			}
			if u := undo(t, s, real.TaskID, nil); u.Status != api.StatusCompleted {
				t.Errorf("undo: %s %s", u.Status, u.Error)
			}
			if diff := cmp.Diff(before, nodeContents(t, c, table)); diff != "" {
				t.Errorf("after the undo (-before +after):\n%s", diff)
			}
		})
	}
}

// onNodes returns the same rows for each node. If from is not zero, each node has its own
// rows, in own, from the key from on.
func onNodes(rows string, from int, own ...string) (nodes [3]string) {
	for node := range nodes {
		nodes[node] = rows
		if from > 0 {
			head, tail, _ := strings.Cut(rows, fmt.Sprintf("(%d,", from))
			kept := len(strings.Fields(own[node]))
			rest := strings.Fields("(" + tail)[kept:]
			nodes[node] = strings.Join(append(append(strings.Fields(head), strings.Fields(own[node])...), rest...), " ")
		}
	}
	return nodes
}

func checkRuleResult(t *testing.T, r repaired, resolve string, undecided []string) {
	t.Helper()
	var keys []string
	for _, key := range r.UndecidedKeys {
		keys = append(keys, key.Key[0])
		if key.Reason == "" {
			t.Errorf("key %s has no reason", key.Key)
		}
	}
	if r.Resolve != resolve || r.Undecided == nil || *r.Undecided != int64(len(undecided)) || !cmp.Equal(keys, undecided) {
		t.Errorf("resolve %s, undecided %v: %v", r.Resolve, r.Undecided, r.UndecidedKeys)
	}
}

// In a mesh of native logical replication, a repair by rule changes each node itself. The
// subscriptions skip its changes: nothing conflicts, and no row flips back.
func TestTableRepair_ByRuleInAMesh(t *testing.T) {
	t.Parallel()
	c := mesh(t)
	s := apptest.New(t, c, apptest.Options{})
	for node, sql := range []string{
		`DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (4, 'on n1 and n3')`, // a majority has row 2
		`UPDATE t SET v = 'other' WHERE id = 1; INSERT INTO t VALUES (3, 'only on n2')`,
		`INSERT INTO t VALUES (4, 'on n1 and n3')`,
	} {
		c.Exec(t, node, `SELECT pg_replication_origin_create('test')`, `SELECT pg_replication_origin_session_setup('test')`, sql)
	}
	d := s.Diff(t, "public.t")

	r := repair(t, s, d.TaskID, "", byRule(api.ResolveMajority, nil))
	if r.Status != api.StatusCompleted || *r.Undecided != 0 {
		t.Fatalf("%s %s, undecided %v", r.Status, r.Error, r.UndecidedKeys)
	}
	want := "(1,old) (2,gone) (4,\"on n1 and n3\")"
	for node, got := range nodeContents(t, c, "t") {
		if got != want {
			t.Errorf("n%d has %s", node+1, got)
		}
	}

	// A later write of an application arrives everywhere, after whatever the repair caused.
	c.Exec(t, 0, `UPDATE t SET v = 'later' WHERE id = 2`)
	for node := range c.Nodes {
		awaitContent(t, c, node, [][]string{{"(1,old)"}, {"(2,later)"}, {`(4,"on n1 and n3")`}})
		counts := c.QueryStrings(t, node, `SELECT coalesce(sum(apply_error_count), 0)::text, coalesce(sum((to_jsonb(s)->>'confl_insert_exists')::int
			+ (to_jsonb(s)->>'confl_update_origin_differs')::int + (to_jsonb(s)->>'confl_update_missing')::int + (to_jsonb(s)->>'confl_delete_origin_differs')::int
			+ (to_jsonb(s)->>'confl_delete_missing')::int), 0)::text FROM pg_stat_subscription_stats s`)[0]
		if counts[0] != "0" || counts[1] != "0" {
			t.Errorf("n%d counted %s errors and %s conflicts", node+1, counts[0], counts[1])
		}
	}
}

// A node that cannot be reached has a version that counts, so nothing is decided without
// it. Commit times that are not recorded are not guessed.
func TestTableRepair_ByRuleFailsIfAVersionIsNotKnown(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(3))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	s := apptest.New(t, c, apptest.Options{Patience: 100 * time.Millisecond})
	d := s.Diff(t, "public.t")

	r := repair(t, s, d.TaskID, "", byRule(api.ResolveNewest, nil))
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, `node "n1": track_commit_timestamp is off`) || !strings.Contains(r.Error, "ALTER SYSTEM SET track_commit_timestamp = on") {
		t.Errorf("%s %s", r.Status, r.Error)
	}
	if err := c.Nodes[2].Server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r = repair(t, s, d.TaskID, "", byRule(api.ResolveUnion, nil))
	if r.Status != api.StatusFailed || !strings.Contains(r.Error, "n3") {
		t.Errorf("%s %s", r.Status, r.Error)
	}
	if got := content(t, c, 1, "t"); len(got) != 0 {
		t.Errorf("n2 has %v", got)
	}
}
