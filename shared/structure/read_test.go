//go:build !unit

package structure_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

// A role that may only connect and use the schemas reads the same objects as a superuser.
// What it may not read of sequences is reported as unknown, unless SELECT is granted.
func TestRead_NeedsOnlyUsage(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	role := createRole(t, c)
	c.ExecAll(t, everyKind(t), `CREATE TABLE app.behind (k serial PRIMARY KEY, other text); INSERT INTO app.behind VALUES (5);
		CREATE TABLE app.secured (k serial PRIMARY KEY); ALTER TABLE app.secured ENABLE ROW LEVEL SECURITY; CREATE TABLE app.without_index (k serial)`,
		`GRANT SELECT ON app.secured TO `+role,
		`GRANT USAGE ON SCHEMA app, "Odd; names" TO `+role)
	for node := range c.Nodes {
		c.ExecShared(t, node, "ALTER ROLE "+role+" LOGIN PASSWORD 'plain'")
		all := read(t, c)[c.Nodes[node].Name]
		plain := nodeAs(t, c, node, role, "plain")
		state := func(name string) catalog.SequenceState {
			t.Helper()
			got, err := plain.ReadStructure(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(all.Objects, got.Objects); diff != "" {
				t.Errorf("objects (-superuser +role):\n%s", diff)
			}
			for _, s := range got.Sequences {
				if s.Name == name {
					return s
				}
			}
			t.Fatal("the sequence " + name + " is missing")
			return catalog.SequenceState{}
		}

		for name, denied := range map[string]string{"behind": "SELECT", "secured": "row security", "without_index": ""} {
			column := state(name + "_k_seq").Columns[0]
			if column.Denied != (denied != "") || !strings.Contains(column.Unknown, denied) {
				t.Errorf("%s, without privileges: %+v", name, column)
			}
		}
		s := state("behind_k_seq")
		if s.LastValue != nil || s.Unknown == "" || s.Columns[0].Furthest != nil || s.Columns[0].Unknown == "" {
			t.Errorf("without privileges: %+v", s)
		}
		// The catalog shows the new privileges, so both roles must read it again.
		c.Exec(t, node, `GRANT SELECT ON app.behind_k_seq TO `+role, `GRANT SELECT (k) ON app.behind TO `+role)
		all = read(t, c)[c.Nodes[node].Name]
		s = state("behind_k_seq")
		if s.LastValue == nil || *s.LastValue != 1 || s.IsCalled || s.Columns[0].Furthest == nil || *s.Columns[0].Furthest != 5 {
			t.Errorf("with privileges: %+v", s)
		}
	}
}

// To write an expression or the query of a view, the server opens its tables. If another
// session has locked one, the error names it.
func TestRead_TheErrorNamesALockedTable(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.ExecAll(t, `CREATE TABLE locked (k serial); CREATE SCHEMA other; CREATE TABLE other.free (k serial)`)
	if _, err := c.Connect(t, 0).Exec(t.Context(), `BEGIN; LOCK TABLE locked IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}

	read(t, c, "other")
	_, err := nodeAs(t, c, 0, c.User, c.Password).ReadStructure(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "another session has locked public.locked") {
		t.Errorf("reading a locked table: %v", err)
	}
}

// The structure of many tables is read and compared in a time that grows with their
// number: at most 5 s for 1,000 tables on an idle machine. The short form has a tenth of
// the tables, and allows for a busy machine.
func TestCompare_ManyTablesTakeSeconds(t *testing.T) {
	t.Parallel()
	tables := soak.Rounds(t, 100, 1000)
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	c.ExecAll(t, manyTables(tables))
	start := time.Now()
	catalogs := read(t, c)
	reading := time.Since(start)
	found := structure.Compare(catalogs, structure.Options{})
	took := time.Since(start)

	soak.Report(t, "%d tables, %d objects per node: read in %v, compared in %v", tables, len(catalogs["n1"].Objects), reading, took-reading)
	if len(found) > 0 {
		t.Errorf("%d findings, such as %q", len(found), texts(found)[0])
	}
	limit := 30 * time.Second
	if tables == 1000 {
		limit = 5 * time.Second
	}
	if took > limit {
		t.Errorf("reading and comparing took %v, want at most %v", took, limit)
	}
}

// manyTables returns SQL that creates tables, each with a sequence, ten columns, five
// constraints, an index and a trigger.
func manyTables(count int) string {
	var b strings.Builder
	b.WriteString(`CREATE SCHEMA many; CREATE FUNCTION many.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;`)
	for i := range count {
		fmt.Fprintf(&b, `CREATE TABLE many.t%d (id bigserial PRIMARY KEY, a text NOT NULL DEFAULT 'x', b numeric(12,2) CHECK (b > 0), c int UNIQUE, d timestamptz DEFAULT now(),
			e jsonb, f uuid, g date, h boolean, parent bigint REFERENCES many.t%d (id), CHECK (c <> 5));
			CREATE INDEX ON many.t%d (a, b); CREATE TRIGGER tr BEFORE UPDATE ON many.t%d FOR EACH ROW EXECUTE FUNCTION many.f();`, i, max(0, i-1), i, i)
	}
	return b.String()
}
