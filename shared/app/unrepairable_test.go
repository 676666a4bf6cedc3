//go:build !unit

package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// Case O-F9, see docs/RELIABILITY.md. A repair never counts a row as unchanged that the
// next comparison reports, whatever the reason is that the row cannot be made equal.
func TestTableRepair_NamesTheRowsThatCannotBeMadeEqual(t *testing.T) {
	t.Parallel()
	const stamp = `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v || ''!''; RETURN NEW; END';
		CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp(); ALTER TABLE t ENABLE ALWAYS TRIGGER stamp`
	tests := []struct {
		name   string
		n1, n2 string
		counts string
		keys   string
		dry    string // keys that the dry run names
		reason string
	}{
		{
			"another expression", `CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED); INSERT INTO t VALUES (0, 0), (1, 1), (2, 2), (3, 3)`,
			`CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 3) STORED); INSERT INTO t VALUES (0, 7), (1, 1), (2, 7)`,
			"+1 ~2 -0 =0 /0 committed", "[[1] [2] [3]]", "[[1]]", `column "g" (generated there)`,
		},
		{
			"a trigger that is enabled always", `CREATE TABLE t (id int PRIMARY KEY, v text, w text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')`,
			`CREATE TABLE t (id int PRIMARY KEY, v text, w text); INSERT INTO t VALUES (2, 'x'), (3, 'c'), (4, 'd'); ` + stamp,
			"+1 ~1 -1 =0 /0 committed", "[[1] [2]]", "[]", `column "v" (a trigger changes it)`,
		},
		{
			"another type", `CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 5), (2, 6), (3, 7), (4, NULL)`,
			`CREATE TABLE t (id int PRIMARY KEY, n numeric(10,2)); INSERT INTO t VALUES (1, 5), (2, 1)`,
			"+2 ~1 -0 =0 /0 committed", "[[1] [2] [3]]", "[[1] [2] [3]]", `column "n" (its type there is numeric(10,2))`,
		},
		{
			"less precision", `CREATE TABLE t (id int PRIMARY KEY, f float8); INSERT INTO t VALUES (1, 0.123456789012), (2, 0.5)`,
			`CREATE TABLE t (id int PRIMARY KEY, f float4); INSERT INTO t VALUES (1, 0.123456789012), (2, 1)`,
			"+0 ~1 -0 =0 /0 committed", "[[1]]", "[[1]]", `column "f" (its type there is real)`,
		},
		{
			"an array with another modifier", `CREATE TABLE t (id int PRIMARY KEY, a numeric(10,2)[]); INSERT INTO t VALUES (1, '{1.5}'), (2, '{}')`,
			`CREATE TABLE t (id int PRIMARY KEY, a numeric(10,3)[]); INSERT INTO t VALUES (1, '{1.5}')`,
			"+1 ~0 -0 =0 /0 committed", "[[1]]", "[[1]]", `column "a" (its type there is numeric(10,3)[])`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.Exec(t, 0, tt.n1)
			c.Exec(t, 1, tt.n2)
			s := apptest.New(t, c, apptest.Options{})
			d := s.Diff(t, "public.t")

			dry := repair(t, s, d.TaskID, "n1", dryRun)
			if got := fmt.Sprint(dry.Nodes["n2"].UnrepairableKeys); got != tt.dry || dry.counts("n2")+"committed" != tt.counts {
				t.Errorf("the dry run counts %s and names %s, want %s", dry.counts("n2"), got, tt.dry)
			}
			r := repair(t, s, d.TaskID, "n1", func(r *api.TableRepairRequest) { r.GenerateReport = true })
			n := r.Nodes["n2"]
			keys := slices.SortedFunc(slices.Values(n.UnrepairableKeys), slices.Compare)
			if got := fmt.Sprint(keys); got != tt.keys || int(n.Unrepairable) != len(keys) || r.counts("n2") != tt.counts {
				t.Errorf("the repair counts %s and names %s of %d rows, want %s and %s; %s", r.counts("n2"), got, n.Unrepairable, tt.counts, tt.keys, r.Error)
			}
			if warnings := strings.Join(r.Warnings, "\n"); !strings.Contains(warnings, "rows are unrepairable") || !strings.Contains(warnings, tt.reason) {
				t.Errorf("warnings are %q, want %q", r.Warnings, tt.reason)
			}
			checkReport(t, s, r)

			// Every row that differs now was named, and is named again instead of being
			// counted as unchanged.
			after := s.Diff(t, "public.t")
			again := repair(t, s, after.TaskID, "n1", dryRun)
			if after.Result.MismatchedRows != n.Unrepairable || again.Nodes["n2"].Unchanged != 0 {
				t.Errorf("after the repair %d rows differ; a second one counts %s", after.Result.MismatchedRows, again.counts("n2"))
			}
		})
	}
}

// checkReport checks that the report of a repair has the counts of its result.
func checkReport(t *testing.T, s *apptest.Service, r repaired) {
	t.Helper()
	object, err := s.Store.Get(t.Context(), r.ReportFile)
	if err != nil {
		t.Fatalf("report %q: %v", r.ReportFile, err)
	}
	defer object.Body.Close()
	var report struct {
		Changes map[string]struct {
			Unrepairable     int64    `json:"unrepairable"`
			UnrepairableKeys []string `json:"unrepairable_keys"`
		} `json:"changes"`
	}
	if err := json.NewDecoder(object.Body).Decode(&report); err != nil {
		t.Fatal(err)
	}
	for node, n := range r.Nodes {
		if got := report.Changes[node]; got.Unrepairable != n.Unrepairable || len(got.UnrepairableKeys) != len(n.UnrepairableKeys) {
			t.Errorf("the report has %+v, the result %+v", got, n)
		}
	}
}

// An undo names the rows that a trigger prevents it from restoring.
func TestTableUndo_NamesTheRowsThatCannotBeRestored(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
	c.Exec(t, 0, `INSERT INTO t VALUES (1, 'a')`)
	c.Exec(t, 1, `INSERT INTO t VALUES (1, 'x'), (2, 'y')`)
	s := apptest.New(t, c, apptest.Options{})
	r := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
	c.Exec(t, 1, `CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v || ''!''; RETURN NEW; END';
		CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION stamp(); ALTER TABLE t ENABLE ALWAYS TRIGGER stamp`)
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n2"]; n.Updated != 1 || n.Inserted != 1 || n.Unrepairable != 2 || len(n.UnrepairableKeys) != 2 || !strings.Contains(strings.Join(u.Warnings, "\n"), `column "v" (a trigger changes it)`) {
		t.Errorf("%+v, warnings %q", n, u.Warnings)
	}
}
