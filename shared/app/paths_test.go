//go:build !unit

package app_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/tablediff"
	"ace/shared/tablediff/plan"
)

// The way in which a comparison finds the rows that differ depends on their number. The
// document and the counts must always be those of plain SQL.

// manyRows rows are enough for sampled boundaries, and for a scattered key to be read
// page by page.
const manyRows = 52_000

// wayTable is a table of many rows, numbered by n, whose differences grow with each step.
type wayTable struct {
	name    string
	options []pgtest.Option
	columns string // definition of the key's columns
	values  string // values of the key's columns for the number i
	key     string // names of the key's columns, the first of which is unique
	sorted  string // the key as text whose bytes sort as the document does
	args    []string
	filter  string   // the condition in args
	ways    []string // the ways in which the steps find the rows
	resumed bool     // the comparison is also interrupted and resumed
}

func (w wayTable) create() []string {
	return []string{
		fmt.Sprintf(`CREATE TABLE t (%s, n int, v text, x numeric, ignored float8 DEFAULT random(), PRIMARY KEY (%s)) WITH (fillfactor = 35, autovacuum_enabled = off)`, w.columns, w.key),
		fmt.Sprintf(`INSERT INTO t SELECT %s, i, CASE i %% 5 WHEN 0 THEN NULL ELSE 'v' || i END, i / 4.0 FROM generate_series(1, %d) i`, w.values, manyRows),
		`ANALYZE t`,
	}
}

func wayTables() []wayTable {
	scattered := []string{"few", "few", "middling", "most"}
	return []wayTable{
		{name: "uuids", columns: `id uuid`, values: `md5(i::text)::uuid`, key: "id", sorted: "id::text", ways: scattered, resumed: true},
		{name: "texts on three nodes", options: []pgtest.Option{pgtest.Nodes(3)}, columns: `id text COLLATE "C"`,
			values: `left(md5(i::text), 12) || (ARRAY['"', '\', '{a,b}', ' ', '日本', ''''])[1 + i % 6]`, key: "id", sorted: "id", ways: scattered},
		{name: "every type that is hashed, on two server versions, filtered", options: []pgtest.Option{pgtest.Majors(pgtest.Oldest, pgtest.Newest)},
			columns: `g uuid, a bool, b int2, c int4, d int8, e oid, f numeric, h text COLLATE "C", j varchar(9) COLLATE "C", k char(9) COLLATE "C", l name, m bytea, o date, p time, q timestamp, r timestamptz`,
			values: `md5(i::text)::uuid, i % 2 = 0, i % 30000, -i, i * 10000000000, i, i * 1.10, 't' || i, 'v' || i, 'c' || i, 'n' || i, int4send(i), '2020-01-01'::date + i % 999,
				'00:00'::time + i * interval '1 s', '2020-01-01'::timestamp + i * interval '1 s', '2020-01-01'::timestamptz + i * interval '1 s'`,
			key: "g, a, b, c, d, e, f, h, j, k, l, m, o, p, q, r", sorted: "g::text", args: []string{"table_filter", "n > 1000"}, filter: "n > 1000", ways: scattered},
		{name: "numbers in order", columns: `id int`, values: `i * 3`, key: "id", sorted: `lpad(id::text, 9, '0')`, ways: []string{"ranges", "ranges", "ranges", "dense ranges"}},
	}
}

// steps are the changes on the nodes before each comparison.
func (w wayTable) steps(nodes int) [][]string {
	last := nodes - 1
	insert := func(from, to int) string {
		return fmt.Sprintf(`INSERT INTO t SELECT %s, i, 'new', 0 FROM generate_series(%d, %d) i`, w.values, manyRows+from, manyRows+to)
	}
	per := make([][]string, 4)
	for step := range per {
		per[step] = make([]string, nodes)
	}
	per[1][0] = `UPDATE t SET v = v || '!' WHERE n IN (1, 1001, 20001); DELETE FROM t WHERE n IN (2, 1002, 20002)`
	per[1][last] = `UPDATE t SET x = x + 0.00 WHERE n IN (3, 1003, 20003); UPDATE t SET v = '' WHERE n IN (5, 1005, 20005);` + insert(1, 4)
	per[2][0] = `UPDATE t SET x = -x WHERE n BETWEEN 30000 AND 30020; DELETE FROM t WHERE n BETWEEN 31000 AND 31010`
	per[2][last] = `DELETE FROM t WHERE n BETWEEN 32000 AND 32010;` + insert(5, 12)
	per[3][0] = `UPDATE t SET v = 'w' WHERE n % 40 = 3; DELETE FROM t WHERE n % 2000 = 777;` + insert(13, 30)
	per[3][last] = `UPDATE t SET x = x * 2 WHERE n % 50 = 6; DELETE FROM t WHERE n % 2000 = 778`
	return per
}

// touched returns the rows that any step changes. All other rows are equal on all nodes.
const touched = `(n % 40 = 3 OR n % 50 = 6 OR n % 2000 IN (777, 778) OR n BETWEEN 30000 AND 32020 OR n > 52000 OR n IN (1, 2, 3, 5, 1001, 1002, 1003, 1005, 20001, 20002, 20003, 20005))`

// recorder is an invoker that records the units that were done, and can stop at one.
type recorder struct {
	mu    sync.Mutex
	done  []plan.Unit
	at    func(plan.Unit) bool // nil: never
	there chan struct{}
}

func (r *recorder) invoke(ctx context.Context, u plan.Unit, next tablediff.Invoker) (plan.Totals, error) {
	r.mu.Lock()
	stop := r.at != nil && r.at(u)
	if stop && r.there != nil {
		close(r.there)
		r.there = nil
	}
	r.mu.Unlock()
	if stop {
		<-ctx.Done()
		return plan.Totals{}, context.Cause(ctx)
	}
	totals, err := next.Invoke(ctx, u)
	if err == nil {
		r.mu.Lock()
		r.done = append(r.done, u)
		r.mu.Unlock()
	}
	return totals, err
}

// way returns the name of the way that the recorded units show.
func (r *recorder) way() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	some := func(is func(u plan.Unit) bool) bool { return slices.ContainsFunc(r.done, is) }
	buckets, dense := some(func(u plan.Unit) bool { return u.Phase == "buckets" }), some(func(u plan.Unit) bool { return u.Dense })
	switch {
	case !buckets && dense:
		return "dense ranges"
	case !buckets:
		return "ranges"
	case dense:
		return "most"
	case some(func(u plan.Unit) bool { return u.Phase == "scan" && len(u.Buckets) > 0 }):
		return "middling"
	}
	return "few"
}

func (w wayTable) ask() []string {
	return append([]string{"block_rows", "1000", "batch_size", "50", "max_cpu_ratio", "0.5", "ignore_columns", "ignored"}, w.args...)
}

func TestTableDiff_EveryWayOfFindingTheRowsHasTheSameResult(t *testing.T) {
	t.Parallel()
	for _, table := range wayTables() {
		t.Run(table.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, table.options...)
			c.ExecAll(t, table.create()...)
			for step, changes := range table.steps(len(c.Nodes)) {
				for node, sql := range changes {
					c.Exec(t, node, sql)
				}
				var units recorder
				s := apptest.New(t, c, apptest.Options{Invoker: around(units.invoke)})
				d := s.Diff(t, "public.t", table.ask()...)
				if way := units.way(); way != table.ways[step] {
					t.Errorf("step %d went the way %q, want %q", step, way, table.ways[step])
				}
				table.check(t, c, d)
				if table.resumed && step > 0 {
					table.resume(t, c, d, units.done, interruptions()[units.way()])
				}
			}
		})
	}
}

// interruptions are the phases of each way in which a comparison is interrupted.
func interruptions() map[string][]string {
	return map[string][]string{"few": {"compare"}, "middling": {"scan"}, "most": {"compare", "confirm"}}
}

// resume interrupts the comparison in the middle of some phases and lets another service
// resume it. It checks that the document is equal and that no unit is done twice.
func (w wayTable) resume(t *testing.T, c *pgtest.Cluster, want apptest.Diff, units []plan.Unit, phases []string) {
	t.Helper()
	last := map[string]int{}
	for _, u := range units {
		last[u.Phase] = max(last[u.Phase], u.Index)
	}
	for _, phase := range phases {
		index, ok := last[phase]
		if !ok {
			t.Fatalf("there was no phase %q to interrupt: %v", phase, last)
		}
		before := recorder{there: make(chan struct{}), at: func(u plan.Unit) bool { return u.Phase == phase && u.Index >= index/2 }}
		there := before.there
		s := apptest.New(t, c, apptest.Options{Invoker: around(before.invoke)})
		id := s.Submit(t, "public.t", w.ask()...)
		<-there
		s.Queue.Close()
		var after recorder
		next := apptest.New(t, c, apptest.Options{Store: s.Store, Invoker: around(after.invoke)})
		next.Queue.Resume(id, true)
		status := next.Wait(t, id)
		if status.Status != api.StatusCompleted {
			t.Fatalf("interrupted in %s and resumed the task ended %s: %s", phase, status.Status, status.Error)
		}
		got := next.Document(t, status)
		if got.Result.TotalRows != want.Result.TotalRows || got.Result.MismatchedRows != want.Result.MismatchedRows || !maps.Equal(got.Summary.RowsPerNode, want.Summary.RowsPerNode) ||
			!slices.Equal(w.texts(got), w.texts(want)) {
			t.Errorf("interrupted in %s and resumed: %d of %d rows, want %d of %d, or other rows", phase, got.Result.MismatchedRows, got.Result.TotalRows, want.Result.MismatchedRows, want.Result.TotalRows)
		}
		for _, u := range before.done {
			if slices.ContainsFunc(after.done, func(o plan.Unit) bool { return o.Phase == u.Phase && o.Index == u.Index }) {
				t.Errorf("interrupted in %s, unit %s-%d was done twice", phase, u.Phase, u.Index)
			}
		}
	}
}

// texts returns the rows of a document as texts.
func (w wayTable) texts(d apptest.Diff) []string {
	texts := make([]string, len(d.Rows))
	for i, row := range d.Rows {
		var b strings.Builder
		b.WriteString(row.Pair + " " + row.Node)
		for _, column := range d.Summary.Columns {
			b.WriteString("|" + row.Values[column.Name])
		}
		texts[i] = b.String()
	}
	return texts
}

// check compares a document and its counts with dumps of the tables.
func (w wayTable) check(t *testing.T, c *pgtest.Cluster, d apptest.Diff) {
	t.Helper()
	var names []string
	for _, column := range d.Summary.Columns {
		names = append(names, column.Name)
	}
	filter := w.filter
	if filter == "" {
		filter = "true"
	}
	dumps, looked, others := make([]map[string]string, len(c.Nodes)), map[string]bool{}, ""
	for node := range dumps {
		dumps[node] = map[string]string{}
		var selected int64
		for _, row := range c.QueryStrings(t, node, `SELECT `+w.sorted+`, `+filter+`, `+strings.Join(names, ", ")+` FROM t WHERE `+touched) {
			dumps[node][row[0]] = strings.Join(row[2:], "|")
			if row[1] == "t" {
				looked[row[0]] = true
				selected++
			}
		}
		others = c.QueryStrings(t, node, `SELECT count(*) FROM t WHERE NOT `+touched+` AND `+filter)[0][0]
		if got := d.Summary.RowsPerNode[c.Nodes[node].Name]; fmt.Sprint(got-selected) != others {
			t.Errorf("node %s has %d rows, want %d and %s", c.Nodes[node].Name, got, selected, others)
		}
	}
	want, differing := joined(c, dumps, slices.Sorted(maps.Keys(looked)))
	if fmt.Sprint(d.Result.TotalRows-int64(len(looked))) != others || d.Result.MismatchedRows != int64(differing) {
		t.Errorf("%d of %d rows are mismatched, want %d of %d and %s", d.Result.MismatchedRows, d.Result.TotalRows, differing, len(looked), others)
	}
	if got := w.texts(d); !slices.Equal(got, want) {
		t.Errorf("the document has %d rows, want %d; first difference: %s", len(got), len(want), firstDifference(got, want))
	}
}
