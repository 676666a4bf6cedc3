//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// keyLayout has the indexes of each node on a table t (a int, b numeric, c text, v text).
// The values of a and b are unique, those of c are not.
type keyLayout struct {
	name     string
	nodes    []string // per node
	key      []string
	strategy string
	warnings []string // a part of each warning; there must be no other warnings
}

const byPage = `have the columns of the key`

func keyLayouts() []keyLayout {
	return []keyLayout{
		{"indexes whose names are swapped", []string{`CREATE UNIQUE INDEX x ON t (a); CREATE UNIQUE INDEX y ON t (b)`, `CREATE UNIQUE INDEX y ON t (a); CREATE UNIQUE INDEX x ON t (b)`},
			[]string{"a"}, "key ranges", []string{`on node n1: unique index "x" serves`, `on node n2: unique index "y" serves`}},
		{"a primary key on the first node only", []string{`ALTER TABLE t ADD PRIMARY KEY (b); CREATE UNIQUE INDEX x ON t (a)`, `CREATE UNIQUE INDEX y ON t (b)`},
			[]string{"b"}, "key ranges", []string{`on node n2: unique index "y" serves`}},
		{"a primary key on the second node only", []string{`CREATE UNIQUE INDEX a ON t (b); CREATE UNIQUE INDEX b ON t (a)`, `ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX y ON t (b)`},
			[]string{"a"}, "key ranges", []string{`on node n1: unique index "b" serves`}},
		{"two primary keys, each an index of the other node", []string{`ALTER TABLE t ADD PRIMARY KEY (b); CREATE UNIQUE INDEX x ON t (a)`, `ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX x ON t (b)`},
			[]string{"a"}, "key ranges", []string{`primary key "t_pkey" of node n1 cannot serve on every node: unique index "x" serves`}},
		{"two primary keys, one an index of the other node", []string{`ALTER TABLE t ADD PRIMARY KEY (a, c)`, `ALTER TABLE t ADD PRIMARY KEY (b); CREATE UNIQUE INDEX x ON t (a, c)`},
			[]string{"a", "c"}, "key ranges", []string{`primary key "t_pkey" of node n2 cannot serve on every node: unique index "x" serves`}},
		{"a replica identity on one node", []string{`CREATE UNIQUE INDEX x ON t (a); CREATE UNIQUE INDEX y ON t (b)`, `CREATE UNIQUE INDEX x ON t (a); CREATE UNIQUE INDEX y ON t (b);
			ALTER TABLE t REPLICA IDENTITY USING INDEX y`}, []string{"b"}, "key ranges", []string{`on node n1: unique index "y" serves`, `on node n2: unique index "y" serves`}},
		{"an index that is sound on one node only", []string{`CREATE UNIQUE INDEX x ON t (a); CREATE UNIQUE INDEX y ON t (b)`, `CREATE UNIQUE INDEX x ON t (a) WHERE a > 0; CREATE UNIQUE INDEX y ON t (b)`},
			[]string{"b"}, "key ranges", []string{`on node n1: unique index "y" serves`, `on node n2: unique index "y" serves`}},
		{"primary keys of one order of the columns and another", []string{`ALTER TABLE t ADD PRIMARY KEY (b, c)`, `ALTER TABLE t ADD PRIMARY KEY (c, b)`},
			[]string{"b", "c"}, "pages", []string{byPage}},
		{"an index in the order of the other node's primary key", []string{`ALTER TABLE t ADD PRIMARY KEY (b, c); CREATE UNIQUE INDEX x ON t (c, b)`, `ALTER TABLE t ADD PRIMARY KEY (c, b)`},
			[]string{"c", "b"}, "key ranges", nil},
		{"a primary key of a type that the other node does not have", []string{`ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX x ON t (b)`, `ALTER TABLE t ALTER a TYPE text; ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX x ON t (b)`},
			[]string{"b"}, "key ranges", []string{"column \"a\" is integer on node n1 but text on node n2", `primary key "t_pkey" of node n1`, `primary key "t_pkey" of node n2`}},
		{"a key that two nodes would choose but the third does not have", []string{`ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX x ON t (b)`,
			`ALTER TABLE t ADD PRIMARY KEY (a); CREATE UNIQUE INDEX x ON t (b)`, `CREATE UNIQUE INDEX x ON t (b)`},
			[]string{"b"}, "key ranges", []string{`primary key "t_pkey" of node n1`, `primary key "t_pkey" of node n2`, `no primary key on node n3: unique index "x"`}},
	}
}

// Case T-P2, see docs/RELIABILITY.md.
func TestKeys_ACommonKeyIsFoundDespiteOtherIndexes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest, pgtest.Oldest))
	s := apptest.New(t, c, apptest.Options{})
	for i, l := range keyLayouts() {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			name := fmt.Sprintf("layout%d.t", i)
			l.fill(t, c, fmt.Sprintf("layout%d", i))
			nodes := c.Nodes[:len(l.nodes)]
			args := []string{"block_rows", "1000", "nodes", strings.Join([]string{"n1", "n2", "n3"}[:len(nodes)], ",")}
			d := s.Diff(t, name, args...)
			l.check(t, d, counts{6, 6, 12}, 3006)
			r := s.Rerun(t, d.TaskID, name, "behavior", behaviors()[i%2])
			if countsOf(r, 0) != (counts{6, 6, 12}) || !slices.Equal(r.Summary.PrimaryKey, l.key) {
				t.Errorf("the rerun finds %+v by the key %q", countsOf(r, 0), r.Summary.PrimaryKey)
			}
			l.repairAndUndo(t, s, d, name, args)
		})
	}
}

// fill creates the table with the layout on the nodes. Compared with n1, n2 lacks six
// rows, has six more, and has another value in twelve.
func (l keyLayout) fill(t *testing.T, c *pgtest.Cluster, schema string) {
	t.Helper()
	for node, sql := range l.nodes {
		c.Exec(t, node, "CREATE SCHEMA "+schema, "SET search_path = "+schema, "CREATE TABLE t (a int NOT NULL, b numeric NOT NULL, c text NOT NULL, v text)",
			"INSERT INTO t SELECT i, 3001.5 - i, 'c' || i % 7, 'v' FROM generate_series(1, 3000) i", sql)
	}
	c.Exec(t, 1, "SET search_path = "+schema, "DELETE FROM t WHERE b = ANY (ARRAY[2992.5, 2492.5, 1992.5, 1492.5, 992.5, 492.5])",
		"UPDATE t SET v = 'other' WHERE b % 250 = 1.5", "INSERT INTO t SELECT i, -i, 'new', 'v' FROM generate_series(4001, 4006) i")
}

// check checks the document of a comparison.
func (l keyLayout) check(t *testing.T, d apptest.Diff, want counts, rows int64) {
	t.Helper()
	if !slices.Equal(d.Summary.PrimaryKey, l.key) || countsOf(d, 0) != want || d.Result.TotalRows != rows || d.Summary.ResolvedRows != 0 {
		t.Errorf("by the key %q %d rows, %+v, %d resolved; want the key %q, %d rows, %+v, 0 resolved",
			d.Summary.PrimaryKey, d.Result.TotalRows, countsOf(d, 0), d.Summary.ResolvedRows, l.key, rows, want)
	}
	if d.Summary.Strategy != l.strategy {
		t.Errorf("the strategy is %s, want %s", d.Summary.Strategy, l.strategy)
	}
	warnings := slices.DeleteFunc(slices.Clone(d.Summary.Warnings), ofSuperuser)
	if len(warnings) != len(l.warnings) {
		t.Errorf("warnings are %q, want %q", warnings, l.warnings)
	}
	for _, want := range l.warnings {
		if !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, want) }) {
			t.Errorf("warnings are %q, want %q among them", warnings, want)
		}
	}
}

// repairAndUndo repairs n2 from n1 and undoes the repair.
func (l keyLayout) repairAndUndo(t *testing.T, s *apptest.Service, d apptest.Diff, name string, args []string) {
	t.Helper()
	const rows = "SELECT a::text, b, c, v FROM %s ORDER BY b"
	before := s.Cluster.QueryStrings(t, 1, fmt.Sprintf(rows, name))
	r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.Nodes = []string{"n2"} })
	if want := "+6 ~12 -6 =0 /0 committed"; r.counts("n2") != want {
		t.Errorf("the repair counts %s, want %s: %s", r.counts("n2"), want, r.Error)
	}
	if after := s.Diff(t, name, args...); after.Result.Verdict != "match" {
		t.Errorf("after the repair %s: %+v", after.Result.Verdict, after.Rows)
	}
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n2"]; u.Status != api.StatusCompleted || n.Inserted != 6 || n.Updated != 12 || n.Deleted != 6 {
		t.Errorf("the undo is %+v %s", n, u.Error)
	}
	if diff := cmp.Diff(before, s.Cluster.QueryStrings(t, 1, fmt.Sprintf(rows, name))); diff != "" {
		t.Errorf("the undo left (-want +got):\n%s", diff)
	}
}

// A document without a key is read by a key that the nodes have in common.
func TestKeys_ADocumentWithoutAKeyUsesTheCommonKey(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	const two = `CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL UNIQUE, v text); INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'x'), (3, 30, 'x')`
	c.Exec(t, 0, two)
	c.Exec(t, 1, two, `UPDATE t SET v = 'other' WHERE a = 2`)
	c.Exec(t, 2, `CREATE TABLE t (a int, b int NOT NULL UNIQUE, v text); INSERT INTO t VALUES (1, 10, 'x'), (2, 20, 'x'), (3, 30, 'other')`)
	file := s.Import(t, []byte(`{"diffs": {"n1/n2": {"n1": [{"a": 2, "b": 20, "v": "x"}], "n2": [{"a": 2, "b": 20, "v": "other"}]},
		"n1/n3": {"n1": [{"a": 3, "b": 30, "v": "x"}], "n3": [{"a": 3, "b": 30, "v": "other"}]}}}`))
	if r := s.Rerun(t, file, "public.t"); r.Result.MismatchedRows != 2 || !slices.Equal(r.Summary.PrimaryKey, []string{"b"}) {
		t.Errorf("the rerun finds %d rows by %q", r.Result.MismatchedRows, r.Summary.PrimaryKey)
	}
	if d := s.Diff(t, "public.t"); d.Result.MismatchedRows != 2 {
		t.Fatalf("%d rows differ", d.Result.MismatchedRows)
	}
	table, err := api.ParseTableName("public.t")
	if err != nil {
		t.Fatal(err)
	}
	req := api.TableRepairRequest{ClusterName: s.Cluster.Name, DiffFile: api.DiffFile{Key: file}, SourceOfTruth: "n1", Table: table}
	var submitted api.Submitted
	s.Get(t, "/ace/table-repair", parameters(t, req), &submitted)
	if status := s.Wait(t, submitted.TaskID); status.Status != api.StatusCompleted {
		t.Fatalf("the repair ended %s: %s", status.Status, status.Error)
	}
	if d := s.Diff(t, "public.t"); d.Result.Verdict != "match" {
		t.Errorf("after the repair %d rows differ", d.Result.MismatchedRows)
	}
}

// Case T-F4, see docs/RELIABILITY.md.
func TestKeys_NullableKeysAreNotUsed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (a int, b int NOT NULL, v text)`, `INSERT INTO t SELECT i, i, 'v' FROM generate_series(1, 30000) i`)
	c.Exec(t, 0, `INSERT INTO t VALUES (NULL, -1, 'one')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (NULL, -1, 'two'), (NULL, -2, 'three')`)
	c.ExecAll(t, `ALTER TABLE t ADD CONSTRAINT nn NOT NULL a NOT VALID`, `CREATE UNIQUE INDEX by_a ON t (a)`, `ALTER TABLE t REPLICA IDENTITY USING INDEX by_a`)

	const why = `has "by_a" (may have NULL in "a", whose NOT NULL constraint is not validated: ALTER TABLE public.t VALIDATE CONSTRAINT nn)`
	if got := s.Fail(t, "public.t"); !strings.Contains(got, `node "n1" `+why) || !strings.Contains(got, `node "n2" `+why) {
		t.Errorf("the error is %q, want %q of both nodes", got, why)
	}
	c.ExecAll(t, `CREATE UNIQUE INDEX by_b ON t (b)`)
	d := s.Diff(t, "public.t", "block_rows", "1000")
	if countsOf(d, 0) != (counts{0, 1, 1}) || d.Result.TotalRows != 30002 {
		t.Errorf("%d rows, %+v; want 30002 rows, one on n2 only and one different", d.Result.TotalRows, countsOf(d, 0))
	}
	const refused = `null value in column "a" of relation "t" violates not-null constraint`
	if r := repair(t, s, d.TaskID, "n1", nil); r.Status != api.StatusFailed || !strings.Contains(r.Error, refused) {
		t.Errorf("the repair ended %s: %s; want it FAILED, since PostgreSQL takes no such row any more", r.Status, r.Error)
	}

	c.ExecAll(t, `DELETE FROM t WHERE a IS NULL`, `ALTER TABLE t VALIDATE CONSTRAINT nn`)
	if d := s.Diff(t, "public.t"); !slices.Equal(d.Summary.PrimaryKey, []string{"a"}) || d.Result.Verdict != "match" {
		t.Errorf("by the key %q, validated, %s", d.Summary.PrimaryKey, d.Result.Verdict)
	}
}

// Case T-P6, see docs/RELIABILITY.md.
func TestKeys_TemporalKeysAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE EXTENSION btree_gist; CREATE TABLE t (id int, valid daterange, v text, PRIMARY KEY (id, valid WITHOUT OVERLAPS))`,
		`INSERT INTO t SELECT i / 10, daterange('2024-01-01'::date + i % 10, '2024-01-02'::date + i % 10), 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `DELETE FROM t WHERE id = 7 AND valid @> '2024-01-03'::date`, `UPDATE t SET v = 'other' WHERE id = 8`,
		`UPDATE t SET valid = daterange(lower(valid), NULL) WHERE id = 9 AND lower(valid) = '2024-01-10'`)
	const why = `has "t_pkey" (is a temporal key (WITHOUT OVERLAPS), a GiST index, which has no order: add a unique index on (id, valid))`
	if got := s.Fail(t, "public.t"); !strings.Contains(got, `node "n1" `+why) || !strings.Contains(got, `node "n2" `+why) {
		t.Errorf("the error is %q, want %q of both nodes", got, why)
	}
	c.ExecAll(t, `CREATE UNIQUE INDEX ON t (id, valid)`)
	d := s.Diff(t, "public.t")
	if countsOf(d, 0) != (counts{2, 1, 10}) {
		t.Errorf("found %+v, want 2, 1 and 10", countsOf(d, 0))
	}
	if r := s.Rerun(t, d.TaskID, "public.t"); countsOf(r, 0) != (counts{2, 1, 10}) {
		t.Errorf("the rerun finds %+v", countsOf(r, 0))
	}
	if r := repairTwice(t, s, "public.t", "n1"); r.counts("n2") != "+2 ~10 -1 =0 /0 committed" {
		t.Errorf("the repair counts %s", r.counts("n2"))
	}
}

// Case T-P3, see docs/RELIABILITY.md.
func TestKeys_TypesInOtherSchemasMatchByDefinition(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, `CREATE SCHEMA here; CREATE EXTENSION citext SCHEMA here; CREATE EXTENSION hstore SCHEMA here; CREATE EXTENSION ltree SCHEMA here`)
	c.Exec(t, 1, `CREATE SCHEMA "There It Is"; CREATE EXTENSION citext SCHEMA "There It Is"; CREATE EXTENSION hstore SCHEMA "There It Is"; CREATE EXTENSION ltree SCHEMA "There It Is"`)
	for node, schema := range []string{"here", `"There It Is"`} {
		c.Exec(t, node, "SET search_path = "+schema, `CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad')`, `CREATE TYPE pair AS (x int, y text)`,
			`CREATE DOMAIN code AS text CHECK (VALUE <> '')`, `CREATE TYPE spans AS RANGE (subtype = float8)`)
	}
	for i, kind := range []struct {
		column, value, spelled string // spelled: another text of the same keys, for n2
		warned                 bool
	}{
		{"citext", "'Key' || i", "'KEY' || i", false},
		{"citext[]", "ARRAY['Key' || i]::$.citext[]", "ARRAY['KEY' || i]::$.citext[]", false},
		{"hstore", "$.hstore('k', 'v' || i)", "$.hstore('k', 'v' || i)", false},
		{"ltree", "('k.' || i)::$.ltree", "('k.' || i)::$.ltree", false},
		{"mood", "(ARRAY['sad', 'ok', 'glad'])[1 + i % 3]::$.mood", "(ARRAY['sad', 'ok', 'glad'])[1 + i % 3]::$.mood", true},
		{"mood[]", "ARRAY[(ARRAY['sad', 'ok', 'glad'])[1 + i % 3]]::$.mood[]", "ARRAY[(ARRAY['sad', 'ok', 'glad'])[1 + i % 3]]::$.mood[]", true},
		{"pair", "ROW(i, 'y' || i)::$.pair", "ROW(i, 'y' || i)::$.pair", true},
		{"code", "'Key' || i", "'Key' || i", true},
		{"spans", "$.spans(i, i + 0.5)", "$.spans(i, i + 0.5)", true},
	} {
		t.Run(kind.column, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("moved%d", i)
			for node, schema := range []string{"here", `"There It Is"`} {
				value := strings.ReplaceAll(kind.value, "$", schema)
				c.Exec(t, node, fmt.Sprintf(`CREATE TABLE %[1]s (k %[2]s.%[3]s, i int, v text, PRIMARY KEY (k, i)); INSERT INTO %[1]s SELECT %[4]s, i, 'v' FROM generate_series(1, 1500) i`,
					table, schema, kind.column, value))
			}
			spelled := strings.ReplaceAll(kind.spelled, "$", `"There It Is"`)
			c.Exec(t, 1, "DELETE FROM "+table+" WHERE i % 500 = 9", "UPDATE "+table+" SET v = 'other' WHERE i % 500 = 11",
				fmt.Sprintf("UPDATE %s SET k = %s WHERE i %% 500 = 7", table, spelled))
			want := counts{3, 0, 3}
			if kind.spelled != kind.value {
				want.different = 6
			}
			d := s.Diff(t, "public."+table, "block_rows", "1000")
			if countsOf(d, 0) != want || d.Result.TotalRows != 1500 || d.Summary.ResolvedRows != 0 {
				t.Errorf("%d rows, %+v, %d resolved; want %+v", d.Result.TotalRows, countsOf(d, 0), d.Summary.ResolvedRows, want)
			}
			if warned := slices.ContainsFunc(d.Summary.Warnings, func(w string) bool { return strings.Contains(w, "compared as text") }); warned != kind.warned {
				t.Errorf("warnings are %q, want one about the types: %v", d.Summary.Warnings, kind.warned)
			}
			if r := s.Rerun(t, d.TaskID, "public."+table, "behavior", behaviors()[i%2]); countsOf(r, 0) != want {
				t.Errorf("the rerun finds %+v, want %+v", countsOf(r, 0), want)
			}
			if r := repair(t, s, d.TaskID, "n1", nil); r.counts("n2") != fmt.Sprintf("+3 ~%d -0 =0 /0 committed", want.different) {
				t.Errorf("the repair counts %s: %s", r.counts("n2"), r.Error)
			}
			if after := s.Diff(t, "public."+table); after.Result.Verdict != "match" {
				t.Errorf("after the repair %d rows differ: %+v", after.Result.MismatchedRows, after.Rows)
			}
		})
	}
}
