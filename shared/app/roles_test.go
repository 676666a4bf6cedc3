//go:build !unit

package app_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/endpoint"
)

// unprivileged removes the warnings about the tests' own role, which is a superuser.
func unprivileged(warnings []string) []string {
	return slices.DeleteFunc(slices.Clone(warnings), ofSuperuser)
}

func ofSuperuser(warning string) bool { return strings.Contains(warning, "rights of a superuser") }

func TestTasks_WarnOfASuperuserOncePerNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest, pgtest.Newest))
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	s := apptest.New(t, c, apptest.Options{})
	granted := asRole(t, c, `GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ROLE`, `GRANT SET ON PARAMETER session_replication_role TO ROLE`)
	plain := apptest.New(t, granted, apptest.Options{Store: s.Store})

	d := s.Diff(t, "public.t", "table_filter", "id > 0")
	again := s.Rerun(t, d.TaskID, "public.t")
	dry := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.DryRun = true })
	for what, warnings := range map[string][]string{"diff": d.Summary.Warnings, "rerun": again.Summary.Warnings, "repair": dry.Warnings} {
		warned := strings.Join(slices.DeleteFunc(slices.Clone(warnings), func(w string) bool { return !ofSuperuser(w) }), "\n")
		if strings.Count(warned, "on node n1:") != 1 || strings.Count(warned, "on node n2:") != 1 || !strings.Contains(warned, "SELECT") {
			t.Errorf("%s as superuser: the warnings are %q", what, warnings)
		}
	}

	d = plain.Diff(t, "public.t", "table_filter", "id > 0")
	r := repair(t, plain, d.TaskID, "n1", nil)
	if slices.ContainsFunc(slices.Concat(d.Summary.Warnings, r.Warnings), ofSuperuser) || r.counts("n2") != "+1 ~0 -0 =0 /0 committed" {
		t.Errorf("as a plain role: repair %s %s, warnings %q and %q", r.Status, r.Error, d.Summary.Warnings, r.Warnings)
	}
}

// Case T-F10, see docs/RELIABILITY.md.
func TestTableRepair_DoesNotWriteSystemTables(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Oldest))
	for node, name := range []string{"s1", "s2"} {
		c.Exec(t, node, `CREATE SCHEMA `+name, `CREATE TABLE `+name+`.t ()`)
	}
	s := apptest.New(t, c, apptest.Options{})
	for _, name := range []string{"pg_catalog.pg_namespace", "pg_catalog.pg_depend", "information_schema.sql_features"} {
		var differ string
		if name == "pg_catalog.pg_namespace" {
			differ = s.Diff(t, name).TaskID
		} else {
			differ = s.Submit(t, name)
			s.Wait(t, differ)
		}
		for _, dry := range []string{"true", "false"} {
			query := url.Values{"cluster_name": {c.Name}, "table_name": {name}, "diff_file": {differ}, "source_of_truth": {"n1"}, "dry_run": {dry}}
			response := s.Mux.Handle(t.Context(), endpoint.Request{Method: "GET", Path: "/ace/table-repair", RawQuery: query.Encode()})
			if response.Status != 400 || !strings.Contains(string(response.Body), "the server's own schema") {
				t.Errorf("repair of %s, dry run %s: status %d: %s", name, dry, response.Status, response.Body)
			}
		}
	}
	if got := c.QueryStrings(t, 1, `SELECT nspname FROM pg_namespace WHERE nspname IN ('s1', 's2')`); len(got) != 1 || got[0][0] != "s2" {
		t.Errorf("node n2 has the schemas %v, want s2 alone", got)
	}
}

// Case T-F10, see docs/RELIABILITY.md.
func TestTableRepair_DoesNotWriteTablesOfAnExtension(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	s := apptest.New(t, c, apptest.Options{})
	free := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	if free.counts("n2") != "+1 ~0 -0 =0 /0 committed" {
		t.Fatalf("%s %s", free.counts("n2"), free.Error)
	}
	c.Exec(t, 1, `ALTER EXTENSION plpgsql ADD TABLE t`, `DELETE FROM t`, `INSERT INTO t VALUES (2, 'b')`)

	const says = `node "n2": the table belongs to extension "plpgsql"`
	id := s.Diff(t, "public.t").TaskID
	for _, dry := range []bool{true, false} {
		r := repair(t, s, id, "n1", func(r *api.TableRepairRequest) { r.DryRun = dry })
		if r.Status != api.StatusFailed || !strings.Contains(r.Error, says) {
			t.Errorf("repair, dry run %t: %s %s", dry, r.Status, r.Error)
		}
	}
	if r := undo(t, s, free.TaskID, nil); r.Status != api.StatusFailed || !strings.Contains(r.Error, says) {
		t.Errorf("undo: %s %s", r.Status, r.Error)
	}
	if got := c.QueryStrings(t, 1, `SELECT id FROM t`); len(got) != 1 || got[0][0] != "2" {
		t.Errorf("node n2 has the rows %v, want 2 alone", got)
	}
	c.Exec(t, 1, `ALTER EXTENSION plpgsql DROP TABLE t`)
}
