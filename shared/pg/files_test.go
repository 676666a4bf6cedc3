//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// bothMajors runs a test on the oldest and on the newest server.
func bothMajors(t *testing.T, test func(t *testing.T, c *pgtest.Cluster)) {
	t.Helper()
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(map[int]string{pgtest.Oldest: "oldest", pgtest.Newest: "newest"}[major], func(t *testing.T) {
			t.Parallel()
			test(t, pgtest.NewCluster(t, pgtest.Majors(major)))
		})
	}
}

const partitioned = `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
	INSERT INTO t SELECT i, 'v' FROM generate_series(0, 19) i`

// described returns the source of table t with its current files.
func described(t *testing.T, n *Node) table.Source {
	t.Helper()
	d := describeTable(t, n, "t")
	s := sourceOf(d, "t")
	s.Lockable, s.Files = d.Lockable, d.Files
	return s
}

// Case T-F12, see docs/RELIABILITY.md.
func TestStrict_OtherFilesThanPlannedAreAConflict(t *testing.T) {
	t.Parallel()
	plain := `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(0, 19) i`
	bothMajors(t, func(t *testing.T, c *pgtest.Cluster) {
		n := nodeOf(t, c, 0)
		for _, tt := range []struct {
			create, sql string
			same        bool
		}{
			{plain, `SELECT 1`, true},
			{plain, `INSERT INTO t VALUES (20, 'v'); DELETE FROM t WHERE id < 5; VACUUM t; ANALYZE t; ALTER TABLE t ADD w int; CREATE INDEX ON t (v)`, true},
			{plain, `ALTER TABLE t SET UNLOGGED`, false},
			{plain, `ALTER TABLE t ALTER v TYPE varchar USING upper(v)`, false},
			{plain, `ALTER TABLE t ADD r float DEFAULT random()`, false},
			{plain, `VACUUM FULL t`, false},
			{plain, `CLUSTER t USING t_pkey`, false},
			{plain, `TRUNCATE t`, false},
			{plain, `DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text)`, false},
			{plain, `ALTER SCHEMA public RENAME TO old; CREATE SCHEMA public; CREATE TABLE public.t (id int PRIMARY KEY, v text)`, false},
			{plain + `; CREATE TABLE child () INHERITS (t)`, `SELECT 1`, true},
			{plain + `; CREATE TABLE child () INHERITS (t)`, `ALTER TABLE child SET UNLOGGED; ALTER TABLE child NO INHERIT t`, true},
			{partitioned, `SELECT 1`, true},
			{partitioned, `VACUUM FULL t1`, false},
			{partitioned, `TRUNCATE t2`, false},
			{partitioned, `ALTER TABLE t DETACH PARTITION t2`, false},
			{partitioned, `ALTER TABLE t DETACH PARTITION t2 CONCURRENTLY`, false},
			{partitioned, `CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (20) TO (30)`, false},
		} {
			c.Exec(t, 0, `DROP SCHEMA IF EXISTS public CASCADE`, `DROP SCHEMA IF EXISTS old CASCADE`, `CREATE SCHEMA public`, tt.create)
			s := described(t, n)
			for _, statement := range strings.Split(tt.sql, "; ") {
				c.Exec(t, 0, statement)
			}
			for name, access := range map[string]table.Access{"locks": s.Strict(), "may not lock": unlockable(s).Access()} {
				tx, err := n.Begin(t.Context(), access)
				if err != nil {
					t.Fatal(err)
				}
				_, _, err = tx.Sums(t.Context(), s, []table.Range{{}})
				tx.Close()
				if same := err == nil; same != tt.same || !same && (fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.PublicMessage(err), `node "n1": "public"."t" was altered`)) {
					t.Errorf("%s: %q: error %v", name, tt.sql, err)
				}
			}
			if err := readOne(t, n, unlockable(s)); (err == nil) != tt.same {
				t.Errorf("%q: a stream ends with %v", tt.sql, err)
			}
		}
	})
}

func unlockable(s table.Source) table.Source {
	s.Lockable = false
	return s
}

// readOne reads a stream to its end.
func readOne(t *testing.T, n *Node, s table.Source) error {
	t.Helper()
	tx, err := n.Begin(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	stream, err := tx.Rows(t.Context(), s, []table.Key{{"12"}})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if at, _, err := stream.Next(); at < 0 || err != nil {
			return err
		}
	}
}

// A role needs no privilege on the partitions of a table that it locks. Inheritance
// children are not locked.
func TestTx_LocksTheTableAndAllPartitionsBeforeItReads(t *testing.T) {
	t.Parallel()
	bothMajors(t, func(t *testing.T, c *pgtest.Cluster) {
		for _, tt := range []struct{ create, locked string }{
			{partitioned, "t t1 t2"},
			{`CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (t)`, "t"},
		} {
			role := "locker_of_" + c.Name[:min(len(c.Name), 40)]
			c.Exec(t, 0, `DROP TABLE IF EXISTS t CASCADE`, tt.create, `DROP ROLE IF EXISTS `+role, `CREATE ROLE `+role+` LOGIN PASSWORD 'plain'`, `GRANT SELECT ON t TO `+role)
			plain := *c
			plain.User, plain.Password = role, "plain"
			n := nodeOf(t, &plain, 0)
			s := described(t, n)
			tx := begin(t, n, s)
			if err := tx.run(t.Context(), "waiting", query{sql: "SELECT 1"}); err != nil {
				t.Fatal(err)
			}
			locked := c.QueryStrings(t, 0, `SELECT string_agg(relation::regclass::text, ' ' ORDER BY relation::regclass::text) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
				WHERE a.usename = $1 AND mode = 'AccessShareLock' AND relation::regclass::text IN ('t', 't1', 't2', 'child')`, role)
			tx.Close()
			if got := fmt.Sprint(locked); got != "[["+tt.locked+"]]" {
				t.Errorf("%s: locked are %s, want %s", tt.create, got, tt.locked)
			}
			c.Exec(t, 0, `DROP OWNED BY `+role, `DROP ROLE `+role)
		}
	})
}

// The error of a lock that is not granted is temporary and names the table.
func TestTx_LockTimeoutNamesTheTable(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1), pgtest.DatabaseSetting(0, "statement_timeout", "3s"))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	holder := c.Connect(t, 0)
	if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	_, _, err := begin(t, n, s).Sums(t.Context(), s, []table.Range{{}})
	if message := fault.PublicMessage(err); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(message, `node "n1"`) || !strings.Contains(message, "a lock on "+strings.TrimPrefix(s.Relation, "ONLY ")) {
		t.Errorf("error %v, want Unavailable with node and table", err)
	}
}

// Hold prevents a rewrite of the table, and every later statement reads the table after
// an earlier rewrite.
func TestRepairTx_HoldWaitsForARewriteAndThenReads(t *testing.T) {
	t.Parallel()
	bothMajors(t, func(t *testing.T, c *pgtest.Cluster) {
		c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(0, 19) i`)
		n := nodeOf(t, c, 0)
		for _, lockable := range []bool{true, false} {
			s := described(t, n)
			s.Lockable = lockable
			planned := s.Files
			s.Files = table.Files{}
			tx, err := n.BeginRepair(t.Context(), s.Access())
			if err != nil {
				t.Fatal(err)
			}
			rewriter := c.Connect(t, 0)
			if _, err := rewriter.Exec(t.Context(), `BEGIN; ALTER TABLE t ALTER v TYPE text USING v || 'x'`); err != nil {
				t.Fatal(err)
			}
			held := make(chan error, 1)
			go func() { held <- tx.Hold(t.Context(), s) }()
			if _, err := rewriter.Exec(t.Context(), `SELECT pg_sleep(0.2); COMMIT`); err != nil {
				t.Fatal(err)
			}
			if err := <-held; err != nil {
				t.Fatal(err)
			}
			stream, err := tx.Rows(t.Context(), s, []table.Key{{"12"}})
			if err != nil {
				t.Fatal(err)
			}
			if at, _, err := stream.Next(); at != 0 || err != nil {
				t.Errorf("the row is at %d, error %v", at, err)
			}
			_ = stream.Close()
			s.Files = planned
			if err := tx.Hold(t.Context(), s); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("other files than planned: error %v, want Conflict", err)
			}
			tx.Close()
		}
	})
}
