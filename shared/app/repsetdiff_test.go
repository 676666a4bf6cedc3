//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/setfile"
)

// findingsOf returns the findings of a document in short: rank, kind, object, and the
// nodes with a fix.
func findingsOf(d setfile.Document) []string {
	texts := []string{}
	for _, f := range d.Structure {
		text := fmt.Sprintf("%s %s %s", f.Rank, f.Kind, f.Object)
		if len(f.Fix) > 0 {
			text += " fix " + strings.Join(slices.Sorted(maps.Keys(f.Fix)), ",")
		}
		texts = append(texts, text)
	}
	return texts
}

// resultsOf returns the verdict of each table, with what was not compared of it.
func resultsOf(d setfile.Document) map[string]string {
	results := map[string]string{}
	for _, t := range d.Tables {
		results[t.Table.String()] = t.Verdict
		if t.TableFilter != "" {
			results[t.Table.String()] += " where " + t.TableFilter
		}
		if len(t.IgnoreColumns) > 0 {
			results[t.Table.String()] += " without " + strings.Join(t.IgnoreColumns, ",")
		}
	}
	return results
}

// publishers returns two nodes, an old and a new one, with equal tables.
func publishers(t *testing.T) *pgtest.Cluster {
	t.Helper()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.ExecAll(t, fmt.Sprintf(`CREATE TABLE %[1]s (id int PRIMARY KEY, v text, w text); INSERT INTO %[1]s SELECT i, 'v', 'w' FROM generate_series(1, 300) i`, name))
	}
	c.ExecAll(t, `CREATE SCHEMA "S x"`, `CREATE TABLE "S x"."T" (id int PRIMARY KEY)`, `CREATE TABLE elsewhere (id int PRIMARY KEY)`,
		`CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)`, `CREATE TABLE "S x".low PARTITION OF parted FOR VALUES FROM (0) TO (10)`,
		`CREATE TABLE high PARTITION OF parted FOR VALUES FROM (10) TO (20)`, `INSERT INTO parted VALUES (1), (11)`)
	c.Exec(t, 1, `INSERT INTO elsewhere VALUES (1)`, `CREATE INDEX ON elsewhere (id)`)
	return c
}

// What the nodes replicate alike is compared, and nothing else.
func TestRepsetDiff_ComparesWhatIsReplicated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, first, second string // the statements that create the set on n1 and n2, and differences
		verdict             string
		findings            []string
		results             map[string]string
	}{
		{
			"alike on both nodes",
			`CREATE PUBLICATION p FOR TABLE a, "S x"."T", b WHERE (id > 100), c (id, v), parted; ALTER TABLE c ADD x int`,
			`CREATE PUBLICATION p FOR TABLE a, "S x"."T", b WHERE (id > 100), c (id, v), high, "S x".low;
			 DELETE FROM b WHERE id < 50; UPDATE c SET w = 'x'; ALTER TABLE c ALTER w TYPE varchar(5), ADD y int`,
			"match", []string{},
			map[string]string{
				"public.a": "identical", `"S x"."T"`: "identical", "public.b": "identical where (id > 100)",
				"public.c": "identical without w,x,y", "public.parted": "identical",
			},
		},
		{
			"on the publisher only",
			`CREATE PUBLICATION p FOR TABLE a, high WITH (publish = 'insert, update')`, `DELETE FROM parted WHERE id = 1`, // not in high
			"match", []string{"differs publication p", "differs publication p"}, map[string]string{"public.a": "identical", "public.high": "identical"},
		},
		{
			"what differs",
			`CREATE PUBLICATION p FOR TABLE a, b WHERE (id > 100), c (id, v), d (v), parted WHERE (id > 5) WITH (publish_via_partition_root, publish = 'insert');
			 CREATE TABLE late (id int PRIMARY KEY); ALTER PUBLICATION p ADD TABLE late`,
			`UPDATE a SET v = 'x' WHERE id < 4; DELETE FROM b WHERE id IN (50, 150); UPDATE c SET v = 'x' WHERE id = 1; DELETE FROM parted WHERE id = 1`,
			"differ", []string{"blocks table public.late fix n2", "differs publication p", "differs publication p"},
			map[string]string{
				"public.a": "different", "public.b": "different where (id > 100)", "public.c": "different without w", "public.d": "failed",
				"public.parted": "identical where (id > 5)", "public.late": "missing",
			},
		},
		{
			"not alike",
			`CREATE PUBLICATION p FOR TABLE a, b WHERE (id > 200), c WHERE (id > 200), d (id, v), e, parted WITH (publish_via_partition_root, publish = 'insert, update, delete')`,
			`CREATE PUBLICATION p FOR TABLE b WHERE (id < 50), c, d (id, w), e, parted;
			 UPDATE a SET v = 'x' WHERE id = 1; DELETE FROM b WHERE id = 100; DELETE FROM c WHERE id = 100; UPDATE d SET w = 'x' WHERE id = 1; UPDATE e SET v = 'x' WHERE id = 1`,
			"differ",
			[]string{
				"drifts publication p", "drifts publication p", "drifts publication table public.a fix n2",
				"drifts publication table public.b", "drifts publication table public.c", "drifts publication table public.d",
			},
			map[string]string{
				"public.a": "different", "public.b": "identical where ((id < 50)) OR ((id > 200))", "public.c": "different",
				"public.d": "different", "public.e": "different", "public.parted": "identical",
			},
		},
		{
			"all tables", // except unlogged ones, which are not published
			`CREATE TABLE late (id int PRIMARY KEY); CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); CREATE PUBLICATION p FOR ALL TABLES`,
			`CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); INSERT INTO unlogged VALUES (1); CREATE PUBLICATION p FOR ALL TABLES; DELETE FROM parted WHERE id = 1`,
			"differ", []string{"blocks table public.late fix n2", "differs index public.elsewhere.elsewhere_id_idx fix n1"},
			map[string]string{
				"public.a": "identical", "public.b": "identical", "public.c": "identical", "public.d": "identical", "public.e": "identical", `"S x"."T"`: "identical",
				"public.elsewhere": "different", "public.parted": "different", "public.late": "missing",
			},
		},
		{
			// json is a keyword only on n2, and S x has a partition on n1 only.
			"a keyword, and a partition in another schema",
			`CREATE TABLE json (id int PRIMARY KEY); INSERT INTO json VALUES (1), (201); CREATE TABLE "S x".mid PARTITION OF parted FOR VALUES FROM (20) TO (30);
			 CREATE PUBLICATION p FOR TABLE json WHERE (id > 200), parted WITH (publish_via_partition_root)`,
			`CREATE TABLE json (id int PRIMARY KEY); INSERT INTO json VALUES (201); CREATE PUBLICATION p FOR TABLE json, parted WITH (publish_via_partition_root)`,
			"differ", []string{`blocks table "S x".mid fix n2`, `drifts publication table public."json"`},
			map[string]string{"public.json": "different", "public.parted": "identical"},
		},
		{
			"all tables of a schema", // so the row filter is without effect
			`CREATE PUBLICATION p FOR TABLE b WHERE (id > 200), TABLES IN SCHEMA public`, `DELETE FROM b WHERE id = 100`,
			"differ", []string{"differs index public.elsewhere.elsewhere_id_idx fix n1", "differs publication p"},
			map[string]string{
				"public.a": "identical", "public.b": "different", "public.c": "identical", "public.d": "identical", "public.e": "identical",
				"public.elsewhere": "different", "public.parted": "identical",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := publishers(t)
			c.Exec(t, 0, tt.first)
			c.Exec(t, 1, tt.second)
			s := apptest.New(t, c, apptest.Options{})
			end := s.SchemaEnd(t, s.SubmitRepset(t, "p"))
			if end.Result.Verdict != tt.verdict || end.Status.TableName != "repset:p" || end.Document.Summary.Name != "publication:p" || !strings.HasPrefix(end.Status.TaskID, "rs_") {
				t.Errorf("%s ended %s (%s): %s", end.Status.TaskID, end.Status.Status, end.Status.Error, end.Status.Result)
			}
			if diff := gocmp.Diff(tt.results, resultsOf(end.Document)); diff != "" {
				t.Errorf("tables (-want +got):\n%s", diff)
			}
			if diff := gocmp.Diff(tt.findings, findingsOf(end.Document)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%+v", diff, end.Document.Structure)
			}
			for _, f := range end.Document.Structure {
				if sql := f.Fix["n2"]; sql != "" {
					c.Exec(t, 1, sql)
				}
			}
		})
	}
}

// A table that is not compared has no findings either, and the user's filter is added to
// that of the set.
func TestRepsetDiff_LeavesOutWhatTheRequestDoes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE a (id int PRIMARY KEY, v text, w text); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1), (2), (3)`, `CREATE PUBLICATION p FOR TABLE a (id, v) WHERE (id > 1)`)
	c.Exec(t, 0, `ALTER PUBLICATION p ADD TABLE b`)
	c.Exec(t, 1, `UPDATE a SET w = 'w'; UPDATE a SET v = 'v' WHERE id = 3`)
	s := apptest.New(t, c, apptest.Options{})
	end := s.SchemaEnd(t, s.SubmitRepset(t, "p", "skip_tables", "b", "table_filter", "id < 3 -- old", "ignore_columns", "v"))
	want := map[string]string{"public.a": "identical where (id < 3 -- old\n) AND ((id > 1)) without v,w", "public.b": "skipped"}
	if diff := gocmp.Diff(want, resultsOf(end.Document)); diff != "" || end.Result.Verdict != api.VerdictMatch || len(end.Document.Structure) > 0 {
		t.Errorf("%s %s %v (-want +got):\n%s", end.Status.Error, end.Status.Result, findingsOf(end.Document), diff)
	}
}

func TestRepsetDiff_RefusesWhatItCannotFind(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE a (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE a; CREATE PUBLICATION empty`)
	s := apptest.New(t, c, apptest.Options{})
	for _, tt := range []struct {
		set, want string
		args      []string
	}{
		{"q", `no node has a publication or replication set "q"; there are publication:empty, publication:p`, nil},
		{"spock:p", `no node has a spock replication set "p", or any other`, nil},
		{"empty", "publication:empty has no table on any node", nil},
		{"p", "tables is orders*, which matches no table of publication:p", []string{"tables", "orders*"}},
		{"publication:p", "skip_tables excludes every table of publication:p", []string{"skip_tables", "a"}},
	} {
		end := s.SchemaEnd(t, s.SubmitRepset(t, tt.set, tt.args...))
		if end.Status.Status != api.StatusFailed || !strings.Contains(end.Status.Error, tt.want) || end.Result.Verdict != "" {
			t.Errorf("%s %v ended %s: %s", tt.set, tt.args, end.Status.Status, end.Status.Error)
		}
	}
}

func TestRepsetDiff_ReadsPglogical(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("shared_preload_libraries", "pglogical"),
		pgtest.ServerSetting("output_plugin_libraries", "pgoutput, pglogical_output"))
	c.ExecAll(t, `CREATE EXTENSION pglogical`, `CREATE TABLE a (id int PRIMARY KEY, v text, w text); INSERT INTO a VALUES (1, 'v', 'w'), (2, 'v', 'w')`, `CREATE TABLE b (id int PRIMARY KEY)`)
	for node := range c.Nodes {
		c.Exec(t, node, fmt.Sprintf(`SELECT pglogical.create_node('node%d', '%s')`, node+1, c.DSN(node)),
			`SELECT pglogical.replication_set_add_table('default', 'a', false, '{id,v}', 'id > 1')`)
	}
	c.Exec(t, 0, `SELECT pglogical.replication_set_add_table('default', 'b')`, `UPDATE a SET v = 'x' WHERE id = 1`, `UPDATE a SET w = 'x'`)
	s := apptest.New(t, c, apptest.Options{})

	end := s.SchemaEnd(t, s.SubmitRepset(t, "default"))
	want := map[string]string{"public.a": "identical where (id > 1) without w", "public.b": "identical"}
	if diff := gocmp.Diff(want, resultsOf(end.Document)); diff != "" || end.Result.Verdict != api.VerdictDiffer || end.Document.Summary.Restricted != 1 {
		t.Errorf("%s %s (-want +got):\n%s", end.Status.Error, end.Status.Result, diff)
	}
	if diff := gocmp.Diff([]string{"drifts publication table public.b fix n2"}, findingsOf(end.Document)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	c.Exec(t, 1, end.Document.Structure[0].Fix["n2"])
	if end := s.SchemaEnd(t, s.SubmitRepset(t, "pglogical:default")); end.Result.Verdict != api.VerdictMatch || len(end.Document.Structure) > 0 {
		t.Errorf("%s %s %v", end.Status.Error, end.Status.Result, findingsOf(end.Document))
	}

	// A publication of the same name.
	c.Exec(t, 1, `CREATE PUBLICATION "default" FOR TABLE b`)
	end = s.SchemaEnd(t, s.SubmitRepset(t, "default"))
	if !strings.Contains(end.Status.Error, `"default" is the name of more than one set; set repset_name to publication:default or pglogical:default`) {
		t.Errorf("%s: %s", end.Status.Status, end.Status.Error)
	}

	// A role that may not read the sets of pglogical.
	check, _ := c.Roles(t)
	c.ExecAll(t, `REVOKE USAGE ON SCHEMA pglogical FROM PUBLIC`)
	limited := apptest.New(t, check, apptest.Options{Store: s.Store})
	end = limited.SchemaEnd(t, limited.SubmitRepset(t, "default"))
	if end.Status.Status != api.StatusFailed || !strings.Contains(end.Status.Error, "GRANT USAGE ON SCHEMA pglogical") || end.Result.Verdict != "" {
		t.Errorf("%s: %s", end.Status.Status, end.Status.Error)
	}
	end = limited.SchemaEnd(t, limited.SubmitRepset(t, "publication:default"))
	if diff := gocmp.Diff(map[string]string{"public.b": "identical"}, resultsOf(end.Document)); diff != "" {
		t.Errorf("%s: %s (-want +got):\n%s", end.Status.Status, end.Status.Error, diff)
	}
}
