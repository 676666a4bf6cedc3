//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// checked creates a table t of a few blocks and returns a service. extra are more
// statements for all nodes.
func checked(t *testing.T, c *pgtest.Cluster, extra ...string) *apptest.Service {
	t.Helper()
	return checkedBy(t, c, nil, extra...)
}

// checkedBy is like checked, but units are invoked through the invoker that by returns.
func checkedBy(t *testing.T, c *pgtest.Cluster, by func(tablediff.Invoker) tablediff.Invoker, extra ...string) *apptest.Service {
	t.Helper()
	c.ExecAll(t, append([]string{`CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0)`,
		`INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 6000) i`}, extra...)...)
	return apptest.New(t, c, apptest.Options{Invoker: by})
}

func small(args ...string) []string { return append([]string{"block_rows", "1000"}, args...) }

// A test that needs proven blocks has its own servers, because an open transaction of
// another test on the same server limits what a baseline can prove.

// agrees compares incrementally and in full and checks that the results are equal.
func agrees(t testing.TB, s *apptest.Service, args ...string) apptest.Diff {
	t.Helper()
	got, want := s.Diff(t, "public.t", small("baseline", "last")...), s.Diff(t, "public.t", small(args...)...)
	if got.Result.Verdict != want.Result.Verdict || got.Result.TotalRows != want.Result.TotalRows || got.Result.MismatchedRows != want.Result.MismatchedRows ||
		fmt.Sprint(got.Rows) != fmt.Sprint(want.Rows) || fmt.Sprint(got.Summary.RowsPerNode) != fmt.Sprint(want.Summary.RowsPerNode) {
		t.Fatalf("incrementally %s, %d of %d rows (%d listed); in full %s, %d of %d rows (%d listed)",
			got.Result.Verdict, got.Result.MismatchedRows, got.Result.TotalRows, len(got.Rows),
			want.Result.Verdict, want.Result.MismatchedRows, want.Result.TotalRows, len(want.Rows))
	}
	return got
}

func TestIncremental_ComparesChangedBlocksAndProvesTheRest(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c)
	first := s.Diff(t, "public.t", small("baseline", "none")...)
	if first.Summary.Baseline != "" || first.Summary.BlocksUnchanged != nil {
		t.Errorf("a full comparison has the baseline %q", first.Summary.Baseline)
	}
	counts := func(step string, d apptest.Diff, baseline string, unchanged int64, verdict string) {
		t.Helper()
		if d.Summary.BlocksUnchanged == nil {
			t.Fatalf("%s: everything was compared: %v", step, d.Summary.Warnings)
		}
		if d.Summary.Baseline != baseline || *d.Summary.BlocksUnchanged != unchanged || *d.Summary.BlocksCompared != d.Summary.Blocks-unchanged || d.Result.Verdict != verdict {
			t.Errorf("%s: baseline %s, %d of %d blocks unchanged, %s; want %s, %d, %s", step,
				d.Summary.Baseline, *d.Summary.BlocksUnchanged, d.Summary.Blocks, d.Result.Verdict, baseline, unchanged, verdict)
		}
	}
	blocks := first.Summary.Blocks
	second := agrees(t, s)
	counts("nothing changed", second, first.TaskID, blocks, "match")

	c.Exec(t, 1, `UPDATE t SET v = 'other' WHERE id = 2500`)
	third := agrees(t, s)
	counts("a row changed on one node", third, latestBefore(t, s, third), blocks-1, "differ")
	c.ExecAll(t, `DELETE FROM t WHERE id = 10`, `UPDATE t SET v = 'both' WHERE id = 2500`)
	fourth := agrees(t, s)
	counts("healed, and a row gone from both", fourth, latestBefore(t, s, fourth), blocks-2, "match")
	named := s.Diff(t, "public.t", small("baseline", first.TaskID)...)
	counts("by name", named, first.TaskID, blocks-2, "match")

	c.ExecAll(t, `INSERT INTO t SELECT i, 'text ' || i FROM generate_series(6001, 16000) i`)
	grown := agrees(t, s)
	if grown.Summary.Blocks < 2*blocks {
		t.Errorf("the table that has grown at its end has %d blocks, before %d", grown.Summary.Blocks, blocks)
	}
	counts("grown", grown, latestBefore(t, s, grown), blocks-1, "match")
}

// Each comparison builds on the previous one, like those of a schedule. A row that
// differed then is compared again regardless of its age.
func TestIncremental_BuildsOnIncrementalComparisons(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c)
	last := s.Diff(t, "public.t", small()...)
	blocks := last.Summary.Blocks
	for _, step := range []struct {
		name, all, second string
		unchanged, differ int64
	}{
		{"the first block changes everywhere", `UPDATE t SET v = 'new' WHERE id = 1`, ``, blocks - 1, 0},
		{"nothing happens", ``, ``, blocks, 0},
		{"two blocks change on one node", ``, `UPDATE t SET v = 'other' WHERE id IN (1, 3500)`, blocks - 2, 2},
		{"they still differ", ``, ``, blocks - 2, 2},
		{"they heal", ``, `UPDATE t SET v = 'new' WHERE id = 1; UPDATE t SET v = 'text 3500' WHERE id = 3500`, blocks - 2, 0},
		{"they stay as they are", ``, ``, blocks, 0},
		{"a row goes", ``, `DELETE FROM t WHERE id = 5999`, blocks - 1, 1},
	} {
		c.ExecAll(t, step.all)
		c.Exec(t, 1, step.second)
		d := s.Diff(t, "public.t", small("baseline", last.TaskID)...)
		if d.Summary.Baseline != last.TaskID || d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksUnchanged != step.unchanged || d.Result.MismatchedRows != step.differ {
			t.Fatalf("%s: from %q %v blocks are unchanged and %d rows differ, want from %q %d and %d; warnings %q", step.name,
				d.Summary.Baseline, deref(d.Summary.BlocksUnchanged), d.Result.MismatchedRows, last.TaskID, step.unchanged, step.differ, d.Summary.Warnings)
		}
		last = d
	}
}

func deref(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

// latestBefore returns the baseline that the comparison names, which must be of another
// task.
func latestBefore(t *testing.T, _ *apptest.Service, d apptest.Diff) string {
	t.Helper()
	if d.Summary.Baseline == "" || d.Summary.Baseline == d.TaskID {
		t.Fatalf("the baseline is %q", d.Summary.Baseline)
	}
	return d.Summary.Baseline
}

// A change of a value without a new row, or a row that reappears, makes the comparison a
// full one.
func TestIncremental_ChangesWithoutANewRowAreComparedInFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		create []string
		alter  []string // on the second node
		args   []string
	}{
		{"an enum label is renamed", []string{`CREATE TYPE mood AS ENUM ('a', 'b')`, `ALTER TABLE t ADD m mood`, `UPDATE t SET m = 'a'`}, []string{`ALTER TYPE mood RENAME VALUE 'a' TO 'c'`}, nil},
		{"an array of enums", []string{`CREATE TYPE mood AS ENUM ('a', 'b')`, `ALTER TABLE t ADD m mood[]`, `UPDATE t SET m = '{a}'`}, []string{`ALTER TYPE mood RENAME VALUE 'a' TO 'c'`}, nil},
		{"a column is replaced", []string{`ALTER TABLE t ADD w int DEFAULT 1`}, []string{`ALTER TABLE t DROP COLUMN w`, `ALTER TABLE t ADD w int DEFAULT 2`}, nil},
		{"a generated column means something else", []string{`ALTER TABLE t ADD g int GENERATED ALWAYS AS (n + 1) STORED`}, []string{`ALTER TABLE t DROP COLUMN g`, `ALTER TABLE t ADD g int GENERATED ALWAYS AS (n + 2) STORED`}, nil},
		{"names of objects", []string{`CREATE TABLE named ()`, `ALTER TABLE t ADD r regclass`, `UPDATE t SET r = 'named'`}, []string{`ALTER TABLE named RENAME TO renamed`}, nil},
		{"a composite type", []string{`CREATE TYPE mood AS ENUM ('a', 'b')`, `CREATE TYPE pair AS (m mood, i int)`, `ALTER TABLE t ADD p pair`, `UPDATE t SET p = '(a,1)'`}, []string{`ALTER TYPE mood RENAME VALUE 'a' TO 'c'`}, nil},
		{"rewritten", nil, []string{`VACUUM FULL t`}, nil},
		{"clustered", nil, []string{`CLUSTER t USING t_pkey`}, nil},
		{"truncated and filled as it was", nil, []string{`CREATE TABLE u AS TABLE t`, `TRUNCATE t`, `INSERT INTO t TABLE u`}, nil},
		{"replaced by an older one", []string{`CREATE TABLE u (LIKE t INCLUDING ALL)`, `INSERT INTO u SELECT i, 'older ' || i FROM generate_series(1, 6000) i`}, []string{`ALTER TABLE t RENAME TO gone`, `ALTER TABLE u RENAME TO t`}, nil},
		{"another type", nil, []string{`ALTER TABLE t ALTER COLUMN n TYPE bigint`}, nil},
		{"altered in whatever way", nil, []string{`ALTER TABLE t ALTER COLUMN v SET STATISTICS 5`}, nil},
		{"a filter", nil, []string{`UPDATE t SET n = 1 WHERE id = 5`}, []string{"table_filter", "n = 0"}},
		{"other columns", nil, nil, []string{"ignore_columns", "n"}},
		{"other blocks", nil, nil, []string{"block_rows", "2000"}},
		{"another checksum", nil, nil, []string{"checksum", "sha256"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			s := checked(t, c, tt.create...)
			s.Diff(t, "public.t", small()...)
			c.Exec(t, 1, tt.alter...)
			got, want := s.Diff(t, "public.t", small(append(tt.args, "baseline", "last")...)...), s.Diff(t, "public.t", small(tt.args...)...)
			if got.Summary.Baseline != "" || !strings.Contains(fmt.Sprint(got.Summary.Warnings), "everything was compared") {
				t.Errorf("the baseline of %q was used; warnings %q", got.Summary.Baseline, got.Summary.Warnings)
			}
			if got.Result.MismatchedRows != want.Result.MismatchedRows || got.Result.Verdict != want.Result.Verdict {
				t.Errorf("%d rows differ, want %d", got.Result.MismatchedRows, want.Result.MismatchedRows)
			}
		})
	}
}

func TestIncremental_FactsThatTheRoleCannotReadProveNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c)
	s.Diff(t, "public.t", small()...)
	d := s.Diff(t, "public.t", small("baseline", "td_20200101_000000")...)
	if d.Summary.Baseline != "" || !strings.Contains(fmt.Sprint(d.Summary.Warnings), "has left none") {
		t.Errorf("a task that left no baseline: %q, %q", d.Summary.Baseline, d.Summary.Warnings)
	}
	role := `"reader of ` + c.DB + `"`
	c.ExecAll(t, `CREATE ROLE `+role+` LOGIN PASSWORD '`+c.Password+`'`, `GRANT SELECT ON t TO `+role)
	t.Cleanup(func() { c.ExecAll(t, `DROP OWNED BY `+role, `DROP ROLE `+role) })
	c.Exec(t, 0, `REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`)
	superuser := c.User
	c.User = strings.Trim(role, `"`)
	limited := apptest.New(t, c, apptest.Options{Store: s.Store})
	c.User = superuser
	d = limited.Diff(t, "public.t", small("baseline", "last")...)
	if d.Summary.Baseline != "" || !strings.Contains(fmt.Sprint(d.Summary.Warnings), "permission denied") {
		t.Errorf("a role that may not read the system identifier: %q, %q", d.Summary.Baseline, d.Summary.Warnings)
	}
}

// A server that restarts, or recovers from the crash of a process, may have lost
// transactions that were visible before.
func TestIncremental_ARestartedServerIsComparedInFull(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c)
	s.Diff(t, "public.t", small()...)
	if d := agrees(t, s); d.Summary.Baseline == "" {
		t.Fatalf("nothing happened, yet: %q", d.Summary.Warnings)
	}
	crash(t, c)
	if d := agrees(t, s); !strings.Contains(fmt.Sprint(d.Summary.Warnings), "recovery from a crash") {
		t.Errorf("after a crash: baseline %q, %q", d.Summary.Baseline, d.Summary.Warnings)
	}
}

// A server that runs on an older copy of its disk has the same names as before, but its
// transaction ids are below those of the baseline.
func TestIncremental_ARestoredServerIsComparedInFull(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c)
	server := c.Nodes[1].Server
	data := filepath.Join(server.SocketDir(), "data")
	copied := func(from, to string) {
		t.Helper()
		if err := server.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	copied(data, data+".earlier")
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.ExecAll(t, `UPDATE t SET v = 'later' WHERE id = 4321`)
	if d := s.Diff(t, "public.t", small()...); d.Result.Verdict != "match" {
		t.Fatalf("before: %s", d.Result.Verdict)
	}
	copied(data, data+".later")
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	copied(data+".earlier", data)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := agrees(t, s); d.Result.MismatchedRows != 1 || !strings.Contains(fmt.Sprint(d.Summary.Warnings), "start of the server") {
		t.Errorf("%d rows differ, baseline %q, %q", d.Result.MismatchedRows, d.Summary.Baseline, d.Summary.Warnings)
	}
}

// crash kills one backend of the second node. The server then recovers without a restart.
func crash(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	started := c.QueryStrings(t, 1, `SELECT pg_postmaster_start_time()::text, pg_stat_get_bgwriter_stat_reset_time()::text`)[0]
	victim := c.Connect(t, 1)
	if err := syscall.Kill(int(victim.PgConn().PID()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), c.DSN(1))
		if err != nil {
			continue
		}
		var now, reset string
		err = conn.QueryRow(t.Context(), `SELECT pg_postmaster_start_time()::text, pg_stat_get_bgwriter_stat_reset_time()::text`).Scan(&now, &reset)
		_ = conn.Close(t.Context())
		if err == nil && reset != started[1] {
			if now != started[0] {
				t.Fatal("the postmaster started again")
			}
			return
		}
	}
	t.Fatal("the server has not recovered")
}

// Partitions are attached and detached with their rows.
func TestIncremental_AnotherSetOfPartitionsIsComparedInFull(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`, `CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (3000)`,
		`CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (3000) TO (9000)`, `INSERT INTO t SELECT i, 'text' FROM generate_series(1, 6000) i`,
		`CREATE TABLE t3 (LIKE t INCLUDING ALL)`, `INSERT INTO t3 SELECT i, 'older' FROM generate_series(3000, 6000) i`)
	s := apptest.New(t, c, apptest.Options{})
	s.Diff(t, "public.t", small()...)
	if d := agrees(t, s); d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksUnchanged != d.Summary.Blocks {
		t.Fatalf("nothing happened, yet: %q", d.Summary.Warnings)
	}
	c.Exec(t, 1, `ALTER TABLE t DETACH PARTITION t2`, `ALTER TABLE t ATTACH PARTITION t3 FOR VALUES FROM (3000) TO (9000)`)
	if d := agrees(t, s); d.Summary.Baseline != "" || d.Result.MismatchedRows != 3001 {
		t.Errorf("the baseline of %q was used, %d rows differ", d.Summary.Baseline, d.Result.MismatchedRows)
	}
}

func TestIncremental_AFilterThatDependsOnTheRowAloneIsProven(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c, `CREATE TABLE allowed (n int)`, `INSERT INTO allowed VALUES (0)`)
	filtered := func(filter string, args ...string) apptest.Diff {
		return s.Diff(t, "public.t", small(append(args, "table_filter", filter)...)...)
	}
	const own = "n = 0 AND id <= 4000"
	blocks := filtered(own).Summary.Blocks
	for _, step := range []struct {
		sql               string // on the second node
		unchanged, differ int64
	}{
		{``, blocks, 0}, {`UPDATE t SET v = 'unseen' WHERE id > 4000`, blocks, 0}, {`UPDATE t SET n = 1 WHERE id = 10`, blocks - 1, 1}, {`UPDATE t SET v = 'seen' WHERE id = 3999`, blocks - 2, 2},
	} {
		c.Exec(t, 1, step.sql)
		d, full := filtered(own, "baseline", "last"), filtered(own)
		if d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksUnchanged != step.unchanged || d.Result.MismatchedRows != step.differ || full.Result.MismatchedRows != step.differ {
			t.Errorf("%q: %v of %d blocks unchanged, want %d; %d rows differ, in full %d, want %d; %q", step.sql, deref(d.Summary.BlocksUnchanged), blocks, step.unchanged,
				d.Result.MismatchedRows, full.Result.MismatchedRows, step.differ, d.Summary.Warnings)
		}
	}
	const others = "n IN (SELECT allowed.n FROM allowed)"
	filtered(others)
	c.Exec(t, 0, `DELETE FROM allowed`)
	if d := filtered(others, "baseline", "last"); d.Summary.Baseline != "" || d.Summary.RowsPerNode["n1"] != 0 || !strings.Contains(fmt.Sprint(d.Summary.Warnings), "table_filter may select other rows") {
		t.Errorf("a filter that looks elsewhere: baseline %q, rows %v, %q", d.Summary.Baseline, d.Summary.RowsPerNode, d.Summary.Warnings)
	}
}

// The result is correct regardless of how many blocks of a unit are unchanged and whether
// all of them are checked.
func TestIncremental_OfManyBlocksAsksAboutSomeFirst(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c, `INSERT INTO t SELECT i, 'text ' || i FROM generate_series(6001, 40000) i`)
	s.Diff(t, "public.t", small()...)
	for _, step := range []struct {
		name, all, second string
		least, most       float64 // share of the blocks that is unchanged
	}{
		{"nothing", ``, ``, 1, 1},
		{"a tenth of the blocks", `UPDATE t SET n = n + 1 WHERE id > 36000`, `UPDATE t SET v = 'other' WHERE id = 100`, 0.8, 0.9},
		{"nearly all", `UPDATE t SET n = n + 1 WHERE id > 4000`, `UPDATE t SET v = 'text 100' WHERE id = 100`, 0, 0.2},
		{"one row", ``, `UPDATE t SET v = 'other' WHERE id = 20000`, 0.95, 0.99},
		{"all", `UPDATE t SET n = n + 1`, ``, 0, 0},
	} {
		c.ExecAll(t, step.all)
		c.Exec(t, 1, step.second)
		got := agrees(t, s)
		if got.Summary.BlocksUnchanged == nil {
			t.Fatalf("%s: everything was compared: %v", step.name, got.Summary.Warnings)
		}
		if share := float64(*got.Summary.BlocksUnchanged) / float64(got.Summary.Blocks); share < step.least || share > step.most {
			t.Fatalf("%s: %d of %d blocks are unchanged, want a share of %g to %g", step.name, *got.Summary.BlocksUnchanged, got.Summary.Blocks, step.least, step.most)
		}
	}
}

// The ages of a table that seems untouched are read for the whole table at once. They
// reveal a write that the statistics missed, and a unit that was not done proves nothing.
func TestIncremental_TheStatisticsOnlyChooseTheMethod(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	var mu sync.Mutex
	met := map[string]int{}
	var lost atomic.Bool
	s := checkedBy(t, c, around(func(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
		mu.Lock()
		met[u.Phase]++
		mu.Unlock()
		if u.Phase == "ages" && u.Index == 1 && lost.Load() {
			return plan.Totals{RowsPerNode: []int64{3000, 3000}}, nil
		}
		return next.Invoke(ctx, u)
	}))
	incremental := func(step string, ages, compares bool, mismatched int64) {
		t.Helper()
		mu.Lock()
		clear(met)
		mu.Unlock()
		d := s.Diff(t, "public.t", small("baseline", "last")...)
		mu.Lock()
		defer mu.Unlock()
		if met["ages"] > 0 != ages || met["compare"] > 0 != compares || d.Result.MismatchedRows != mismatched || d.Result.TotalRows != 6000 {
			t.Errorf("%s: %v units, %d of %d rows differ; want ages asked %t, blocks compared %t, %d of 6000", step, met, d.Result.MismatchedRows, d.Result.TotalRows, ages, compares, mismatched)
		}
	}

	// A session reports its counts some time after its statement.
	counted := func(node int, column string, want int) {
		t.Helper()
		sql := fmt.Sprintf(`SELECT %s::text FROM pg_stat_all_tables WHERE relname = 't'`, column)
		for deadline := time.Now().Add(time.Minute); c.QueryStrings(t, node, sql)[0][0] != strconv.Itoa(want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("node %d: %s is not %d", node, column, want)
			}
		}
	}
	counted(0, "n_tup_ins", 6000)
	counted(1, "n_tup_ins", 6000)

	s.Diff(t, "public.t", small()...)
	incremental("nothing was written", true, false, 0)

	c.Exec(t, 1, `SET track_counts = off`, `UPDATE t SET v = 'other' WHERE id = 2500`)
	incremental("a row that the statistics missed", true, true, 1)
	c.Exec(t, 1, `UPDATE t SET v = 'another' WHERE id = 2500`)
	counted(1, "n_tup_upd", 1)
	incremental("a block that differed", false, true, 1)
	c.Exec(t, 1, `UPDATE t SET v = 'text 2500' WHERE id = 2500`)
	counted(1, "n_tup_upd", 2)
	incremental("healed", false, true, 0)
	incremental("nothing since", true, false, 0)

	lost.Store(true)
	status := s.Wait(t, s.Submit(t, "public.t", small("baseline", "last")...))
	if status.Status != api.StatusFailed || !strings.Contains(status.Error, "incomplete") {
		t.Errorf("with a unit of ages lost the task is %s: %s", status.Status, status.Error)
	}
}

// A partition that a role can only read through its parent is not checked by itself.
func TestIncremental_APartitionWithRowSecurityIsReadThroughItsParent(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`, `CREATE TABLE t1 PARTITION OF t DEFAULT`,
		`INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 6000) i`, `ALTER TABLE t1 ENABLE ROW LEVEL SECURITY`)
	reader := asRole(t, c, `GRANT SELECT ON t, t1 TO ROLE`)
	s := apptest.New(t, reader, apptest.Options{})
	s.Diff(t, "public.t", small()...)
	if d := agrees(t, s); deref(d.Summary.BlocksUnchanged) != any(d.Summary.Blocks) {
		t.Errorf("%v of %d blocks are unchanged; warnings %q", deref(d.Summary.BlocksUnchanged), d.Summary.Blocks, d.Summary.Warnings)
	}
}
