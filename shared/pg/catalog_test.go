package pg

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/fault"
	"ace/shared/pg/pgtest"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

func TestDescribe_TellsAllThatAComparisonNeeds(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major))
			n := nodeOf(t, c, 0)
			c.Exec(t, 0, `ALTER DATABASE `+c.DB+` SET search_path = public, app`, `CREATE TYPE mood AS ENUM ('sad', 'ok')`, `ALTER TYPE mood ADD VALUE 'so so' BEFORE 'ok'`,
				`CREATE DOMAIN "Positive" AS numeric(10,2) CHECK (VALUE > 0)`,
				`CREATE TABLE t (gone int, id bigint GENERATED ALWAYS AS IDENTITY, "Name" varchar(10) COLLATE "C" NOT NULL, m mood[],
					p "Positive", twice bigint GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY ("Name", id)); ALTER TABLE t DROP gone`)
			d := describeTable(t, n, "t")
			if d.Node != "n1" || d.ServerVersion/10000 != c.Nodes[0].Major || d.Encoding != "UTF8" || !d.Superuser || d.UserPath != "public, app" {
				t.Errorf("the description begins %+v", d)
			}
			if d.Kind != "r" || d.Only || !d.Primary || d.KeyIndex != "t_pkey" || len(d.Leaves) != 1 || d.LeavesHidden {
				t.Errorf("the table is %+v", d)
			}
			wantKey := []table.KeyColumn{
				{Name: "Name", OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="},
				{Name: "id", OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="},
			}
			if diff := cmp.Diff(wantKey, d.Key); diff != "" {
				t.Errorf("key (-want +got):\n%s", diff)
			}
			var columns []string
			for _, col := range d.Columns {
				columns = append(columns, fmt.Sprintf("%s %s %v %v %v", col.Name, col.Declared, col.NotNull, col.Generated, col.Labels))
			}
			want := []string{"id bigint true false []", "Name character varying(10) true false []", "m public.mood[] false false [sad so so ok]",
				`p public."Positive" false false []`, "twice bigint false true []"}
			if diff := cmp.Diff(want, columns); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			name, _ := d.Column("Name")
			if name.Collation == nil || name.CollName != `pg_catalog."C"` || !name.Collation.SameOrder(&table.Collation{Provider: "c", Locale: "C", Deterministic: true}) {
				t.Errorf("the collation is %q %+v", name.CollName, name.Collation)
			}
			p, _ := d.Column("p")
			if p.Type.Base == nil || p.Type.Base.Name != "numeric" || p.Type.Kind != 'd' {
				t.Errorf("the domain is %+v", p.Type)
			}
		})
	}
}

func TestDescribe_SaysWhyATableCannotBeCompared(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		n := nodeOf(t, c, 0)
		for _, tt := range []struct{ name, sql, says string }{
			{"no table", ``, "does not exist"},
			{"a view", `CREATE VIEW t AS SELECT 1 AS id`, "is a view"},
			{"a sequence", `CREATE SEQUENCE t`, "is a sequence"},
			{"no key", `CREATE TABLE t (id int)`, "no primary key and no unique index"},
			{"a key that allows NULL", `CREATE TABLE t (id int UNIQUE)`, `"t_id_key" allows NULL in "id"`},
			{"a partial index", `CREATE TABLE t (id int NOT NULL); CREATE UNIQUE INDEX i ON t (id) WHERE id > 0`, `"i" is partial`},
			{"an index of an expression", `CREATE TABLE t (id int NOT NULL); CREATE UNIQUE INDEX i ON t ((id + 1))`, `"i" has expressions`},
			{"a unique constraint that is deferrable", `CREATE TABLE t (id int NOT NULL UNIQUE DEFERRABLE)`, `is deferrable`},
			{"an index of another collation", `CREATE TABLE t (id text COLLATE "C" NOT NULL); CREATE UNIQUE INDEX i ON t (id COLLATE "POSIX")`, `orders "id" otherwise`},
			{"an index of other operators", `CREATE TABLE t (id text NOT NULL); CREATE UNIQUE INDEX i ON t (id text_pattern_ops)`, `orders "id" otherwise`},
		} {
			t.Run(fmt.Sprint(tt.name, " on major ", major), func(t *testing.T) {
				c.Exec(t, 0, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`, tt.sql)
				d, err := n.Describe(t.Context(), "public", "t", rowdigest.Seeds{Inner: 1, Outer: 2})
				if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) || !strings.Contains(fault.PublicMessage(err), `"n1"`) {
					t.Errorf("got %+v, error %v; want %q", d, err, tt.says)
				}
			})
		}
	}
}

func TestDescribe_TakesTheBestKeyThereIs(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	for _, tt := range []struct{ name, sql, index string }{
		{"a deferrable primary key", `CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, u int NOT NULL UNIQUE)`, "t_pkey"},
		{"the replica identity before others", `CREATE TABLE t (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX a ON t (a);
			CREATE UNIQUE INDEX b ON t (b); ALTER TABLE t REPLICA IDENTITY USING INDEX b`, "b"},
		{"fewer columns before more", `CREATE TABLE t (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX a ON t (a, b); CREATE UNIQUE INDEX b ON t (b)`, "b"},
		{"included columns are no part of it", `CREATE TABLE t (a int NOT NULL, b int); CREATE UNIQUE INDEX a ON t (a) INCLUDE (b)`, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.Exec(t, 0, `DROP TABLE IF EXISTS t`, tt.sql)
			if d := describeTable(t, n, "t"); d.KeyIndex != tt.index || len(d.Key) != 1 {
				t.Errorf("the key is %+v of index %s, want one column of %s", d.Key, d.KeyIndex, tt.index)
			}
		})
	}
}
