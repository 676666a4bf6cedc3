//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

func TestDescribe_ReturnsEverythingThatAComparisonNeeds(t *testing.T) {
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
			if d.Kind != "r" || d.Only || len(d.Indexes) != 1 || len(d.Partitions) != 1 || d.PartitionsHidden {
				t.Errorf("the table is %+v", d)
			}
			wantKey := []table.KeyColumn{
				{Name: "Name", OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="},
				{Name: "id", OpSchema: "pg_catalog", Less: "<", AtLeast: ">=", Equal: "="},
			}
			if diff := cmp.Diff([]table.Index{{Name: "t_pkey", Primary: true, Columns: wantKey}}, d.Indexes); diff != "" {
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

func TestDescribe_ExplainsWhyATableCannotBeCompared(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		n := nodeOf(t, c, 0)
		for _, tt := range []struct{ name, sql, says string }{
			{"no table", ``, "does not exist"},
			{"a view", `CREATE VIEW t AS SELECT 1 AS id`, "is a view"},
			{"a sequence", `CREATE SEQUENCE t`, "is a sequence"},
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

func TestDescribe_ExplainsWhyAnIndexCannotBeTheKey(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		n := nodeOf(t, c, 0)
		const notNull = `CREATE TABLE t (id int NOT NULL, w text COLLATE "C" NOT NULL, x int) `
		tests := []struct{ name, sql, index, against string }{
			{"a deferrable primary key", notNull + `; ALTER TABLE t ADD PRIMARY KEY (id) DEFERRABLE`, "t_pkey", ""},
			{"columns that are only included", notNull + `; CREATE UNIQUE INDEX i ON t (id) INCLUDE (x)`, "i", ""},
			{"a unique index that allows NULL", notNull + `; CREATE UNIQUE INDEX i ON t (x)`, "i", `allows NULL in "x"`},
			{"a partial index", notNull + `; CREATE UNIQUE INDEX i ON t (id) WHERE id > 0`, "i", "is partial"},
			{"an index of an expression", notNull + `; CREATE UNIQUE INDEX i ON t ((id + 1))`, "i", "has expressions"},
			{"an index of a column and an expression", notNull + `; CREATE UNIQUE INDEX i ON t (id, (x + 1))`, "i", "has expressions"},
			{"a unique constraint that is deferrable", notNull + `; ALTER TABLE t ADD CONSTRAINT i UNIQUE (id) DEFERRABLE`, "i", "is deferrable"},
			{"an index of another collation", notNull + `; CREATE UNIQUE INDEX i ON t (w COLLATE "POSIX")`, "i", `does not order "w" by the default order of the column's type`},
			{"an index of other operators", notNull + `; CREATE UNIQUE INDEX i ON t (w text_pattern_ops)`, "i", `does not order "w" by the default order of the column's type`},
			{"several reasons", notNull + `; CREATE UNIQUE INDEX i ON t (x, w text_pattern_ops) WHERE id > 0`, "i",
				`is partial; allows NULL in "x"; does not order "w" by the default order of the column's type`},
			{"an exclusion constraint", notNull + `; ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING btree (id WITH =)`, "i", "is an exclusion constraint, not a unique index"},
			{"an exclusion constraint by hash", notNull + `; ALTER TABLE t ADD CONSTRAINT i EXCLUDE USING hash (id WITH =)`, "i", "is an exclusion constraint, not a unique index"},
			{"a domain that refuses NULL", `CREATE DOMAIN d AS int NOT NULL; CREATE TABLE t (id d); CREATE UNIQUE INDEX i ON t (id)`, "i", `allows NULL in "id"`},
			{"an index that only the parent has", notNull + `PARTITION BY LIST (x); CREATE TABLE p PARTITION OF t FOR VALUES IN (1); CREATE UNIQUE INDEX i ON ONLY t (id, x)`,
				"i", `is not valid: some partition has no valid index that is attached to it; allows NULL in "x"`},
			{"an index that is not valid in a partition", `CREATE TABLE t (id int NOT NULL, x int NOT NULL) PARTITION BY LIST (x); CREATE TABLE p PARTITION OF t FOR VALUES IN (1);
				CREATE UNIQUE INDEX i ON t (id, x); UPDATE pg_index SET indisvalid = false WHERE indrelid = 'p'::regclass`,
				"i", `is not valid: some partition has no valid index that is attached to it`},
			{"an index that could not be built", notNull + `; CREATE UNIQUE INDEX i ON t (id); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'i'::regclass`, "i",
				"is not valid: REINDEX it, or drop it"},
			{"an index that is not kept up to date", notNull + `; CREATE UNIQUE INDEX i ON t (id); UPDATE pg_index SET indisready = false WHERE indexrelid = 'i'::regclass`, "i",
				"is not valid: REINDEX it, or drop it"},
			{"an index that is being dropped", notNull + `; CREATE UNIQUE INDEX i ON t (id); UPDATE pg_index SET indislive = false WHERE indexrelid = 'i'::regclass`, "i",
				"is not valid: REINDEX it, or drop it"},
			{"NULL that is not distinct", notNull + `; CREATE UNIQUE INDEX i ON t (x) NULLS NOT DISTINCT`, "i", `allows NULL in "x"`},
			{"NULL that cannot be", notNull + `; CREATE UNIQUE INDEX i ON t (id) NULLS NOT DISTINCT`, "i", ""},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.name, " on major ", major), func(t *testing.T) {
				c.Exec(t, 0, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`, tt.sql)
				d := describeTable(t, n, "t")
				if len(d.Indexes) != 1 || d.Indexes[0].Name != tt.index || strings.Join(d.Indexes[0].Against, "; ") != tt.against {
					t.Errorf("the indexes are %+v, want %s and against it %q", d.Indexes, tt.index, tt.against)
				}
			})
		}
	}
}

// Case T-F4, T-P6, see docs/RELIABILITY.md.
func TestDescribe_ExplainsInNewerVersionsWhyAnIndexCannotBeTheKey(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Newest))
	n := nodeOf(t, c, 0)
	const parent = `CREATE TABLE t (id int, x int) PARTITION BY LIST (x); CREATE TABLE p (id int, x int); `
	for _, tt := range []struct{ name, sql, against string }{
		{"NOT NULL that is not validated", `CREATE TABLE t (id int); ALTER TABLE t ADD CONSTRAINT nn NOT NULL id NOT VALID; CREATE UNIQUE INDEX i ON t (id)`,
			`may have NULL in "id", whose NOT NULL constraint is not validated: ALTER TABLE public.t VALIDATE CONSTRAINT nn`},
		{"the same as replica identity", `CREATE TABLE t (id int); ALTER TABLE t ADD CONSTRAINT "n N" NOT NULL id NOT VALID; CREATE UNIQUE INDEX i ON t (id);
			ALTER TABLE t REPLICA IDENTITY USING INDEX i`,
			`may have NULL in "id", whose NOT NULL constraint is not validated: ALTER TABLE public.t VALIDATE CONSTRAINT "n N"`},
		{"NOT NULL that was validated later", `CREATE TABLE t (id int); ALTER TABLE t ADD CONSTRAINT nn NOT NULL id NOT VALID; CREATE UNIQUE INDEX i ON t (id);
			ALTER TABLE t VALIDATE CONSTRAINT nn`, ""},
		{"NOT NULL of another column", `CREATE TABLE t (id int NOT NULL, x int); ALTER TABLE t ADD CONSTRAINT nn NOT NULL x NOT VALID; CREATE UNIQUE INDEX i ON t (id)`, ""},
		{"NOT NULL of a partitioned table", parent + `ALTER TABLE t ALTER x SET NOT NULL; ALTER TABLE t ADD CONSTRAINT nn NOT NULL id NOT VALID; CREATE UNIQUE INDEX i ON t (id, x)`,
			`may have NULL in "id", whose NOT NULL constraint is not validated: ALTER TABLE public.t VALIDATE CONSTRAINT nn`},
		// Afterwards the parent's constraint is validated, the partition's is not, and
		// there is a row with NULL.
		{"NOT NULL of a partition only", parent + `INSERT INTO p VALUES (NULL, 1); ALTER TABLE p ADD CONSTRAINT nn NOT NULL id NOT VALID;
			ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1); ALTER TABLE t ALTER id SET NOT NULL, ALTER x SET NOT NULL; CREATE UNIQUE INDEX i ON t (id, x)`,
			`may have NULL in "id", whose NOT NULL constraint is not validated: ALTER TABLE public.p VALIDATE CONSTRAINT nn`},
		{"a primary key above such a partition", parent + `INSERT INTO p VALUES (NULL, 1); ALTER TABLE p ADD CONSTRAINT nn NOT NULL id NOT VALID;
			ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1); ALTER TABLE t ALTER id SET NOT NULL, ALTER x SET NOT NULL; ALTER TABLE t ADD PRIMARY KEY (id, x)`,
			`may have NULL in "id", whose NOT NULL constraint is not validated: ALTER TABLE public.p VALIDATE CONSTRAINT nn`},
		{"NOT NULL of an inheritance child", `CREATE TABLE t (id int); CREATE TABLE child () INHERITS (t); ALTER TABLE child ADD CONSTRAINT nn NOT NULL id NOT VALID;
			ALTER TABLE ONLY t ADD CONSTRAINT nt NOT NULL id NO INHERIT; CREATE UNIQUE INDEX i ON t (id)`, ""},
		{"a temporal primary key", `CREATE EXTENSION btree_gist; CREATE TABLE t (id int, "Valid" daterange, PRIMARY KEY (id, "Valid" WITHOUT OVERLAPS))`,
			`is a temporal key (WITHOUT OVERLAPS), a GiST index, which has no order: add a unique index on (id, Valid)`},
		{"a temporal unique constraint", `CREATE EXTENSION btree_gist; CREATE TABLE t (id int, valid daterange, UNIQUE (id, valid WITHOUT OVERLAPS))`,
			`is a temporal key (WITHOUT OVERLAPS), a GiST index, which has no order: add a unique index on (id, valid)`},
		{"an exclusion constraint by GiST", `CREATE EXTENSION btree_gist; CREATE TABLE t (id int NOT NULL, EXCLUDE USING gist (id WITH =))`, "is an exclusion constraint, not a unique index"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.Exec(t, 0, `DROP EXTENSION IF EXISTS btree_gist CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public`, tt.sql)
			d := describeTable(t, n, "t")
			if len(d.Indexes) != 1 || strings.Join(d.Indexes[0].Against, "; ") != tt.against {
				t.Errorf("the indexes are %+v, want one and against it %q", d.Indexes, tt.against)
			}
		})
	}
}

func TestDescribe_OrdersIndexesByPreferenceAsKey(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (a int NOT NULL, b int NOT NULL); CREATE UNIQUE INDEX w ON t (a, b); CREATE UNIQUE INDEX c ON t (a); CREATE UNIQUE INDEX b ON t (b);
		CREATE UNIQUE INDEX x ON t (b, a); ALTER TABLE t REPLICA IDENTITY USING INDEX x; ALTER TABLE t ADD CONSTRAINT y PRIMARY KEY (a, b)`)
	var names []string
	for _, index := range describeTable(t, n, "t").Indexes {
		names = append(names, fmt.Sprint(index.Name, " ", index.Primary, " ", index.Identity))
	}
	if diff := cmp.Diff([]string{"y true false", "x false true", "b false false", "c false false", "w false false"}, names); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
}
