//go:build !unit

package app_test

import (
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// Case O-P35, see docs/RELIABILITY.md.
func TestRoles_OfTheScriptAreEnoughForEveryTask(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	c.ExecAll(t, `CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('a', 'b'); CREATE DOMAIN types.amount AS int CHECK (VALUE > 0)`,
		`CREATE TABLE t (id types.mood, n bigserial, v text, a types.amount, g int GENERATED ALWAYS AS (length(v)) STORED,
			own int GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id, n)) PARTITION BY LIST (id)`,
		`CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a'); CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b')`,
		`INSERT INTO t (id, n, v, a) SELECT 'a', i, 'v', 1 FROM generate_series(1, 1500) i`)
	c.Exec(t, 0, `UPDATE t SET v = 'longer' WHERE n = 7`, `INSERT INTO t (id, n, v, a) VALUES ('b', 1, 'v', 1)`)
	c.Exec(t, 1, `INSERT INTO t (id, n, v, a) VALUES ('b', 2, 'v', 1)`)
	c.ExecAll(t, `SELECT setval('t_n_seq', 5000), setval('t_own_seq', 5000)`)
	checking, repairing := c.Roles(t)

	check := apptest.New(t, checking, apptest.Options{})
	full := apptest.New(t, repairing, apptest.Options{Store: check.Store})
	id := check.Diff(t, "public.t").TaskID
	id = check.Rerun(t, id, "public.t").TaskID
	dry := repair(t, check, id, "n1", dryRun)
	if dry.counts("n2") != "+1 ~1 -1 =0 /0 " || !strings.Contains(strings.Join(dry.Warnings, ""), "GRANT INSERT, UPDATE, DELETE ON public.t") {
		t.Errorf("dry run as the role that checks: %s %s %s, warnings %q", dry.Status, dry.Error, dry.counts("n2"), dry.Warnings)
	}
	if r := repair(t, check, id, "n1", nil); r.Status != api.StatusFailed || r.counts("n2") != "+0 ~0 -0 =0 /0 rolled_back" {
		t.Errorf("repair as the role that checks: %s %s", r.Status, r.counts("n2"))
	}
	for _, privilege := range []string{"INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"} {
		got := c.QueryStrings(t, 1, `SELECT has_table_privilege($1, 't', $3), has_table_privilege($2, 't', $3)`, checking.User, repairing.User, privilege)[0]
		wanted := []string{"f", map[bool]string{true: "t", false: "f"}[slices.Contains([]string{"INSERT", "UPDATE", "DELETE"}, privilege)]}
		if !slices.Equal(got, wanted) {
			t.Errorf("the roles have %s: %v, want %v", privilege, got, wanted)
		}
	}

	dry = repair(t, full, id, "n1", dryRun)
	r := repair(t, full, id, "n1", nil)
	if r.counts("n2") != "+1 ~1 -1 =0 /0 committed" || len(dry.Nodes["n2"].MissingPrivileges)+len(r.Warnings)+len(dry.Warnings) > 0 {
		t.Errorf("repair: %s %s %s; warnings %q, of the dry run %q", r.Status, r.Error, r.counts("n2"), r.Warnings, dry.Warnings)
	}
	if d := full.Diff(t, "public.t", "ignore_columns", "own"); d.Result.Verdict != api.VerdictMatch {
		t.Errorf("after the repair: %s", d.Result.Verdict)
	}
	if u := undo(t, full, r.TaskID, nil); u.Status != api.StatusCompleted {
		t.Errorf("undo: %s %s", u.Status, u.Error)
	}
}

// Case O-P35, see docs/RELIABILITY.md.
func TestTableDiff_NamesWhatIsMissingForReadingOnAllNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	c.ExecAll(t, `CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY, v text, secret text)`)
	role := asRole(t, c)
	s := apptest.New(t, role, apptest.Options{})
	grants := []string{"GRANT USAGE ON SCHEMA hidden TO " + role.User, "GRANT SELECT (id, v) ON hidden.t TO " + role.User}
	c.Exec(t, 2, grants...)
	quoted := `"` + role.User + `"`
	want := `nodes "n1", "n2": role ` + quoted + ` lacks privileges for reading the table; run there: GRANT USAGE ON SCHEMA "hidden" TO ` + quoted +
		`; GRANT SELECT ON hidden.t TO ` + quoted + `. node "n3": role ` + quoted + ` lacks privileges for reading the table; run there: GRANT SELECT ("secret") ON hidden.t TO ` + quoted
	if got := s.Fail(t, "hidden.t"); got != want {
		t.Errorf("the error is\n%s\nwant\n%s", got, want)
	}
	c.Exec(t, 0, grants...)
	c.Exec(t, 1, grants...)
	if got := s.Fail(t, "hidden.t"); !strings.Contains(got, `nodes "n1", "n2", "n3"`) || !strings.Contains(got, `GRANT SELECT ("secret") ON hidden.t`) {
		t.Errorf("without the right to read a column: %s", got)
	}
}

// Case O-P35, see docs/RELIABILITY.md.
func TestTableDiff_IgnoredColumnsNeedNoPrivilege(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, secret text)`, `INSERT INTO t SELECT i, 'v', 's' FROM generate_series(1, 2000) i`)
	c.Exec(t, 0, `UPDATE t SET v = 'w', secret = 'x' WHERE id IN (7, 8)`)
	role := asRole(t, c, `GRANT SELECT (id, v) ON t TO ROLE`)
	s := apptest.New(t, role, apptest.Options{})
	base := s.Diff(t, "public.t", "ignore_columns", "secret")
	again := s.Rerun(t, base.TaskID, "public.t")
	later := s.Diff(t, "public.t", "ignore_columns", "secret", "baseline", "last", "table_filter", "id < 100", "checksum", "sha256")
	for what, d := range map[string]apptest.Diff{"diff": base, "rerun": again, "later": later} {
		if countsOf(d, 0) != (counts{0, 0, 2}) {
			t.Errorf("%s: %+v, want two rows that differ", what, countsOf(d, 0))
		}
	}

	want := `GRANT SELECT ("secret"), INSERT, UPDATE, DELETE ON public.t TO "` + role.User + `"`
	for _, dry := range []bool{true, false} { // before-images have all columns
		r := repair(t, s, base.TaskID, "n1", func(r *api.TableRepairRequest) { r.DryRun = dry })
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, want) || !strings.Contains(r.Error, `node "n1"`) {
			t.Errorf("repair, dry run %t: %s %s", dry, r.Status, r.Error)
		}
	}
}

// Case O-P35, see docs/RELIABILITY.md.
func TestTableRepair_ANodeWithoutWorkNeedsNothing(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(4))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
	c.Exec(t, 1, `UPDATE t SET v = 'x' WHERE id = 1`)
	s := apptest.New(t, c, apptest.Options{})
	id := s.Diff(t, "public.t").TaskID
	role := asRole(t, c)
	c.Exec(t, 0, `GRANT SELECT ON t TO `+role.User)
	c.Exec(t, 1, `GRANT SELECT, INSERT, UPDATE, DELETE ON t TO `+role.User)
	c.ExecShared(t, 1, `GRANT SET ON PARAMETER session_replication_role TO `+role.User)
	c.Exec(t, 3, `DROP TABLE t`)
	plain := apptest.New(t, role, apptest.Options{Store: s.Store})
	for _, dry := range []bool{true, false} {
		r := repair(t, plain, id, "n1", func(r *api.TableRepairRequest) { r.DryRun = dry })
		outcome := map[bool]string{false: "committed"}[dry]
		if r.counts("n2") != "+0 ~1 -0 =0 /0 "+outcome || r.counts("n3") != "+0 ~0 -0 =0 /0 "+outcome || r.counts("n4") != "+0 ~0 -0 =0 /0 "+outcome {
			t.Errorf("dry run %t: %s %s, %+v", dry, r.Status, r.Error, r.Nodes)
		}
		if len(r.Warnings) > 0 {
			t.Errorf("dry run %t: warnings %q", dry, r.Warnings)
		}
	}
}
