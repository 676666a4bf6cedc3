//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
)

// drifting is a table that the steps of a property test make more and more different.
type drifting struct {
	name   string
	create []string // for each node
	fill   string
	sorted string // the key as text whose bytes sort as the document does
	pick   string // a condition that every n-th row meets; the first %d is n, the second which of n rows it is
	insert string // inserts another row for each value of %d
	pages  bool   // it is read in physical order
	steps  int
}

func driftingTables() []drifting {
	columns := `, n int, v text, x numeric)`
	values := `, i, CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'text ' || i END, i / 4.0 FROM generate_series(1, `
	same := func(sql string) []string { return []string{sql, sql, sql} }
	return []drifting{
		{name: "by integers", create: same(`CREATE TABLE t (id int PRIMARY KEY` + columns), fill: `INSERT INTO t SELECT i * 3` + values + `4000) i`,
			sorted: `lpad(id::text, 9, '0')`, pick: "id %% %d = %d", insert: `(%d * 3 + 1, 0, 'new', 1)`, steps: 3},
		{name: "by two columns", create: same(`CREATE TABLE t (a text COLLATE "C", b int, PRIMARY KEY (b, a)` + columns), fill: `INSERT INTO t SELECT 'a''"\ ' || i % 50, i / 10` + values + `4000) i`,
			sorted: `lpad((b + 100000)::text, 9, '0') || a`, pick: "n %% %d = %d", insert: `('new', %d * 7 - 10000, 0, 'new', 1)`, steps: 3},
		{name: "by text that the nodes order differently", create: []string{`CREATE TABLE t (id text COLLATE "C" PRIMARY KEY` + columns,
			`CREATE TABLE t (id text COLLATE "und-x-icu" PRIMARY KEY` + columns, `CREATE TABLE t (id text COLLATE "C" PRIMARY KEY` + columns},
			fill:   `INSERT INTO t SELECT CASE WHEN i % 2 = 0 THEN 'key-' ELSE 'Key ' END || i` + values + `4000) i`,
			sorted: "id", pages: true, pick: "n %% %d = %d", insert: `('new ' || %d, 0, 'new', 1)`, steps: 3},
		{name: "by scattered uuids, page by page", create: same(`CREATE TABLE t (id uuid PRIMARY KEY, filler text DEFAULT repeat('f', 120)` + columns),
			fill:   `INSERT INTO t (id, n, v, x) SELECT md5(i::text)::uuid` + values + `60000) i; ANALYZE t`,
			sorted: "id::text", pages: true, pick: "n %% %d = %d", insert: `(md5('new ' || %d)::uuid, 'f', 0, 'new', 1)`, steps: 2},
	}
}

// mutation is one step: a change of every nth row on one node, and the parameters of the
// comparison after it.
type mutation struct {
	node, every, which int
	how                string
	block, batch       int
}

func mutations() *rapid.Generator[mutation] {
	return rapid.Custom(func(t *rapid.T) mutation {
		every := rapid.SampledFrom([]int{17, 400, 1999, 3001}).Draw(t, "every")
		return mutation{
			node: rapid.IntRange(0, 2).Draw(t, "node"), every: every, which: rapid.IntRange(0, every-1).Draw(t, "which"),
			how:   rapid.SampledFrom([]string{"update", "null", "delete", "insert"}).Draw(t, "how"),
			block: rapid.IntRange(1000, 7000).Draw(t, "block_rows"), batch: rapid.IntRange(1, 60).Draw(t, "batch_size"),
		}
	})
}

// sql returns the statement of a step.
func (d drifting) sql(step mutation) string {
	condition := fmt.Sprintf(d.pick, step.every, step.which)
	switch step.how {
	case "update":
		return `UPDATE t SET v = v || '!', x = x + 0.00 WHERE ` + condition
	case "null":
		return `UPDATE t SET v = NULLIF(v, '') WHERE ` + condition
	case "delete":
		return `DELETE FROM t WHERE ` + condition
	}
	var rows []string
	for i := range 20 {
		rows = append(rows, fmt.Sprintf(d.insert, step.every*31+i*step.which))
	}
	return `INSERT INTO t VALUES ` + strings.Join(rows, ", ") + ` ON CONFLICT DO NOTHING`
}

// The document must have exactly the rows of a full outer join of dumps of the tables, in
// key order.
func TestTableDiff_TheDocumentEqualsTheResultOfPlainSQL(t *testing.T) {
	t.Parallel()
	for i, table := range driftingTables() {
		t.Run(table.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Nodes(3))
			s := apptest.New(t, c, apptest.Options{})
			for node, create := range table.create {
				c.Exec(t, node, create)
			}
			c.ExecAll(t, table.fill)
			steps, seed, rows := soak.Rounds(t, table.steps, 10*table.steps), int(soak.Seed(t))-1, int64(0)
			for step := range steps {
				d := mutations().Example(10_000*seed + 100*i + step)
				c.Exec(t, d.node, table.sql(d))
				rows += compareWithOracle(t, s, table, d)
			}
			soak.Report(t, "%d steps, %d mismatched rows found", steps, rows)
		})
	}
}

// compareWithOracle compares the table and returns the number of mismatched rows.
func compareWithOracle(t *testing.T, s *apptest.Service, table drifting, step mutation) int64 {
	t.Helper()
	diff := s.Diff(t, "public.t", "block_rows", fmt.Sprint(step.block), "batch_size", fmt.Sprint(step.batch))
	if (diff.Summary.Strategy == "pages") != table.pages {
		t.Errorf("the strategy is %q", diff.Summary.Strategy)
	}
	want, total, mismatched := oracle(t, s.Cluster, table)
	if diff.Result.TotalRows != total || diff.Result.MismatchedRows != mismatched {
		t.Errorf("after %+v: %d of %d rows mismatched, want %d of %d", step, diff.Result.MismatchedRows, diff.Result.TotalRows, mismatched, total)
	}
	got := make([]string, len(diff.Rows))
	for i, row := range diff.Rows {
		got[i] = row.Pair + " " + row.Node
		for _, column := range diff.Summary.Columns {
			got[i] += "|" + row.Values[column.Name]
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("after %+v the document has %d rows, want %d; first difference: %s", step, len(got), len(want), firstDifference(got, want))
	}
	return mismatched
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("row %d is %q, want %q", i+1, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
		}
	}
	return "none"
}

// oracle dumps the table of every node and joins the dumps. It returns the rows of the
// document, the number of distinct keys, and the number of keys that differ.
func oracle(t *testing.T, c *pgtest.Cluster, table drifting) (rows []string, total, mismatched int64) {
	t.Helper()
	dumps := make([]map[string]string, len(c.Nodes))
	all := map[string]bool{}
	for node := range dumps {
		dumps[node] = map[string]string{}
		for _, row := range c.QueryStrings(t, node, `SELECT `+table.sorted+`, * FROM t`) {
			dumps[node][row[0]] = strings.Join(row[1:], "|")
			all[row[0]] = true
		}
	}
	rows, differing := joined(c, dumps, slices.Sorted(maps.Keys(all)))
	return rows, int64(len(all)), int64(differing)
}

// same reports whether all dumps have the same row for a key, or none has a row.
func same(dumps []map[string]string, key string) bool {
	first, ok := dumps[0][key]
	for _, dump := range dumps[1:] {
		if row, there := dump[key]; there != ok || row != first {
			return false
		}
	}
	return true
}

// joined returns the rows of a document computed from dumps, and the number of keys that
// differ.
func joined(c *pgtest.Cluster, dumps []map[string]string, keys []string) (rows []string, differing int) {
	mismatched := map[string]bool{}
	keys = slices.DeleteFunc(keys, func(key string) bool { return same(dumps, key) })
	for a := range dumps {
		for b := a + 1; b < len(dumps); b++ {
			pair := c.Nodes[a].Name + "/" + c.Nodes[b].Name
			for _, node := range []int{a, b} {
				for _, key := range keys {
					left, onLeft := dumps[a][key]
					right, onRight := dumps[b][key]
					if onLeft == onRight && left == right {
						continue
					}
					mismatched[key] = true
					if row, ok := dumps[node][key]; ok {
						rows = append(rows, pair+" "+c.Nodes[node].Name+"|"+row)
					}
				}
			}
		}
	}
	return rows, len(mismatched)
}
