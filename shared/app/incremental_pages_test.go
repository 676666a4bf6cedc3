//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/tablediff/plan"
)

// scattered creates a table t and returns a service. The rows of t are not in key order,
// so t is read page by page, in about 90 page ranges on each node.
func scattered(t testing.TB, c *pgtest.Cluster) *apptest.Service {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE t (id uuid PRIMARY KEY, v text, n int DEFAULT 0, filler text DEFAULT repeat('f', 120))`,
		`INSERT INTO t SELECT md5(i::text)::uuid, 'text ' || i FROM generate_series(1, 60000) i`, `ANALYZE t`)
	return apptest.New(t, c, apptest.Options{})
}

// of returns a condition that selects row number i.
func of(i int) string { return fmt.Sprintf("id = md5('%d')::uuid", i) }

func TestIncremental_OfScatteredKeysDigestsOnlyChangedPages(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := scattered(t, c)
	last := s.Diff(t, "public.t", small()...)
	if last.Summary.Strategy != plan.Pages {
		t.Fatalf("the strategy is %s", last.Summary.Strategy)
	}
	all := int64(-1)
	for _, step := range []struct {
		name, all, second string
		changed           int64 // the maximum number of changed page ranges of both nodes
		differ            int64
	}{
		{"nothing happens", ``, ``, 0, 0},
		{"a row changes everywhere", `UPDATE t SET v = 'new' WHERE ` + of(1), ``, 4, 0},
		{"two rows change on one node, a third goes, a fourth comes", ``, `UPDATE t SET v = 'other' WHERE ` + of(1) + ` OR ` + of(15000) + `; DELETE FROM t WHERE ` + of(9) +
			`; INSERT INTO t VALUES ('00000000-0000-0000-0000-000000000001', 'more')`, 6, 4},
		{"they still differ", ``, ``, 0, 4},
		{"they heal", ``, `UPDATE t SET v = 'new' WHERE ` + of(1) + `; UPDATE t SET v = 'text 15000' WHERE ` + of(15000) +
			`; INSERT INTO t VALUES (md5('9')::uuid, 'text 9'); DELETE FROM t WHERE v = 'more'`, 8, 0},
		{"they stay as they are", ``, ``, 0, 0},
		{"many rows all over the table are changed on one node", ``, `UPDATE t SET v = v || '!' WHERE abs(hashtext(id::text)) % 120 = 0`, 100, 510},
		{"and still differ, so half of the rows are searched", ``, ``, 0, 510},
		{"the table has grown", `INSERT INTO t SELECT md5(i::text)::uuid, 'text ' || i FROM generate_series(60001, 63000) i`, ``, 100, 510},
		{"enough are deleted that every key is listed", ``, `DELETE FROM t WHERE abs(hashtext(id::text)) % 16 = 0`, 100, 4300},
	} {
		c.ExecAll(t, step.all)
		c.Exec(t, 1, step.second)
		d := agrees(t, s)
		if d.Summary.BlocksUnchanged == nil {
			t.Fatalf("%s: everything was compared: %v", step.name, d.Summary.Warnings)
		}
		compared := *d.Summary.BlocksCompared
		if all < 0 {
			all = *d.Summary.BlocksUnchanged
		}
		if got := compared; got > step.changed || step.changed > 0 && got == 0 || compared+*d.Summary.BlocksUnchanged < all {
			t.Errorf("%s: %d stretches of %d were digested, want at most %d", step.name, got, got+*d.Summary.BlocksUnchanged, step.changed)
		}
		if d.Result.MismatchedRows < step.differ-100 || d.Result.MismatchedRows > step.differ+100 || (d.Result.MismatchedRows == 0) != (step.differ == 0) {
			t.Errorf("%s: %d rows differ, want about %d", step.name, d.Result.MismatchedRows, step.differ)
		}
	}
}

// A key that is the primary key on one node only is chosen again, even if the indexes
// have other names by then.
func TestIncremental_UsesAKeyThatIsInDifferentIndexesOnTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := checked(t, c, `ALTER TABLE t ADD UNIQUE (n, id)`)
	c.Exec(t, 1, `ALTER TABLE t DROP CONSTRAINT t_pkey; CREATE UNIQUE INDEX by_id ON t (id)`)
	first := s.Diff(t, "public.t", small()...)
	for _, sql := range []string{`SELECT 1`, `ALTER INDEX by_id RENAME TO z`, `CREATE UNIQUE INDEX a ON t (v); ALTER TABLE t ALTER v SET NOT NULL`} {
		c.Exec(t, 1, sql)
		d := agrees(t, s)
		if !slices.Equal(d.Summary.PrimaryKey, []string{"id"}) {
			t.Errorf("after %s the key is %q", sql, d.Summary.PrimaryKey)
		}
		if sql[0] != 'C' && (d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksUnchanged != first.Summary.Blocks) {
			t.Errorf("after %s blocks were compared: %v", sql, d.Summary.Warnings)
		}
	}
	c.ExecAll(t, `ALTER TABLE t DROP CONSTRAINT IF EXISTS t_pkey`, `DROP INDEX IF EXISTS z`, `DELETE FROM t WHERE v IS NULL`, `ALTER TABLE t ALTER v SET NOT NULL`)
	c.Exec(t, 0, `CREATE UNIQUE INDEX a ON t (v)`)
	if d := agrees(t, s); !slices.Equal(d.Summary.PrimaryKey, []string{"v"}) || d.Summary.Baseline != "" {
		t.Errorf("the key is %q, and the baseline of %q was used", d.Summary.PrimaryKey, d.Summary.Baseline)
	}
}

// The rows of partitions, and of a key that the nodes order differently, are also read
// page by page.
func TestIncremental_OfTablesWithoutACommonOrder(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t)
	s := apptest.New(t, c, apptest.Options{})
	for node, collation := range []string{"C", "und-x-icu"} {
		c.Exec(t, node, `CREATE TABLE t (id text COLLATE "`+collation+`" PRIMARY KEY, v text) PARTITION BY HASH (id)`)
	}
	c.ExecAll(t, `CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0)`, `CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
		`INSERT INTO t SELECT CASE WHEN i % 2 = 0 THEN 'key-' ELSE 'Key ' END || i, 'text' FROM generate_series(1, 6000) i`)
	s.Diff(t, "public.t", small()...)
	if d := agrees(t, s); d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksCompared != 0 {
		t.Fatalf("nothing happened: %v, %v", d.Summary.BlocksCompared, d.Summary.Warnings)
	}
	c.Exec(t, 1, `DELETE FROM t WHERE id = 'key-4000'`)
	if d := agrees(t, s); d.Summary.BlocksUnchanged == nil || *d.Summary.BlocksCompared != 1 || d.Result.MismatchedRows != 1 {
		t.Errorf("one row is gone: %v stretches, %d rows, %v", deref(d.Summary.BlocksCompared), d.Result.MismatchedRows, d.Summary.Warnings)
	}
	c.Exec(t, 1, `ALTER TABLE t1 RENAME TO renamed`)
	if d := agrees(t, s); d.Summary.Baseline != "" {
		t.Errorf("a renamed partition: the baseline of %s was used", d.Summary.Baseline)
	}
}
