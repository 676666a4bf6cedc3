//go:build !unit

package app_test

import (
	"context"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/archive"
	"ace/shared/fault"
)

// Case O-P12, O-P19, see docs/RELIABILITY.md. A dry run is refused where the repair would
// be, with the server's reason, and with the counts of what would be done.
func TestTableRepair_ADryRunSeesThatAPublishedTableCannotBeUpdated(t *testing.T) {
	t.Parallel()
	for name, major := range map[string]int{"the oldest server": pgtest.Oldest, "the newest server": pgtest.Newest} {
		for _, tt := range []struct{ name, table, publish, reason string }{
			{"no replica identity", `CREATE TABLE t (id int NOT NULL UNIQUE, v text)`, `CREATE PUBLICATION p FOR TABLE t`, "does not have a replica identity"},
			{"all tables", `CREATE TABLE t (id int NOT NULL UNIQUE, v text)`, `CREATE PUBLICATION p FOR ALL TABLES`, "does not have a replica identity"},
			{"a row filter", `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE PUBLICATION p FOR TABLE t WHERE (v = 'x')`, "WHERE expression is not part of the replica identity"},
			{"a list of columns", `CREATE TABLE t (id int PRIMARY KEY, v text)`, `CREATE PUBLICATION p FOR TABLE t (v)`, "does not cover the replica identity"},
			{
				"a partition", `CREATE TABLE t (id int NOT NULL UNIQUE, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t DEFAULT`,
				`CREATE PUBLICATION p FOR TABLE t1`, "does not have a replica identity",
			},
		} {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				t.Parallel()
				c := pgtest.NewCluster(t, pgtest.Majors(major, major))
				c.ExecAll(t, tt.table)
				c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
				c.Exec(t, 1, `INSERT INTO t VALUES (1, 'x'), (3, 'c')`, tt.publish)
				s := apptest.New(t, c, apptest.Options{})
				d := s.Diff(t, "public.t")

				dry := repair(t, s, d.TaskID, "n1", dryRun)
				real := repair(t, s, d.TaskID, "n1", nil)
				if dry.Status != api.StatusFailed || !strings.Contains(dry.Error, tt.reason) || dry.counts("n2") != "+1 ~1 -1 =0 /0 " {
					t.Errorf("dry run %s %s: %s", dry.Status, dry.counts("n2"), dry.Error)
				}
				if real.Status != api.StatusFailed || !strings.Contains(real.Error, tt.reason) || real.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
					t.Errorf("repair %s %s: %s", real.Status, real.counts("n2"), real.Error)
				}
				onlyInsert := func(r *api.TableRepairRequest) { r.InsertOnly = true }
				if r := repair(t, s, d.TaskID, "n1", onlyInsert); r.counts("n2") != "+1 ~0 -0 =0 /2 committed" {
					t.Errorf("insertions are allowed: %s %s", r.counts("n2"), r.Error)
				}
			})
		}
	}
}

// Case O-P19, see docs/RELIABILITY.md. The node refuses one of many rows. The error names
// its key and the constraint.
func TestTableRepair_NamesTheRowThatTheNodeRefuses(t *testing.T) {
	t.Parallel()
	const rows = `; INSERT INTO t SELECT i, i FROM generate_series(1, 50) i`
	fire := func(r *api.TableRepairRequest) { r.FireTriggers = true }
	for _, tt := range []struct {
		name, n1, n2 string
		change       func(*api.TableRepairRequest)
		says         []string
	}{
		{
			"a check", `CREATE TABLE t (id int PRIMARY KEY, v int)` + rows + `; UPDATE t SET v = -v WHERE id = 33`,
			`CREATE TABLE t (id int PRIMARY KEY, v int CONSTRAINT pos CHECK (v >= 0)); INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i`, nil, []string{`constraint "pos"`, "('33')"},
		},
		{
			"a check of a unique column", `CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE)` + rows + `; UPDATE t SET v = -v WHERE id = 33`,
			`CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE CONSTRAINT pos CHECK (v >= 0)); INSERT INTO t SELECT i, i + 100 FROM generate_series(1, 50) i`, nil, []string{`constraint "pos"`, "('33')"},
		},
		{
			"NOT NULL", `CREATE TABLE t (id int PRIMARY KEY, v int)` + rows + `; UPDATE t SET v = NULL WHERE id = 7`,
			`CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i`, nil, []string{`column "v"`, "('7')"},
		},
		{
			"the check of a domain", `CREATE DOMAIN d AS int; CREATE TABLE t (id int PRIMARY KEY, v d)` + rows + `; UPDATE t SET v = -1 WHERE id = 9`,
			`CREATE DOMAIN d AS int CONSTRAINT pos CHECK (VALUE >= 0); CREATE TABLE t (id int PRIMARY KEY, v d); INSERT INTO t SELECT i, 0 FROM generate_series(1, 50) i`, nil, []string{`"pos"`, "('9')"},
		},
		{
			"an exclusion constraint", `CREATE TABLE t (id int PRIMARY KEY, v int4range); INSERT INTO t SELECT i, int4range(i, i + 1) FROM generate_series(1, 50) i; UPDATE t SET v = '[5,9)' WHERE id = 7`,
			`CREATE TABLE t (id int PRIMARY KEY, v int4range, CONSTRAINT apart EXCLUDE USING gist (v WITH &&)); INSERT INTO t SELECT i, int4range(i, i + 1) FROM generate_series(1, 50) i WHERE i <> 20; INSERT INTO t VALUES (20, NULL)`,
			nil, []string{`"apart"`, "('7')"},
		},
		{
			"a partition that is missing", `CREATE TABLE t (id int, v int, PRIMARY KEY (id, v)) PARTITION BY RANGE (v); CREATE TABLE t1 PARTITION OF t DEFAULT` + rows,
			`CREATE TABLE t (id int, v int, PRIMARY KEY (id, v)) PARTITION BY RANGE (v); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (40); INSERT INTO t VALUES (1, 1)`, nil, []string{"no partition", "('40', '40')"},
		},
		{
			"a foreign key of an update", `CREATE TABLE t (id int PRIMARY KEY, v int)` + rows,
			`CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p SELECT i FROM generate_series(0, 41) i; CREATE TABLE t (id int PRIMARY KEY, v int CONSTRAINT parent REFERENCES p); INSERT INTO t SELECT i, 0 FROM generate_series(1, 42) i`,
			fire, []string{`constraint "parent"`, "('42')"},
		},
		{
			"a foreign key of a deletion", `CREATE TABLE t (id int PRIMARY KEY, v int)`,
			`CREATE TABLE t (id int PRIMARY KEY, v int)` + rows + `; CREATE TABLE child (t int CONSTRAINT belongs REFERENCES t); INSERT INTO child VALUES (17)`,
			fire, []string{`constraint "belongs"`, "('17')"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.Exec(t, 0, tt.n1)
			c.Exec(t, 1, tt.n2)
			before := content(t, c, 1, "t")
			s := apptest.New(t, c, apptest.Options{})
			r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", tt.change)
			if r.Status != api.StatusFailed || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
				t.Errorf("ended %s %s", r.Status, r.counts("n2"))
			}
			for _, want := range tt.says {
				if !strings.Contains(r.Error, want) {
					t.Errorf("the error is %q, want %q", r.Error, want)
				}
			}
			if got := content(t, c, 1, "t"); len(got) != len(before) {
				t.Errorf("the node has %d rows, want %d", len(got), len(before))
			}
		})
	}
}

// Case O-P12, see docs/RELIABILITY.md. The catalog shows that a row cannot be written.
func TestTableRepair_ADryRunSeesTheColumnsThatMustNotBeNull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, n1, n2, says string }{
		{"of an update", `CREATE TABLE t (id int PRIMARY KEY, v int, x int); INSERT INTO t VALUES (1, 1), (2, NULL), (3, 3)`,
			`CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, x int); INSERT INTO t VALUES (1, 7), (2, 7), (3, 7)`, `column "v" is NOT NULL there, and the row with the key ('2') has NULL in it`},
		{"of an insertion", `CREATE TABLE t (id int PRIMARY KEY, v int, x int); INSERT INTO t VALUES (1, 1), (2, NULL), (3, 3)`,
			`CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, x int)`, `column "v" is NOT NULL there, and the row with the key ('2') has NULL in it`},
		{"of the target only", `CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)`,
			`CREATE TABLE t (id int PRIMARY KEY, v int, x int NOT NULL)`, `column "x", which the source lacks, is NOT NULL there and has no default`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.Exec(t, 0, tt.n1)
			c.Exec(t, 1, tt.n2)
			s := apptest.New(t, c, apptest.Options{})
			d := s.Diff(t, "public.t", "ignore_columns", "x")
			dry, real := repair(t, s, d.TaskID, "n1", dryRun), repair(t, s, d.TaskID, "n1", nil)
			if n := dry.Nodes["n2"]; dry.Status != api.StatusFailed || !strings.Contains(dry.Error, tt.says) || n.Inserted+n.Updated != 3 {
				t.Errorf("dry run %s %s: %s", dry.Status, dry.counts("n2"), dry.Error)
			}
			if real.Status != api.StatusFailed || !strings.Contains(real.Error, tt.says) || real.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
				t.Errorf("repair %s %s: %s", real.Status, real.counts("n2"), real.Error)
			}
		})
	}
}

// deniedRepairs is a store that denies all writes below repairs/.
type deniedRepairs struct{ archive.Store }

func denied(key string) error {
	if strings.HasPrefix(key, "repairs/") {
		return fault.New(fault.Invalid, "access to %s denied", key)
	}
	return nil
}

func (s deniedRepairs) Create(ctx context.Context, key, contentType string) (archive.Writer, error) {
	if err := denied(key); err != nil {
		return nil, err
	}
	return s.Store.Create(ctx, key, contentType)
}

func (s deniedRepairs) PutIfAbsent(ctx context.Context, key, contentType string, body []byte) (archive.Info, error) {
	if err := denied(key); err != nil {
		return archive.Info{}, err
	}
	return s.Store.PutIfAbsent(ctx, key, contentType, body)
}

// Case O-P11, see docs/RELIABILITY.md. The store refuses the before-images, so nothing is
// written, and the result says so.
func TestTableRepair_HasAnOutcomeIfTheBeforeImagesCannotBeStored(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	s := apptest.New(t, c, apptest.Options{Store: deniedRepairs{apptest.Store(t)}})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if r.Status != api.StatusFailed || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" || !strings.Contains(r.Error, "denied") || strings.Contains(r.Error, "unknown") {
		t.Errorf("%s %s: %s", r.Status, r.counts("n2"), r.Error)
	}
}
