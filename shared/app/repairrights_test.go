//go:build !unit

package app_test

import (
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// asRole returns a cluster whose definition logs in as a role with only the granted
// privileges.
func asRole(t *testing.T, c *pgtest.Cluster, grants ...string) *pgtest.Cluster {
	t.Helper()
	role := "role_of_" + c.Name[:min(len(c.Name), 40)]
	c.ExecAll(t, "DROP ROLE IF EXISTS "+role, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain'")
	t.Cleanup(func() { c.ExecAll(t, "DROP OWNED BY "+role, "DROP ROLE "+role) })
	for _, grant := range grants {
		c.ExecAll(t, strings.ReplaceAll(grant, "ROLE", role))
	}
	plain := *c
	plain.User, plain.Password = role, "plain"
	return &plain
}

func TestTableRepair_AMissingPrivilegeIsReportedWithTheGrant(t *testing.T) {
	t.Parallel()
	const all = "GRANT SELECT, INSERT, UPDATE, DELETE ON t TO ROLE"
	tests := []struct {
		name   string
		major  int
		grants []string
		change func(*api.TableRepairRequest)
		says   string // "" if it works
	}{
		{"may only read", pgtest.Oldest, []string{"GRANT SELECT ON t TO ROLE"}, nil, "GRANT INSERT ON public.t"},
		{"may not delete", pgtest.Oldest, []string{"GRANT SELECT, INSERT, UPDATE ON t TO ROLE"}, nil, "GRANT DELETE ON public.t"},
		{"may not keep triggers quiet", pgtest.Oldest, []string{all}, nil, "GRANT SET ON PARAMETER session_replication_role"},
		{"row-level security", pgtest.Oldest, []string{all, "ALTER TABLE t ENABLE ROW LEVEL SECURITY"}, nil, "row-level security"},
		{"need not delete", pgtest.Oldest, []string{"GRANT SELECT, INSERT, UPDATE ON t TO ROLE"}, func(r *api.TableRepairRequest) { r.UpsertOnly, r.FireTriggers = true, true }, ""},
		{"need only insert", pgtest.Oldest, []string{"GRANT SELECT, INSERT ON t TO ROLE"}, func(r *api.TableRepairRequest) { r.InsertOnly, r.FireTriggers = true, true }, ""},
		{"may set the parameter", pgtest.Newest, []string{all, "GRANT SET ON PARAMETER session_replication_role TO ROLE"}, nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(tt.major, tt.major))
			c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
			c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
			c.Exec(t, 1, `INSERT INTO t VALUES (2, 'x'), (3, 'y')`)
			s := apptest.New(t, c, apptest.Options{})
			id := s.Diff(t, "public.t").TaskID
			plain := apptest.New(t, asRole(t, c, tt.grants...), apptest.Options{Store: s.Store})
			dry := repair(t, plain, id, "n1", func(r *api.TableRepairRequest) {
				if tt.change != nil {
					tt.change(r)
				}
				r.DryRun = true
			})
			r := repair(t, plain, id, "n1", tt.change)
			if failed := r.Status == api.StatusFailed; failed != (tt.says != "") || !strings.Contains(r.Error, tt.says) || dry.Status != r.Status {
				t.Errorf("dry run %s %s, repair %s %s", dry.Status, dry.Error, r.Status, r.Error)
			}
		})
	}
}
