//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// upgraded simulates a new version of the collation's library with another order: Danish
// sorts aa last.
func upgraded(major int, collation string) string {
	locale := "colliculocale"
	if major >= 17 {
		locale = "colllocale"
	}
	return fmt.Sprintf("UPDATE pg_collation SET %s = 'da', collversion = '153.14-old' WHERE collname = '%s'", locale, collation)
}

// upgrade simulates an upgrade of the collation x on these nodes. It does not rebuild
// indexes.
func upgrade(t *testing.T, c *pgtest.Cluster, nodes ...int) {
	t.Helper()
	for _, node := range nodes {
		c.Exec(t, node, upgraded(c.Nodes[node].Major, "x"))
	}
}

// danishKeys creates a table of keys. A fifth of them have another position in Danish,
// and 50 of these differ on the second node.
func danishKeys(t *testing.T, c *pgtest.Cluster, rows int, order string) {
	t.Helper()
	c.ExecAll(t,
		"CREATE COLLATION x (provider = icu, locale = 'en')", "CREATE TABLE t (k text COLLATE x PRIMARY KEY, n int, v text, filler text DEFAULT repeat('-', 200))",
		fmt.Sprintf(`INSERT INTO t SELECT (array['aa', 'ab', 'ch', 'cz', 'zz'])[1 + i %% 5] || lpad(i::text, 6, '0'), i, 'v'
			FROM generate_series(1, %d) i ORDER BY %s`, rows, order), "ANALYZE t")
	c.Exec(t, 1, "UPDATE t SET v = 'x' WHERE n % 5 = 0 AND n <= 250")
}

// checkStale wants 50 differences and a warning for each of the nodes.
func checkStale(t *testing.T, d apptest.Diff, rows int64, nodes ...string) {
	t.Helper()
	if d.Result.MismatchedRows != 50 || d.Result.TotalRows != rows {
		t.Errorf("%d of %d rows differ, want 50 of %d", d.Result.MismatchedRows, d.Result.TotalRows, rows)
	}
	if got := len(slices.Collect(d.All("n1/n2", "n2", "k"))); got != 50 {
		t.Errorf("the document has %d rows of n2, want 50", got)
	}
	var warned []string
	for _, warning := range d.Summary.Warnings {
		for _, part := range []string{
			`: index public.t_pkey may be out of order: collation public.x was version 153.14-old when it was built and is version `,
			"REINDEX INDEX public.t_pkey", "ALTER COLLATION public.x REFRESH VERSION",
		} {
			if strings.Contains(warning, part) {
				warned = append(warned, warning[:strings.Index(warning, ":")])
			}
		}
	}
	var want []string
	for _, node := range nodes {
		for range 3 {
			want = append(want, fmt.Sprintf("node %q", node))
		}
	}
	if !slices.Equal(warned, want) {
		t.Errorf("warnings %q, want each part once for each of the nodes %q", d.Summary.Warnings, nodes)
	}
}

// Case T-F3, see docs/RELIABILITY.md.
// Case T-P12, see docs/RELIABILITY.md.
func TestStaleIndexes_HideNoDifference(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		name  string
		major int
		rows  int
		order string
		stale []int
		args  []string
	}{
		{"both nodes", pgtest.Oldest, 30000, "i", []int{0, 1}, nil},
		{"one node, small blocks", pgtest.Newest, 30000, "i", []int{1}, []string{"block_rows", "1000"}},
		{"sha256", pgtest.Newest, 8000, "i", []int{0, 1}, []string{"checksum", "sha256", "block_rows", "1000"}},
		{"a second look", pgtest.Oldest, 3000, "i", []int{0, 1}, []string{"confirm_delay", "10ms"}},
		{"rows in random order", pgtest.Newest, 60000, "md5(i::text)", []int{0, 1}, []string{"block_rows", "1000"}},
	} {
		t.Run(of.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(of.major, of.major))
			danishKeys(t, c, of.rows, of.order)
			s := apptest.New(t, c, apptest.Options{})
			before := s.Diff(t, "public.t", of.args...)
			checkStale(t, before, int64(of.rows))
			if want := map[bool]string{true: "key ranges", false: "pages"}[of.order == "i"]; before.Summary.Strategy != want {
				t.Errorf("strategy %q before, want %q", before.Summary.Strategy, want)
			}
			upgrade(t, c, of.stale...)
			var names []string
			for _, node := range of.stale {
				names = append(names, c.Nodes[node].Name)
			}
			d := s.Diff(t, "public.t", append(of.args, "baseline", "last")...)
			checkStale(t, d, int64(of.rows), names...)
			checkStale(t, s.Rerun(t, d.TaskID, "public.t"), 50, names...)
			checkStale(t, s.Rerun(t, before.TaskID, "public.t", "behavior", "hostdb"), 50, names...)
			checkNotRepaired(t, s, d.TaskID, of.stale...)
		})
	}
}

// Case T-P12, see docs/RELIABILITY.md.
func TestStaleIndexes_OfTheDatabasesDefaultCollationAreReportedWithARemedy(t *testing.T) {
	t.Parallel()
	c := orderedUnlike(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, "CREATE TABLE t (id int PRIMARY KEY, k text)", "CREATE INDEX by_k ON t (k)", "INSERT INTO t SELECT i, 'k' || i FROM generate_series(1, 300) i",
		"CREATE TABLE u (k varchar(9)[] PRIMARY KEY)", "INSERT INTO u SELECT ARRAY['k' || i] FROM generate_series(1, 300) i")
	c.Exec(t, 1, "UPDATE pg_database SET datcollversion = '1-old' WHERE datname = current_database()", "DELETE FROM t WHERE id = 7", "DELETE FROM u WHERE k = '{k7}'")
	for _, of := range []struct {
		table, index string
		args         []string
	}{
		{"t", "", nil}, {"t", "public.by_k", []string{"table_filter", "k > 'a'"}}, {"u", "public.u_pkey", nil},
	} {
		d := s.Diff(t, "public."+of.table, of.args...)
		if d.Result.MismatchedRows != 1 || d.Result.TotalRows != 300 {
			t.Errorf("%+v: %d of %d rows differ, want 1 of 300", of, d.Result.MismatchedRows, d.Result.TotalRows)
		}
		warnings := strings.Join(d.Summary.Warnings, "\n")
		want := fmt.Sprintf(`node "n2": index %s may be out of order: the default collation of database %s was version 1-old`, of.index, c.DB)
		remedy := "REINDEX INDEX " + of.index + " and, once all indexes of that collation are rebuilt, ALTER DATABASE " + c.DB + " REFRESH COLLATION VERSION"
		if of.index == "" {
			if strings.Contains(warnings, "out of order") {
				t.Errorf("%+v: warnings %q, want none of an index that is not used", of, warnings)
			}
		} else if !strings.Contains(warnings, want) || !strings.Contains(warnings, remedy) {
			t.Errorf("%+v: warnings %q, want %q and %q", of, warnings, want, remedy)
		}
	}
}

// checkNotRepaired wants repairs from and to a stale node refused, and nothing written.
func checkNotRepaired(t *testing.T, s *apptest.Service, diffID string, stale ...int) {
	t.Helper()
	before := content(t, s.Cluster, 1, "t")
	for _, dry := range []bool{true, false} {
		for _, source := range []string{"n1", "n2"}[:1+len(stale)%2] { // if only one node is stale, it is tried as the source and as the target
			status := s.Wait(t, submitRepair(t, s, diffID, source, func(r *api.TableRepairRequest) { r.DryRun = dry }))
			node := s.Cluster.Nodes[stale[0]].Name
			for _, want := range []string{
				fmt.Sprintf("node %q: index public.t_pkey may be out of order: collation public.x was version 153.14-old", node),
				"nothing is repaired", "REINDEX INDEX public.t_pkey", "ALTER COLLATION public.x REFRESH VERSION",
			} {
				if status.Status != api.StatusFailed || !strings.Contains(status.Error, want) {
					t.Errorf("repair from %s ended %s: %s; want it refused with %q", source, status.Status, status.Error, want)
				}
			}
		}
	}
	if got := content(t, s.Cluster, 1, "t"); len(got) != len(before) {
		t.Errorf("%d rows are left of %d", len(got), len(before))
	}
}
