//go:build !unit

package app_test

import (
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

func TestTableDiff_ComparesPartitionedTables(t *testing.T) {
	t.Parallel()
	ranged := `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
		CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (MINVALUE) TO (1000);
		CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (1000) TO (5000);
		CREATE TABLE t_none PARTITION OF t FOR VALUES FROM (5000) TO (6000);
		CREATE TABLE t_rest PARTITION OF t DEFAULT`
	hashed := `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
		CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 0);
		CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 1);
		CREATE TABLE t_2 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 2)`
	nested := `CREATE TABLE t (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
		CREATE TABLE t_old PARTITION OF t FOR VALUES FROM (MINVALUE) TO ('2024-01-01') PARTITION BY HASH (id);
		CREATE TABLE t_old_0 PARTITION OF t_old FOR VALUES WITH (MODULUS 2, REMAINDER 0);
		CREATE TABLE t_old_1 (v text, gone int, day date NOT NULL, id int NOT NULL); ALTER TABLE t_old_1 DROP gone;
		ALTER TABLE t_old ATTACH PARTITION t_old_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
		CREATE TABLE t_new PARTITION OF t FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)`
	fill := `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 4000) i`
	change := []string{`UPDATE t SET v = 'w' WHERE id IN (999, 1000)`, `DELETE FROM t WHERE id = 3999`, `INSERT INTO t VALUES (9999, 'v')`}
	found := counts{1, 1, 2}
	checkShapes(t, []shape{
		{name: "by range with an empty partition", all: []string{ranged, fill}, n2: change, total: 4001, found: found},
		{name: "by hash", all: []string{hashed, fill}, n2: change, total: 4001, found: found},
		{name: "with sub-partitions of another column order", all: []string{nested,
			`INSERT INTO t SELECT i, '2023-07-01'::date + i % 365, 'v' FROM generate_series(1, 4000) i`},
			n2: []string{`UPDATE t SET v = 'w' WHERE id IN (1, 2)`, `DELETE FROM t WHERE id = 300`}, total: 4000, found: counts{1, 0, 2}},
		{name: "by range here and by hash there", n1: []string{ranged, fill}, n2: append([]string{hashed, fill}, change...), total: 4001, found: found},
		{name: "partitioned here and plain there", n1: []string{`CREATE TABLE t (id int PRIMARY KEY, v text)`, fill}, n2: append([]string{ranged, fill}, change...),
			total: 4001, found: found},
		{name: "without a partition", all: []string{`CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`}},
		{name: "one partition by its own name", table: "public.t_low", all: []string{ranged, fill}, n2: change, total: 999, found: counts{0, 0, 1}},
		{name: "a filter that names the table with its schema", all: []string{ranged, fill}, n2: change,
			args: []string{"table_filter", "public.t.id < 1000 OR t.id = 3999"}, total: 1000, found: counts{1, 0, 1}},
	})
}

func TestTableDiff_AnInheritanceParentIsComparedAlone(t *testing.T) {
	t.Parallel()
	family := `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE child (w text) INHERITS (t)`
	fill := `INSERT INTO t SELECT i, 'v' FROM generate_series(1, 1500) i`
	checkShapes(t, []shape{
		{name: "children differ", all: []string{family, fill}, n1: []string{`INSERT INTO child VALUES (1, 'child', 'w')`},
			total: 1500, warning: "only its own rows are compared"},
		{name: "the parent differs", all: []string{family, fill, `INSERT INTO child SELECT i, 'v', 'w' FROM generate_series(1, 1500) i`},
			n2: []string{`DELETE FROM ONLY t WHERE id = 7`}, total: 1500, found: counts{1, 0, 0}, warning: "only its own rows are compared"},
		{name: "a parent on one node only", all: []string{`CREATE TABLE t (id int PRIMARY KEY, v text)`, fill},
			n2: []string{`CREATE TABLE child () INHERITS (t); INSERT INTO child VALUES (4000, 'v')`}, total: 1500, warning: "children on node n2"},
	})
}

// Keys that the nodes order differently make the comparison read the partitions one by
// one, or the parent if a partition is not readable.
func TestTableDiff_ReadsPartitionsInPhysicalOrder(t *testing.T) {
	t.Parallel()
	parted := func(collation string) string {
		return `CREATE TABLE t (id text COLLATE ` + collation + ` PRIMARY KEY, v text) PARTITION BY HASH (id);
			CREATE TABLE t_0 (v text, id text COLLATE ` + collation + ` NOT NULL);
			ALTER TABLE t ATTACH PARTITION t_0 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
			CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 1);
			CREATE TABLE t_2 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 2)`
	}
	plain := `CREATE TABLE t (id text COLLATE "und-x-icu" PRIMARY KEY, v text)`
	fill := `INSERT INTO t SELECT CASE WHEN i % 2 = 0 THEN 'a' ELSE 'B' END || i, 'v' FROM generate_series(1, 4000) i`
	change := []string{`UPDATE t SET v = 'w' WHERE id IN ('a2', 'B4001', 'B7')`, `DELETE FROM t WHERE id = 'B3999'`, `INSERT INTO t VALUES ('Z', 'v')`}
	found := counts{1, 1, 2}
	filter := []string{"table_filter", "public.t.id <> 'a2'"}
	checkShapes(t, []shape{
		{name: "partitioned on both", n1: []string{parted(`"C"`), fill}, n2: append([]string{parted(`"und-x-icu"`), fill}, change...),
			total: 4001, found: found, warning: "ordered by its text"},
		{name: "partitioned on one", n1: []string{parted(`"C"`), fill}, n2: append([]string{plain, fill}, change...),
			total: 4001, found: found, warning: "ordered by its text"},
		{name: "a filter that names the table with its schema", n1: []string{parted(`"C"`), fill}, n2: append([]string{plain, fill}, change...),
			args: filter, total: 4000, found: counts{1, 1, 1}, warning: "ordered by its text"},
	})
}

func TestTableDiff_ReadsThroughTheParentIfAPartitionIsNotReadable(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	reader := readOnlyRole(t, c)
	s := apptest.New(t, reader, apptest.Options{})
	for _, collation := range []string{`"C"`, `"und-x-icu"`} {
		t.Run("second node ordered by "+collation, func(t *testing.T) {
			for node, collate := range []string{`"C"`, collation} {
				c.Exec(t, node, `DROP TABLE IF EXISTS t; CREATE TABLE t (id text COLLATE `+collate+` PRIMARY KEY, v text) PARTITION BY HASH (id);
					CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
					CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
					INSERT INTO t SELECT 'k' || i, 'v' FROM generate_series(1, 3000) i; GRANT SELECT ON t, t_0 TO `+reader.User)
			}
			c.Exec(t, 1, `UPDATE t SET v = 'w' WHERE id IN ('k1', 'k2', 'k3', 'k4', 'k2999')`, `DELETE FROM t WHERE id IN ('k10', 'k11')`)
			d := s.Diff(t, "public.t", "block_rows", "1000")
			if got := countsOf(d, 0); got != (counts{2, 0, 5}) || d.Result.TotalRows != 3000 {
				t.Errorf("%d rows, %+v, want 3000, two on the first node only and five different", d.Result.TotalRows, got)
			}
		})
	}
}

// readOnlyRole returns the cluster with a role that can log in and has no other
// privilege.
func readOnlyRole(t *testing.T, c *pgtest.Cluster) *pgtest.Cluster {
	t.Helper()
	reader := *c
	reader.User, reader.Password = "reader_of_"+c.Name, "reader's secret"
	reader.User = reader.User[:min(len(reader.User), 40)]
	c.ExecAll(t, `CREATE ROLE `+reader.User+` LOGIN PASSWORD 'reader''s secret'`)
	t.Cleanup(func() { c.ExecAll(t, `DROP OWNED BY `+reader.User+`; DROP ROLE `+reader.User) })
	return &reader
}
