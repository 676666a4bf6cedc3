//go:build !unit

package app_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/faulty"
	"ace/infra/testkit/memstore"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

func TestSchemaDiff_ComparesEveryTableOnce(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE SCHEMA app`,
		`CREATE TABLE app.same (id int PRIMARY KEY, v text); INSERT INTO app.same SELECT i, 'v' FROM generate_series(1, 300) i`,
		`CREATE TABLE app.other (id int PRIMARY KEY, v text); INSERT INTO app.other SELECT i, 'v' FROM generate_series(1, 300) i`,
		`CREATE TABLE app.empty (id int PRIMARY KEY)`,
		`CREATE TABLE app.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
		 CREATE TABLE app.parted_low PARTITION OF app.parted FOR VALUES FROM (0) TO (10);
		 INSERT INTO app.parted VALUES (1)`,
		`CREATE UNLOGGED TABLE app.unlogged (id int PRIMARY KEY)`,
		`CREATE TABLE app."Odd, name" (id int PRIMARY KEY)`,
		`CREATE TABLE app.log (at timestamptz)`,
		`CREATE TABLE app.log_old (at timestamptz)`,
		`CREATE VIEW app.seen AS SELECT * FROM app.same`,
		`CREATE TABLE public.elsewhere (id int PRIMARY KEY)`)
	c.Exec(t, 1, `UPDATE app.other SET v = 'w' WHERE id < 4`, `CREATE TABLE app.late (id int PRIMARY KEY)`)
	s := apptest.New(t, c, apptest.Options{})

	end := s.SchemaEnd(t, s.SubmitSchema(t, "app", "skip_tables", "log_*", "compare", "data"))
	want := map[string]string{
		"app.same": "identical", "app.other": "different", "app.empty": "identical", "app.parted": "identical", "app.unlogged": "identical",
		`app."Odd, name"`: "identical", "app.log": "keyless", "app.log_old": "skipped", "app.late": "missing",
	}
	if diff := gocmp.Diff(want, end.Verdicts()); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if end.Status.Status != api.StatusFailed || end.Result.Verdict != api.VerdictDiffer || end.Result.MismatchedRows != 3 {
		t.Errorf("it ended %s (%s): %s", end.Status.Status, end.Status.Error, end.Status.Result)
	}
	if got := (api.SetTables{Identical: 5, Different: 1, Missing: 1, Keyless: 1, Skipped: 1}); end.Result.Tables != got {
		t.Errorf("counted are %+v", end.Result.Tables)
	}
}

// A table that one node lacks is missing, and its rows are compared on the other nodes.
func TestSchemaDiff_ComparesAMissingTableOnTheOtherNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	for node := range 2 {
		c.Exec(t, node, `CREATE TABLE late (id int PRIMARY KEY, v text); INSERT INTO late VALUES (1, 'v'), (2, 'v')`, `CREATE TABLE keyless (id int)`)
	}
	c.Exec(t, 1, `UPDATE late SET v = 'w' WHERE id = 2`)
	s := apptest.New(t, c, apptest.Options{})
	end := s.SchemaEnd(t, s.SubmitSchema(t, "public", "compare", "data"))
	if end.Status.Status != api.StatusCompleted || end.Result.Verdict != api.VerdictDiffer || end.Result.MismatchedRows != 1 || end.Result.Tables != (api.SetTables{Missing: 2}) {
		t.Errorf("it ended %s (%s): %s", end.Status.Status, end.Status.Error, end.Status.Result)
	}
	want := []string{"the table does not exist on n3", "the table does not exist on n3; the rows on n1 and n2 differ"}
	for i, table := range end.Document.Tables {
		if table.Error != want[i] || table.Verdict != api.SetMissing || (table.TaskID != "") != (i == 1) {
			t.Errorf("table %d is %+v, want %q", i, table, want[i])
		}
	}
}

func TestSchemaDiff_ComparesTheStructure(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE same (id int PRIMARY KEY, v text)`, `CREATE TABLE audit (id int PRIMARY KEY, v text)`,
		`CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id)`)
	s := apptest.New(t, c, apptest.Options{})
	if end := s.SchemaEnd(t, s.SubmitSchema(t, "public")); end.Result.Verdict != api.VerdictMatch || end.Result.Findings != (api.SetFindings{}) {
		t.Fatalf("it ended %s (%s): %s", end.Status.Status, end.Status.Error, end.Status.Result)
	}

	c.Exec(t, 1, `ALTER TABLE audit ADD w int`, `CREATE INDEX same_v ON same (v)`, `CREATE TABLE late (id int PRIMARY KEY)`, `CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10)`)
	for _, tt := range []struct {
		args     []string
		verdict  string
		tables   int
		findings api.SetFindings
	}{
		{nil, api.VerdictDiffer, 4, api.SetFindings{Blocks: 3, Differs: 1}},
		{[]string{"compare", "structure"}, api.VerdictDiffer, 0, api.SetFindings{Blocks: 3, Differs: 1}},
		{[]string{"compare", "structure", "skip_tables", "audit,late,parted"}, api.VerdictMatch, 0, api.SetFindings{Differs: 1}},
		{[]string{"compare", "structure", "skip_tables", "audit,late,parted", "ignore", "indexes"}, api.VerdictMatch, 0, api.SetFindings{}},
		{[]string{"compare", "structure", "tables", "aud*"}, api.VerdictDiffer, 0, api.SetFindings{Blocks: 1}},
		{[]string{"compare", "structure", "tables", "parted"}, api.VerdictDiffer, 0, api.SetFindings{Blocks: 1}}, // of its partition
		{[]string{"compare", "data", "tables", "same"}, api.VerdictMatch, 1, api.SetFindings{}},
	} {
		end := s.SchemaEnd(t, s.SubmitSchema(t, "public", tt.args...))
		if end.Result.Verdict != tt.verdict || end.Result.Findings != tt.findings || len(end.Document.Tables) != tt.tables {
			t.Errorf("%v: it ended %s (%s): %s\n%+v", tt.args, end.Status.Status, end.Status.Error, end.Status.Result, end.Document.Structure)
		}
	}
}

func TestSchemaDiff_NothingToCompareIsAFailure(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY); CREATE SCHEMA views; CREATE VIEW views.v AS SELECT 1 AS one`)
	s := apptest.New(t, c, apptest.Options{})
	for _, tt := range []struct {
		schema, want string
		args         []string
	}{
		{"public", "tables is orders*, which matches no table of public.*", []string{"tables", "orders*"}},
		{"public", "tables is orders*, which matches no table of public.*", []string{"tables", "orders*", "compare", "structure"}},
		{"public", "skip_tables excludes every table of public.*", []string{"skip_tables", "*"}},
		{"nowhere", "no node has a table in schema nowhere", []string{"compare", "data"}},
		{"public,nowhere", "no node has a schema nowhere", []string{"compare", "structure"}},
		{"views", "no node has a table in schema views", nil},
	} {
		end := s.SchemaEnd(t, s.SubmitSchema(t, tt.schema, tt.args...))
		if end.Status.Status != api.StatusFailed || !strings.Contains(end.Status.Error, tt.want) || end.Result.Verdict != "" {
			t.Errorf("%s %v ended %s: %s", tt.schema, tt.args, end.Status.Status, end.Status.Error)
		}
	}
	if end := s.SchemaEnd(t, s.SubmitSchema(t, "*")); end.Result.Verdict != api.VerdictMatch || end.Status.TableName != "*" {
		t.Errorf("all schemas: %s %s", end.Status.Error, end.Status.Result)
	}
}

func TestSchemaDiff_StoresTheWorkOfASmallTableOnlyIfRowsDiffer(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE same (id int PRIMARY KEY, v text); INSERT INTO same SELECT i, 'v' FROM generate_series(1, 300) i`,
		`CREATE TABLE empty (id int PRIMARY KEY)`, `CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other SELECT i, 'v' FROM generate_series(1, 300) i`)
	store := faulty.Wrap(memstore.New(t))
	s := apptest.New(t, c, apptest.Options{Store: store})

	// Create is called below tasks/ only for parts, since task records are stored without
	// it.
	end := s.SchemaEnd(t, s.SubmitSchema(t, "public", "compare", "data"))
	if parts := store.Count(faulty.Create, "tasks/"); end.Result.Verdict != api.VerdictMatch || end.Result.Tables.Identical != 3 || parts != 0 {
		t.Errorf("it ended %s with %d parts: %s", end.Status.Status, parts, end.Status.Result)
	}

	c.Exec(t, 1, `UPDATE other SET v = 'w' WHERE id < 4`)
	end = s.SchemaEnd(t, s.SubmitSchema(t, "public", "compare", "data"))
	if plans := store.Count(faulty.Commit, "tasks/"); end.Result.Tables.Different != 1 || end.Result.MismatchedRows != 3 || plans != 3 {
		t.Errorf("it ended %s with %d objects: %s, want a plan and two parts", end.Status.Status, plans, end.Status.Result)
	}
	if left := store.Count(faulty.Delete, "tasks/"); left < 3 {
		t.Errorf("only %d working objects were deleted", left)
	}
}

// The comparison of a small table starts again as a whole. That must not count as
// progress, or the comparison would be tried again for ever.
func TestSchemaDiff_ASmallTableWhoseDocumentCannotBeStoredFails(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	store := faulty.Wrap(memstore.New(t))
	s := apptest.New(t, c, apptest.Options{Store: store, Patience: 200 * time.Millisecond})
	store.On(faulty.Create, "diffs/", faulty.First(8, faulty.FailBefore)) // the document of the parent is stored without Create
	end := s.SchemaEnd(t, s.SubmitSchema(t, "public", "compare", "data"))
	if tries := store.Count(faulty.Create, "diffs/"); end.Result.Tables.Failed != 1 || tries > 4 {
		t.Errorf("after %d tries it ended %s: %s", tries, end.Status.Status, end.Status.Result)
	}
}
