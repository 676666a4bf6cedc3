//go:build !unit

package app_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
)

// past is a table with the statements that may run between two comparisons. %d is one of
// its rows.
type past struct {
	name   string
	create []string
	one    []string // statements for one node
	shape  []string // statements for one node, after which no block is proven unchanged
	all    []string // statements for every node, because they change the shape of the table
	late   []string // statements of a transaction that is open while the tables are compared
	large  bool     // its comparison reads pages
}

// pasts has a table for each way of reading.
func pasts() []past {
	rows := []string{
		`UPDATE t SET n = n + 1 WHERE id = %d`, `UPDATE t SET v = v WHERE id = %d`, `DELETE FROM t WHERE id = %d`,
		`INSERT INTO t VALUES (%d, 'new') ON CONFLICT DO NOTHING`, `DELETE FROM t WHERE id = %d; INSERT INTO t VALUES (%[1]d, 'again')`,
		`WITH gone AS (DELETE FROM t WHERE id = %d RETURNING *) INSERT INTO t SELECT id + 7000, v, n FROM gone ON CONFLICT DO NOTHING`,
		`BEGIN; SAVEPOINT s; UPDATE t SET n = 77 WHERE id = %d; ROLLBACK TO s; SAVEPOINT z; UPDATE t SET n = 78 WHERE id = %[1]d + 1; RELEASE z; COMMIT`,
		`BEGIN; DELETE FROM t WHERE id = %d; ROLLBACK`, `VACUUM (FREEZE) t`, `VACUUM t`, `ANALYZE t`, `CREATE INDEX IF NOT EXISTS tn ON t (n)`,
		`BEGIN; CREATE TEMP TABLE x ON COMMIT DROP AS SELECT * FROM t WHERE id = %d; DELETE FROM t WHERE id IN (SELECT id FROM x); INSERT INTO t SELECT * FROM x; COMMIT`,
		`UPDATE t SET n = 5 WHERE id BETWEEN %d AND %[1]d + 2000`, `UPDATE t SET n = 5 WHERE ctid < '(9,0)'`,
	}
	plain := []string{
		`VACUUM FULL t`, `CLUSTER t USING t_pkey`,
		`DO $$ BEGIN EXECUTE format('COPY (SELECT id, CASE id WHEN %d THEN ''frozen'' ELSE v END, n FROM t) TO %%L', current_setting('data_directory') || '/copied'); END $$;
		 BEGIN; TRUNCATE t; DO $$ BEGIN EXECUTE format('COPY t (id, v, n) FROM %%L WITH (FREEZE)', current_setting('data_directory') || '/copied'); END $$; COMMIT`,
	}
	alter := []string{
		`ALTER TABLE t ADD w int DEFAULT %d; ALTER TABLE t DROP COLUMN w`, `ALTER TABLE t ALTER v SET STORAGE EXTERNAL`, `ALTER TABLE t SET (fillfactor = 70)`,
		`ALTER TABLE t RENAME n TO m; ALTER TABLE t RENAME m TO n`, `ALTER TABLE t ALTER n TYPE bigint; ALTER TABLE t ALTER n TYPE int`, `ALTER TABLE t ALTER n SET DEFAULT %d`,
	}
	late := []string{`UPDATE t SET v = 'late' WHERE id = %d`, `DELETE FROM t WHERE id = %d`, `SAVEPOINT s; UPDATE t SET v = 'late' WHERE id = %d; RELEASE s`}
	byHash := func(list []string) []string {
		scattered := make([]string, 0, len(list))
		for _, sql := range list {
			sql = strings.NewReplacer("id + 7000, v", "md5('x' || id)::uuid, v", "id = %[1]d + 1", "id = md5((%[1]d + 1)::text)::uuid", "id = %d", "id = md5('%d')::uuid",
				"VALUES (%d", "VALUES (md5('%d')::uuid", "VALUES (%[1]d", "VALUES (md5('%[1]d')::uuid", "id BETWEEN %d AND %[1]d + 2000", "n < %d %% 7").Replace(sql)
			scattered = append(scattered, sql)
		}
		return scattered
	}
	return []past{
		{name: "in key order", late: late, one: rows, shape: plain, all: alter, create: []string{`CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0)`,
			`INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 6000) i`}},
		{name: "in partitions", late: late, one: rows, shape: []string{
			`ALTER TABLE t DETACH PARTITION t1; UPDATE t1 SET n = %d WHERE id < 10; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (MINVALUE) TO (3000)`,
			`ALTER TABLE t DETACH PARTITION t1; CREATE TABLE u (LIKE t1 INCLUDING ALL); INSERT INTO u TABLE t1; DROP TABLE t1; ALTER TABLE u RENAME TO t1;
			 ALTER TABLE t ATTACH PARTITION t1 FOR VALUES FROM (MINVALUE) TO (3000)`,
		}, all: alter[:1], create: []string{`CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0) PARTITION BY RANGE (id)`,
			`CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (3000)`, `CREATE TABLE t2 PARTITION OF t DEFAULT`,
			`INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 6000) i`}},
		{name: "in no order", large: true, late: byHash(late), one: append(byHash(rows), `INSERT INTO t SELECT gen_random_uuid(), 'new' FROM generate_series(1, 300)`), shape: plain[:1], all: alter[:3],
			create: []string{`CREATE TABLE t (id uuid PRIMARY KEY, v text, n int DEFAULT 0, filler text DEFAULT repeat('f', 120))`,
				`INSERT INTO t SELECT md5(i::text)::uuid, 'text ' || i FROM generate_series(1, 60000) i`, `ANALYZE t`}},
	}
}

// When the tables are compared, each history has an open or prepared transaction that
// began before and ends later.
func TestIncremental_RandomHistoriesHaveTheResultOfAFullComparison(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("max_prepared_transactions", "5"))
	for _, table := range pasts() { // not in parallel: an open transaction of one test would hold back the xmin horizon of the others
		t.Run(table.name, func(t *testing.T) {
			s := apptest.New(t, c, apptest.Options{})
			random := rand.New(rand.NewPCG(soak.Seed(t), 7))
			few, many := 3, 1000
			if table.large {
				few, many = 1, 200
			}
			rounds, used, unchanged := soak.Rounds(t, few, many), 0, int64(0)
			for round := range rounds {
				if round%2 == 0 { // new tables, because blocks that differ are never proven unchanged, and their number grows
					c.ExecAll(t, append([]string{`DROP TABLE IF EXISTS t`}, table.create...)...)
					uncounted(t, c, round)
					s.Diff(t, "public.t", small()...)
				}
				finish := table.begin(t, c, random)
				uncounted(t, c, round)
				agrees(t, s)
				finish()
				table.goOn(t, c, random)
				uncounted(t, c, round)
				if d := agrees(t, s); d.Summary.BlocksUnchanged != nil {
					used, unchanged = used+1, unchanged+*d.Summary.BlocksUnchanged
				}
			}
			if unchanged == 0 {
				t.Error("no block was ever proven")
			}
			soak.Report(t, "%d of %d rounds used a baseline, %d blocks proven", used, rounds, unchanged)
		})
	}
}

// uncounted makes the statistics of half of the rounds count nothing, as if nothing had
// been written.
func uncounted(t *testing.T, c *pgtest.Cluster, round int) {
	t.Helper()
	if round%4 < 2 {
		c.ExecAll(t, `SELECT pg_stat_reset_single_table_counters(oid) FROM pg_class WHERE relname IN ('t', 't1', 't2')`)
	}
}

// begin opens or prepares a transaction on one node and returns a function that ends it.
func (p past) begin(t *testing.T, c *pgtest.Cluster, random *rand.Rand) (finish func()) {
	t.Helper()
	conn := c.Connect(t, random.IntN(2))
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	end := []string{"COMMIT", "ROLLBACK"}[random.IntN(2)]
	run("BEGIN; " + p.draw(p.late, random))
	if random.IntN(2) == 0 {
		run("PREPARE TRANSACTION 'late'")
		end += " PREPARED 'late'"
	}
	return func() {
		t.Helper()
		run(end)
		_ = conn.Close(t.Context())
	}
}

// goOn runs up to two statements of one, and rarely one of shape and one of all.
func (p past) goOn(t *testing.T, c *pgtest.Cluster, random *rand.Rand) {
	t.Helper()
	for range random.IntN(3) {
		c.Exec(t, random.IntN(2), p.draw(p.one, random))
	}
	if random.IntN(6) == 0 {
		c.Exec(t, random.IntN(2), p.draw(p.shape, random))
	}
	if random.IntN(6) == 0 {
		c.ExecAll(t, p.draw(p.all, random))
	}
}

// draw draws a statement and a row.
func (p past) draw(from []string, random *rand.Rand) string {
	sql := from[random.IntN(len(from))]
	if strings.Contains(sql, "%") {
		sql = fmt.Sprintf(sql, 1+random.IntN(6000))
	}
	return sql
}

// The subscriber assigns transaction ids of its own to the changes that it applies.
func TestIncremental_DetectsChangesAppliedByReplication(t *testing.T) {
	t.Parallel()
	c := replicated(t)
	s := checked(t, c)
	follow(t, c, "t")
	b := newBeat(t, c)
	s.Diff(t, "public.t", small()...)
	for i, sql := range []string{`UPDATE t SET n = 1 WHERE id = 10`, `DELETE FROM t WHERE id = 20; INSERT INTO t VALUES (20, 'again')`, `INSERT INTO t SELECT i, 'new' FROM generate_series(6001, 6010) i`} {
		c.Exec(t, 0, sql)
		if err := b.wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		d := agrees(t, s)
		if d.Result.Verdict != "match" || d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksUnchanged == 0 || *d.Summary.BlocksCompared == 0 {
			t.Errorf("round %d: %s, %v blocks unchanged, warnings %q", i, d.Result.Verdict, deref(d.Summary.BlocksUnchanged), d.Summary.Warnings)
		}
	}
	c.Exec(t, 1, `ALTER SUBSCRIPTION subscription DISABLE`)
	c.Exec(t, 0, `UPDATE t SET n = 2 WHERE id = 10`)
	if d := agrees(t, s); d.Result.MismatchedRows != 1 {
		t.Errorf("one row is not applied, %d differ", d.Result.MismatchedRows)
	}
}
