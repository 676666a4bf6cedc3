//go:build !unit

package app_test

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
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

	end := s.SchemaEnd(t, s.SubmitSchema(t, "app", "skip_tables", "log_*"))
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
