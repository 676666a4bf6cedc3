//go:build !unit

package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/archive"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// written is a table that is compared while its first node is written to and its second
// node replicates the changes.
type written struct {
	name     string
	keyType  string
	key      string // SQL of the key of the row whose number is %s
	strategy string
	phase    string // the phase of the first pass
}

func writtenTables() []written {
	return []written{
		{"by a key in physical order", "bigint", "%s", plan.KeyRanges, "compare"},
		{"by a scattered key", "uuid", "md5((%s)::text)::uuid", plan.Pages, "buckets"},
	}
}

const writtenRows = 60_000

// create creates the table with equal rows on both nodes and starts the replication to
// the second node.
func (w written) create(t *testing.T, c *pgtest.Cluster, table string) {
	t.Helper()
	c.ExecAll(t, fmt.Sprintf(`CREATE TABLE %s (id %s PRIMARY KEY, n bigint, v text, balance bigint, filler text)`, table, w.keyType),
		fmt.Sprintf(`INSERT INTO %s SELECT %s, i, 'v', 0, repeat('f', 140) FROM (SELECT %d * g AS i FROM generate_series(1, %d) g) x; ANALYZE %s`,
			table, fmt.Sprintf(w.key, "i"), rowStep, writtenRows, table))
	follow(t, c, table)
}

// planted are the differences that a test makes on the second node, in rows that no other
// session writes.
type planted struct {
	written
	c     *pgtest.Cluster
	table string
	rng   *rand.Rand
	rows  map[int64]bool
}

// plant changes, deletes or adds count rows whose numbers are greater than above.
func (p *planted) plant(t *testing.T, count int, above int64) {
	t.Helper()
	for range count {
		last := int64(writtenRows * rowStep / quietStep)
		n := quietStep * (above/quietStep + 1 + p.rng.Int64N(last-above/quietStep))
		for p.rows[n] || p.rows[n+freeDigit] {
			n = quietStep * (above/quietStep + 1 + p.rng.Int64N(last-above/quietStep))
		}
		var sql string
		switch p.rng.IntN(3) {
		case 0:
			sql = `UPDATE %[1]s SET v = 'planted' WHERE id = %[2]s`
		case 1:
			sql = `DELETE FROM %[1]s WHERE id = %[2]s`
		case 2:
			n += freeDigit
			sql = `INSERT INTO %[1]s VALUES (%[2]s, %[3]d, 'planted', 0, '')`
		}
		p.c.Exec(t, 1, fmt.Sprintf(sql, p.table, fmt.Sprintf(p.key, strconv.FormatInt(n, 10)), n))
		p.rows[n] = true
	}
}

// numbers returns the planted rows, sorted like those of differing.
func (p *planted) numbers() []string {
	var list []string
	for n := range p.rows {
		list = append(list, strconv.FormatInt(n, 10))
	}
	slices.Sort(list)
	return list
}

// director acts between the units of a run: it lets the load continue, delays the
// replication for some units, and plants differences in rows that the run has not reached
// yet.
type director struct {
	t       *testing.T
	s       *apptest.Service
	planted *planted
	load    *load
	pace    beat
	plan    plan.Plan
	lock    *pgx.Conn // its lock holds up the replication

	planned, behind, level, settled sync.Once
}

func (d *director) invoke(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
	d.planned.Do(func() { readPlan(d.t, d.s, u.TaskID, &d.plan) })
	if u.Phase == d.planted.phase {
		if d.plan.Strategy == plan.Pages {
			d.beforePages(ctx)
		} else {
			d.betweenRanges(ctx, u.Index)
		}
	}
	if u.Phase == "confirm" { // a change that is in flight for longer than confirm_delay may be reported, so wait until none is
		d.level.Do(func() { d.catchUp(ctx) })
		d.settled.Do(func() { d.check(d.pace.wait(ctx)) })
	}
	return next.Invoke(ctx, u)
}

// betweenRanges plants differences in the second half of the key space before any of it
// is read.
func (d *director) betweenRanges(ctx context.Context, unit int) {
	middle := d.plan.Layout.Batches() / 2
	if unit >= middle/2 {
		d.behind.Do(func() { d.fallBehind(ctx) })
	}
	if unit >= middle {
		d.level.Do(func() {
			d.catchUp(ctx)
			from, _ := d.plan.Layout.ChunksOfBatch(middle)
			above, err := strconv.ParseInt(d.plan.Layout.Chunk(from).Lo[0], 10, 64)
			d.check(err)
			d.planted.plant(d.t, 10, above)
		})
	}
}

// beforePages plants differences before the snapshot in which all pages are read.
func (d *director) beforePages(ctx context.Context) {
	d.behind.Do(func() {
		d.planted.plant(d.t, 10, 0)
		d.fallBehind(ctx)
	})
}

// fallBehind blocks the replication from now on and waits until changes are pending.
func (d *director) fallBehind(ctx context.Context) {
	d.load.wait(ctx, 100)
	d.load.unpaced.Store(true)
	_, err := d.lock.Exec(ctx, `BEGIN; LOCK TABLE `+d.planted.table+` IN SHARE ROW EXCLUSIVE MODE`)
	d.check(err)
	d.load.wait(ctx, 50)
}

func (d *director) catchUp(ctx context.Context) {
	_, err := d.lock.Exec(ctx, `COMMIT`)
	d.check(err)
	d.load.unpaced.Store(false)
}

func (d *director) check(err error) {
	if err != nil {
		d.t.Error(err)
	}
}

func readPlan(t *testing.T, s *apptest.Service, taskID string, plan *plan.Plan) {
	t.Helper()
	object, err := s.Store.Get(t.Context(), archive.PlanKey(taskID))
	if err != nil {
		t.Error(err)
		return
	}
	defer object.Body.Close()
	if err := json.NewDecoder(object.Body).Decode(plan); err != nil {
		t.Error(err)
	}
}

// tally sums up a run under concurrent writes.
type tally struct{ rows, met, unsettled int64 }

// allowed returns the number of rows that may remain unsettled: one in a thousand
// written. A run with few writes may have two, because a row that changes whenever it is
// read is not an error.
func (f tally) allowed() int64 { return max(2, f.rows/1000) }

// TestLiveWrites_OnlyThePlantedDifferencesAreReported compares tables while they are
// written to and replicated. Exactly the planted rows must be reported as different and
// settled: fifty planted before the run, and ten during it in rows that it has not
// reached yet.
func TestLiveWrites_OnlyThePlantedDifferencesAreReported(t *testing.T) {
	t.Parallel()
	for _, w := range writtenTables() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			c := replicated(t)
			var sum tally
			rounds := soak.Rounds(t, 1, 20)
			for round := range rounds {
				t.Run(fmt.Sprint("round ", round), func(t *testing.T) { // a subtest, so that its connections are closed at its end
					f := compareUnderWrites(t, c, w, round)
					sum.rows, sum.met, sum.unsettled = sum.rows+f.rows, sum.met+f.met, sum.unsettled+f.unsettled
				})
			}
			if sum.unsettled > sum.allowed() {
				t.Errorf("%d rows unsettled of %d written, allowed are %d", sum.unsettled, sum.rows, sum.allowed())
			}
			soak.Report(t, "%d runs, 60 planted rows found in each, %d rows written meanwhile, %d met in flight, %d unsettled", rounds, sum.rows, sum.met, sum.unsettled)
		})
	}
}

func compareUnderWrites(t *testing.T, c *pgtest.Cluster, w written, round int) tally {
	t.Helper()
	seed := soak.Seed(t) + uint64(round)
	table := fmt.Sprintf("t%d", round)
	w.create(t, c, table)
	p := &planted{written: w, c: c, table: table, rng: rand.New(rand.NewPCG(seed, 0)), rows: map[int64]bool{}}
	p.plant(t, 50, 0)
	d := &director{t: t, planted: p, pace: newBeat(t, c), lock: c.Connect(t, 1)}
	d.s = apptest.New(t, c, apptest.Options{Invoker: around(d.invoke)})
	d.load = startLoad(t, c, seed, &load{table: table, key: w.key, rows: writtenRows})

	diff := d.s.Diff(t, "public."+table, "block_rows", "1000", "batch_size", "2", "max_cpu_ratio", "0.5", "confirm_delay", "1s")
	f := tally{rows: d.load.written.Load(), met: diff.Summary.ResolvedRows, unsettled: diff.Summary.UnsettledRows}
	d.load.end()
	d.check(d.pace.wait(t.Context()))
	if got := differing(t, c, table); !slices.Equal(got, p.numbers()) {
		t.Fatalf("the nodes differ in %q after all, planted were %q: replication has lost something", got, p.numbers())
	}
	if got := settled(t, diff); !slices.Equal(got, p.numbers()) {
		t.Errorf("seed %d: reported as different and at rest: %q, want %q", seed, got, p.numbers())
	}
	if diff.Summary.Strategy != w.strategy || f.unsettled > f.allowed() || f.met == 0 {
		t.Errorf("seed %d: strategy %q; of %d rows written %d were met in flight and %d were unsettled", seed, diff.Summary.Strategy, f.rows, f.met, f.unsettled)
	}
	unfollow(t, c, table)
	return f
}

// settled returns the sorted numbers of the rows that a document reports as different and
// settled.
func settled(t *testing.T, d apptest.Diff) []string {
	t.Helper()
	var document struct {
		Unsettled map[string][][]string `json:"unsettled"`
	}
	if err := json.Unmarshal(d.Raw, &document); err != nil {
		t.Fatal(err)
	}
	numbers := map[string]bool{}
	for _, row := range d.Rows {
		if !slices.ContainsFunc(document.Unsettled[row.Pair], func(key []string) bool { return key[0] == row.Values["id"] }) {
			numbers[row.Values["n"]] = true
		}
	}
	return slices.Sorted(maps.Keys(numbers))
}
