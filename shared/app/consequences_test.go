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

// Case O-P17, see docs/RELIABILITY.md.
func TestTableRepair_CountsRowsThatViolateForeignKeys(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	const quiet = `SET session_replication_role = replica; `
	for i, tt := range []struct {
		name        string
		all         []string // x is the repaired table, o the other one
		n1, n2      []string
		says        string // the warning of the repair; "" for no warning
		dry         string
		orphansLeft int // number of rows that the statement in the warning finds
	}{
		{"written rows without a parent", []string{`CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, o int REFERENCES o); INSERT INTO o VALUES (1)`},
			[]string{`INSERT INTO o VALUES (100), (101)`, `INSERT INTO x VALUES (1, 1), (2, 100), (3, 101), (4, NULL)`}, nil,
			`of public.x: 2 written rows refer to rows that public.o lacks`, `2 rows that would be written refer to rows that public.o lacks`, 2},
		{"a deleted parent", []string{`CREATE TABLE x (id int PRIMARY KEY); CREATE TABLE o (id int PRIMARY KEY, x int REFERENCES x); INSERT INTO x VALUES (1)`},
			nil, []string{`INSERT INTO x VALUES (2), (3)`, `INSERT INTO o VALUES (1, 1), (2, 2), (3, 2)`},
			`of public.o: 2 rows refer to rows that the repair deleted or changed`, `2 rows refer to rows that the repair would delete or change`, 2},
		{"a referenced value that changes", []string{`CREATE TABLE x (id int PRIMARY KEY, code text UNIQUE); CREATE TABLE o (id int PRIMARY KEY, code text REFERENCES x (code))`},
			[]string{`INSERT INTO x VALUES (1, 'new')`}, []string{`INSERT INTO x VALUES (1, 'old')`, `INSERT INTO o VALUES (1, 'old')`},
			`1 rows refer to rows that the repair deleted or changed`, `1 rows refer to rows that the repair would delete or change`, 1},
		{"MATCH FULL with several columns", []string{`CREATE TABLE o (a int, b text, PRIMARY KEY (a, b));
			CREATE TABLE x (id int PRIMARY KEY, b text, a int, FOREIGN KEY (a, b) REFERENCES o MATCH FULL); INSERT INTO o VALUES (1, 'b')`},
			[]string{quiet + `INSERT INTO x VALUES (1, 'b', 1), (2, 'c', 1), (3, NULL, 1), (4, NULL, NULL)`}, nil,
			`2 written rows refer`, `2 rows that would be written refer`, 2},
		{"several columns of which one is NULL", []string{`CREATE TABLE o (a int, b text, PRIMARY KEY (a, b));
			CREATE TABLE x (id int PRIMARY KEY, b text, a int, FOREIGN KEY (a, b) REFERENCES o)`},
			[]string{`INSERT INTO x VALUES (3, NULL, 1), (4, NULL, NULL)`}, nil, "", "", 0},
		{"partitioned tables", []string{`CREATE TABLE o (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE o0 PARTITION OF o FOR VALUES WITH (MODULUS 1, REMAINDER 0);
			CREATE TABLE x (id int PRIMARY KEY, o int REFERENCES o) PARTITION BY HASH (id); CREATE TABLE x0 PARTITION OF x FOR VALUES WITH (MODULUS 1, REMAINDER 0)`},
			[]string{`INSERT INTO o VALUES (5)`, `INSERT INTO x VALUES (1, 5)`}, nil,
			`1 written rows refer to rows that public.o lacks`, `1 rows that would be written refer`, 1},
		{"a table that refers to itself", []string{`CREATE TABLE x (id int PRIMARY KEY, boss int REFERENCES x)`, quiet + `INSERT INTO x VALUES (1, NULL), (3, 9)`},
			[]string{`INSERT INTO x VALUES (5, 4), (4, 1)`}, []string{`INSERT INTO x VALUES (9, NULL)`},
			`1 rows refer to rows that the repair deleted or changed`, "", 1},
		{"a foreign key that is not violated", []string{`CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, o int REFERENCES o); INSERT INTO o VALUES (1)`},
			[]string{`INSERT INTO x VALUES (1, 1)`}, []string{`INSERT INTO x VALUES (2, 1)`}, "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			schema := fmt.Sprint("s", i)
			in := func(node int, sql []string) {
				c.Exec(t, node, slices.Concat([]string{`CREATE SCHEMA IF NOT EXISTS ` + schema, `SET search_path = ` + schema}, sql)...)
			}
			for node := range 2 {
				in(node, tt.all)
			}
			in(0, tt.n1)
			in(1, tt.n2)
			id := s.Diff(t, schema+".x").TaskID
			dry := repair(t, s, id, "n1", dryRun)
			r := repair(t, s, id, "n1", nil)
			if dry.Status != api.StatusCompleted || r.Status != api.StatusCompleted {
				t.Fatalf("dry run %s %s, repair %s %s", dry.Status, dry.Error, r.Status, r.Error)
			}
			for i, warnings := range [][]string{dry.Warnings, r.Warnings} {
				says := []string{tt.dry, tt.says}[i]
				found := strings.ReplaceAll(strings.Join(foreignKeyWarnings(warnings), "\n"), schema+".", "public.")
				if says == "" && found != "" || !strings.Contains(found, says) || strings.Count(found, "foreign key") > 2 {
					t.Errorf("warned %q, want %q", found, says)
				}
			}
			for _, warning := range foreignKeyWarnings(r.Warnings) {
				_, query, _ := strings.Cut(warning, "lists all such rows: ")
				if rows := c.QueryStrings(t, 1, query); len(rows) != tt.orphansLeft {
					t.Errorf("%s lists %v", query, rows)
				}
			}
		})
	}
}

func foreignKeyWarnings(warnings []string) []string {
	return slices.DeleteFunc(slices.Clone(warnings), func(w string) bool { return !strings.Contains(w, "foreign key") })
}

// Case O-P17, see docs/RELIABILITY.md.
func TestTableRepair_SaysWhichForeignKeyTheRoleCannotCheck(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE o (id int PRIMARY KEY); CREATE TABLE x (id int PRIMARY KEY, o int REFERENCES o)`)
	c.Exec(t, 0, `INSERT INTO o VALUES (1)`, `INSERT INTO x VALUES (1, 1)`)
	s := apptest.New(t, asRole(t, c, `GRANT SELECT, INSERT, UPDATE, DELETE ON x TO ROLE`, `GRANT SET ON PARAMETER session_replication_role TO ROLE`), apptest.Options{})
	id := s.Diff(t, "public.x").TaskID
	for _, dry := range []bool{true, false} {
		r := repair(t, s, id, "n1", func(r *api.TableRepairRequest) { r.DryRun = dry })
		if r.Status != api.StatusCompleted || !strings.Contains(strings.Join(r.Warnings, "\n"), `of public.x was not checked, because the role may not read public.o`) {
			t.Errorf("dry run %t: %s %s, warnings %q", dry, r.Status, r.Error, r.Warnings)
		}
	}
}

// Case O-P18, see docs/RELIABILITY.md.
func TestTableRepair_NamesSequencesThatDoNotFollow(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE SEQUENCE shared`)
	for i, tt := range []struct {
		name, column string
		last         string // what the warning says of the sequence; "" for no warning
	}{
		{"serial", `id bigserial PRIMARY KEY`, "values up to 2, and values were written up to 5"},
		{"identity", `id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY`, "values up to 2, and values were written up to 5"},
		{"a default that uses a sequence", `id int DEFAULT nextval('shared') PRIMARY KEY`, "values up to 2, and values were written up to 5"},
		{"a descending sequence", `id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT -1) PRIMARY KEY`, "values up to -2, and values were written up to -5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := fmt.Sprint("t", i)
			c.ExecAll(t, `CREATE TABLE `+name+` (`+tt.column+`, v text)`, `INSERT INTO `+name+` (v) VALUES ('a'), ('b')`)
			c.Exec(t, 0, `INSERT INTO `+name+` (v) VALUES ('c'), ('d'), ('e')`)
			id := s.Diff(t, "public."+name).TaskID
			dry := strings.Join(repair(t, s, id, "n1", dryRun).Warnings, "\n")
			r := repair(t, s, id, "n1", nil)
			found := strings.Join(r.Warnings, "\n")
			if !strings.Contains(found, tt.last) || !strings.Contains(dry, strings.Replace(tt.last, "were written", "would be written", 1)) {
				t.Fatalf("%s %s: warned %q, the dry run %q; want %q", r.Status, r.Error, found, dry, tt.last)
			}
			_, statement, _ := strings.Cut(found, "until you run: ")
			statement, _, _ = strings.Cut(statement, "\n")
			c.Exec(t, 1, statement, `INSERT INTO `+name+` (v) VALUES ('f')`)
			if again := repair(t, s, id, "n1", nil); strings.Contains(strings.Join(again.Warnings, ""), "sequence") {
				t.Errorf("a repair that inserts nothing warns %q", again.Warnings)
			}
		})
	}
}
