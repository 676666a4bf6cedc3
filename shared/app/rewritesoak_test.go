//go:build !unit

package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

// rewriting is a way to rewrite a table. Its statements change only the table's files.
type rewriting struct {
	name       string
	statements []string
	repack     bool
}

func rewritings() []rewriting {
	return []rewriting{
		{name: "SET UNLOGGED", statements: []string{`ALTER TABLE %s SET UNLOGGED`, `ALTER TABLE %s SET LOGGED`}},
		{name: "SET ACCESS METHOD", statements: []string{`ALTER TABLE %s SET ACCESS METHOD heap2`, `ALTER TABLE %s SET ACCESS METHOD heap`}},
		{name: "ALTER TYPE", statements: []string{`ALTER TABLE %s ALTER n TYPE bigint`, `ALTER TABLE %s ALTER n TYPE int`}},
		{name: "ADD COLUMN", statements: []string{`BEGIN; ALTER TABLE %s ADD COLUMN r float DEFAULT random(); ALTER TABLE %[1]s DROP COLUMN r; COMMIT`}},
		{name: "VACUUM FULL", statements: []string{`VACUUM FULL %s`}},
		{name: "CLUSTER", statements: []string{`CLUSTER %s USING %[1]s_pkey`}},
		{name: "TRUNCATE", statements: []string{`BEGIN; LOCK TABLE %s; CREATE TEMP TABLE copied ON COMMIT DROP AS TABLE %[1]s; TRUNCATE %[1]s; INSERT INTO %[1]s TABLE copied; COMMIT`}},
		{name: "pg_repack", repack: true},
	}
}

// rewritten is two tables on two nodes and the operations on them. t is read by key
// ranges, p by pages.
type rewritten struct {
	t       *testing.T
	c       *pgtest.Cluster
	s       *apptest.Service
	rng     *rand.Rand
	conn    []*pgx.Conn
	planted map[string]string // table: digest of its rows on the second node
	diff    map[string]apptest.Diff
	took    map[string]time.Duration // by operation, the duration without a rewrite
	right   int
	failed  int
}

const (
	rewrittenRows = 4_000
	rewrittenPage = 52_000
)

func newRewritten(t *testing.T) *rewritten {
	t.Helper()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler; CREATE EXTENSION pg_repack`,
		fmt.Sprintf(`CREATE TABLE t (id int PRIMARY KEY, n int, v text); INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, %d) i; ANALYZE t`, rewrittenRows),
		fmt.Sprintf(`CREATE TABLE p (id uuid PRIMARY KEY, n int, v text); INSERT INTO p SELECT md5(i::text)::uuid, i, repeat('v', 130) FROM generate_series(1, %d) i; ANALYZE p`, rewrittenPage))
	r := &rewritten{t: t, c: c, rng: rand.New(rand.NewPCG(soak.Seed(t), 0)), planted: map[string]string{}, diff: map[string]apptest.Diff{}, took: map[string]time.Duration{}}
	for node := range c.Nodes {
		r.conn = append(r.conn, c.Connect(t, node))
	}
	r.s = apptest.New(t, c, apptest.Options{})
	for _, table := range []string{"t", "p"} { // 60 changed, 20 deleted, 20 of the second node's own
		c.Exec(t, 1, fmt.Sprintf(`UPDATE %s SET v = 'other' WHERE n %% 40 = 7 AND n <= 2400; DELETE FROM %[1]s WHERE n %% 40 = 9 AND n <= 800`, table),
			map[string]string{
				"t": `INSERT INTO t SELECT 100000 + i, i, 'more' FROM generate_series(1, 20) i`,
				"p": `INSERT INTO p SELECT md5('more' || i)::uuid, i, 'more' FROM generate_series(1, 20) i`,
			}[table])
		r.planted[table] = r.digest(1, table)
		for range 2 {
			r.diff[table] = r.s.Diff(t, "public."+table, "block_rows", "1000", "batch_size", "1")
		}
	}
	if a, b := r.diff["t"].Summary.Strategy, r.diff["p"].Summary.Strategy; a == b {
		t.Fatalf("both tables are read by %s", a)
	}
	return r
}

// digest returns a digest of the rows of a table that does not depend on their order.
func (r *rewritten) digest(node int, table string) string {
	r.t.Helper()
	return fmt.Sprint(r.c.QueryStrings(r.t, node, `SELECT count(*), sum(hashtextextended(concat_ws('/', id, n, v), 0)) FROM `+table)[0])
}

// operation is what runs while a table is rewritten.
type operation struct {
	name   string
	table  string
	submit func() string
	counts string // of a repair: the counts of its changes
	writes bool
}

// round rewrites a table at a random moment of a random operation, on one node or on all.
func (r *rewritten) round(how rewriting) {
	r.t.Helper()
	o := operation{name: oneOf(r.rng, "diff", "diff", "confirm", "rerun", "rerun by ranges", "dry run", "repair", "repair"), table: "t"}
	if r.rng.IntN(6) == 0 {
		o = operation{name: "diff", table: "p"}
	}
	document := r.diff[o.table].TaskID
	nodes := oneOf(r.rng, []int{0}, []int{1}, []int{0, 1})
	switch o.name {
	case "rerun":
		o.submit = func() string { return r.s.SubmitRerun(r.t, document, "public."+o.table) }
	case "rerun by ranges":
		o.submit = func() string { return r.s.SubmitRerun(r.t, document, "public."+o.table, "behavior", "hostdb") }
	case "dry run":
		o.counts = "+20 ~60 -20 =0 /0 "
		o.submit = func() string { return submitRepair(r.t, r.s, document, "n1", dryRun) }
	case "repair":
		o.counts, o.writes = "+20 ~60 -20 =0 /0 committed", true
		o.submit = func() string { return submitRepair(r.t, r.s, document, "n1", nil) }
	default:
		args := []string{"block_rows", "1000", "batch_size", "1", "baseline", oneOf(r.rng, "last", "none")}
		if o.name == "confirm" {
			args = append(args, "confirm_delay", "50ms")
		}
		o.submit = func() string { return r.s.Submit(r.t, "public."+o.table, args...) }
	}
	before, after := r.planted[o.table], r.digest(0, o.table)
	status := r.during(how, nodes, o)
	if !o.writes {
		return
	}
	if !r.judgeRows(o, status, before, after) {
		return
	}
	repaired := status.TaskID
	u := operation{name: "undo", table: o.table, counts: "+20 ~60 -20 =0 /0 committed", writes: true, submit: func() string { return r.submitUndo(repaired) }}
	status = r.during(how, nodes, u)
	if !r.judgeRows(u, status, after, before) {
		if again := undo(r.t, r.s, repaired, nil); again.Status != api.StatusCompleted || r.digest(1, o.table) != before {
			r.t.Fatalf("another undo ended %s: %s", again.Status, again.Error)
		}
	}
}

func oneOf[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

func (r *rewritten) submitUndo(repairID string) string {
	var submitted api.Submitted
	r.s.Get(r.t, "/ace/table-undo", parameters(r.t, api.TableUndoRequest{TaskID: repairID}), &submitted)
	return submitted.TaskID
}

// during runs an operation while its table is rewritten, and judges how it ended.
func (r *rewritten) during(how rewriting, nodes []int, o operation) api.TaskStatus {
	r.t.Helper()
	kind := o.name + o.table
	took, known := r.took[kind]
	if !known {
		took = 300 * time.Millisecond
	}
	delay := time.Duration(r.rng.Int64N(int64(took)))
	times := oneOf(r.rng, 1, 1, 1, 3)
	start := time.Now()
	id := o.submit()
	done := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { done <- r.rewrite(how, node, o.table, delay, times) }()
	}
	status := r.s.Wait(r.t, id)
	if r.took[kind] = time.Since(start); known {
		r.took[kind] = (took*3 + r.took[kind]) / 4
	}
	for range nodes {
		if err := <-done; err != nil {
			r.t.Errorf("%s on nodes %v during %s of %s: %v", how.name, nodes, o.name, o.table, err)
		}
	}
	if wrong := r.judge(o, status); wrong != "" {
		r.t.Errorf("%s on nodes %v, %s after the start of %s of %s: %s", how.name, nodes, delay, o.name, o.table, wrong)
	}
	return status
}

// explained matches the errors that say what happened and what to do.
var explained = regexp.MustCompile(`(?s)(altered|rewritten|changed during a comparison).*start .* ?again|lock timeout.*Hint|deadlock detected`)

// judge returns what is wrong with the end of an operation.
func (r *rewritten) judge(o operation, status api.TaskStatus) string {
	if status.Status != api.StatusCompleted {
		r.failed++
		if explained.MatchString(status.Error) {
			return ""
		}
		return status.Status + ": " + status.Error
	}
	r.right++
	if o.counts != "" {
		return r.judgeCounts(o, status)
	}
	d, rows := r.s.Document(r.t, status), map[string]int64{"t": rewrittenRows + 20, "p": rewrittenPage + 20}[o.table]
	if strings.HasPrefix(o.name, "rerun") {
		rows = 100
	}
	if d.Summary.MismatchedRows != 100 || d.Summary.TotalRows != rows {
		return fmt.Sprintf("%d of %d rows differ, want 100 of %d", d.Summary.MismatchedRows, d.Summary.TotalRows, rows)
	}
	return ""
}

func (r *rewritten) judgeCounts(o operation, status api.TaskStatus) string {
	var result repaired
	if err := json.Unmarshal(status.Result, &result.RepairResult); err != nil {
		return err.Error()
	}
	if got := result.counts("n2"); got != o.counts {
		return got
	}
	return ""
}

// judgeRows reports whether the operation completed. It checks that the second node has
// the rows after if the operation completed, and the rows before otherwise.
func (r *rewritten) judgeRows(o operation, status api.TaskStatus, before, after string) bool {
	r.t.Helper()
	done := status.Status == api.StatusCompleted
	if got, want := r.digest(1, o.table), map[bool]string{false: before, true: after}[done]; got != want {
		r.t.Fatalf("%s ended %s (%s), and n2 has %s instead of %s", o.name, status.Status, status.Error, got, want)
	}
	return done
}

// rewrite rewrites a table the given number of times. An operation may win a deadlock
// against it.
func (r *rewritten) rewrite(how rewriting, node int, table string, delay time.Duration, times int) error {
	time.Sleep(delay)
	for range times {
		if how.repack {
			if err := repack(r.t.Context(), r.c, node, table); err != nil {
				return err
			}
			continue
		}
		for _, statement := range how.statements {
			if strings.Contains(statement, "%") {
				statement = fmt.Sprintf(statement, table)
			}
			_, err := r.conn[node].PgConn().Exec(r.t.Context(), statement).ReadAll()
			if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "40P01" {
				_, err = r.conn[node].Exec(r.t.Context(), "ROLLBACK")
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// repack runs pg_repack of the node's server.
func repack(ctx context.Context, c *pgtest.Cluster, node int, table string) error {
	installed, err := pgserver.Find(c.Nodes[node].Major)
	if err != nil {
		return err
	}
	program := filepath.Join(installed.BinDir, "pg_repack")
	if _, err := os.Stat(program); err != nil {
		return fmt.Errorf("pg_repack is not installed: run `make deps`: %w", err)
	}
	command := exec.CommandContext(ctx, program, "-h", pgserver.Host, "-p", strconv.Itoa(c.Nodes[node].Server.Port()), "-U", c.User, "-d", c.DB, "-t", "public."+table)
	command.Env = append(os.Environ(), "PGPASSWORD="+c.Password)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, output)
	}
	return nil
}

// TestRewrites_AtRandomTimesNoRowIsReportedAsMissing rewrites tables in every way while
// they are compared and repaired. Each result is correct to the row, or an error that
// reports what happened.
// Cases T-F12 and T-F13, see docs/RELIABILITY.md.
func TestRewrites_AtRandomTimesNoRowIsReportedAsMissing(t *testing.T) {
	t.Parallel()
	r := newRewritten(t)
	rounds := soak.Rounds(t, 1, 200)
	var figures []string
	for _, how := range rewritings() {
		r.right, r.failed = 0, 0
		for range rounds {
			r.round(how)
		}
		figures = append(figures, fmt.Sprintf("%s %d right %d failed", how.name, r.right, r.failed))
		t.Log(figures[len(figures)-1])
	}
	soak.Report(t, "%d moments of each way: %s", rounds, strings.Join(figures, ", "))
}
