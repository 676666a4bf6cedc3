//go:build !unit

package structure_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/soak"
	"ace/shared/finding"
	"ace/shared/structure"
	"ace/shared/structure/catalog"
)

// Two nodes create the same schema by different statements in a different order: there is
// no finding. After one random change, there are exactly the findings of this change, and
// their fixes mend it.
func TestCompare_RandomSchemas(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	rounds := soak.Rounds(t, 4, 500)
	for round := range rounds {
		seed := soak.Seed(t) + uint64(round)
		random := rand.New(rand.NewPCG(seed, 1))
		s := randomSchema(random, fmt.Sprintf("p%d", round))
		node := random.IntN(2)
		c.Exec(t, node, s.atOnce())
		c.Exec(t, 1-node, s.stepByStep(random))
		if got := compareSchema(t, c, s.name); len(got) > 0 {
			t.Fatalf("seed %d: findings %q on equal schemas:\n%s\n\n%s", seed, texts(got), s.atOnce(), s.stepByStep(random))
		}

		change := s.change(random)
		c.Exec(t, 1, change.sql)
		found := compareSchema(t, c, s.name)
		if diff := cmp.Diff(change.want, texts(found)); diff != "" {
			t.Fatalf("seed %d: after %s (-want +got):\n%s\n%s", seed, change.sql, diff, s.atOnce())
		}
		if problems := runFixes(t, c, found); len(problems) > 0 {
			t.Fatalf("seed %d: %s", seed, problems)
		}
		if got := compareSchema(t, c, s.name); len(got) > 0 && !change.stays {
			t.Fatalf("seed %d: findings %q after the fixes of %s", seed, texts(got), change.sql)
		}
		c.ExecAll(t, "DROP SCHEMA "+s.name+" CASCADE")
	}
	soak.Report(t, "%d random schemas", rounds)
}

// compareSchema returns the findings about one schema, without those of the database.
func compareSchema(t *testing.T, c *pgtest.Cluster, schema string) []finding.Finding {
	t.Helper()
	return structure.Compare(read(t, c, schema), structure.Options{Ignore: []string{string(catalog.Extension), string(catalog.Database)}})
}

// schemaModel is a random schema: tables t0, t1, ... with columns c0, c1, ...
type schemaModel struct {
	name   string
	labels []string // the labels of the enum "kind"
	tables [][]columnModel
}

// columnModel is a column with the constraint and the index that it has.
type columnModel struct {
	typ                     typeModel
	notNull, check, indexed bool
	hasDefault              bool
	comment                 string
}

// typeModel is a type, a default and a check, each in two spellings, and a change of the
// default and of the type. SCHEMA and COLUMN are placeholders (see expand).
type typeModel struct {
	name, alias           string
	value, sameValue      string
	check, sameCheck      string
	otherValue, otherType string
}

func typeModels() []typeModel {
	return []typeModel{
		{"integer", "int4", "5", "(5)", "COLUMN > 0", "((COLUMN) > (0))", "6", "text"},
		{"bigint", "int8", "5", "(5)", "COLUMN BETWEEN 1 AND 9", "COLUMN >= 1 AND COLUMN <= 9", "7", "text"},
		{"character varying(20)", "varchar(20)", "'a'", "'a'::varchar", "COLUMN <> ''", "COLUMN != ''", "'it''s'", "integer"},
		{"numeric(10,2)", "decimal(10, 2)", "1.50", "((1.50))", "COLUMN IS NOT NULL", "((COLUMN) IS NOT NULL)", "2.5", "text"},
		{"timestamp with time zone", "timestamptz", "now()", "pg_catalog.now()", "COLUMN IN ('2020-01-01 00:00+00', '2021-01-01 00:00+00')",
			"COLUMN = ANY (ARRAY['2020-01-01 00:00+00', '2021-01-01 00:00+00']::timestamptz[])", "clock_timestamp()", "text"},
		{"text", "pg_catalog.text", "'x'", "'x'::text", "length(COLUMN) < 5", "(pg_catalog.length((COLUMN))) < 5", "lower('Y')", "integer"},
		{"text[]", "text ARRAY", "'{}'", "'{}'::text[]", "COLUMN[1] = 'a'", "(COLUMN)[1] = 'a'::text", "'{b}'", "integer"},
		{"boolean", "bool", "true", "'t'", "COLUMN", "(COLUMN)", "false", "text"},
		{"SCHEMA.kind", `SCHEMA."kind"`, "'k0'", "'k0'::SCHEMA.kind", "COLUMN <> 'k0'", "COLUMN <> 'k0'::SCHEMA.kind", "'k1'", "text"},
	}
}

func randomSchema(r *rand.Rand, name string) schemaModel {
	s := schemaModel{name: name}
	for i := range 2 + r.IntN(3) {
		s.labels = append(s.labels, fmt.Sprintf("k%d", i))
	}
	types := typeModels()
	for range 1 + r.IntN(3) {
		var columns []columnModel
		for range 1 + r.IntN(5) {
			columns = append(columns, columnModel{
				typ: types[r.IntN(len(types))], notNull: r.IntN(2) == 0, check: r.IntN(3) == 0, indexed: r.IntN(3) == 0, hasDefault: r.IntN(2) == 0,
				comment: []string{"", "it's"}[r.IntN(2)],
			})
		}
		s.tables = append(s.tables, columns)
	}
	return s
}

// expand replaces the placeholders of a type.
func (s schemaModel) expand(text string, column int) string {
	return strings.NewReplacer("SCHEMA", s.name, "COLUMN", fmt.Sprintf("c%d", column)).Replace(text)
}

// atOnce returns SQL that creates each table by one statement.
func (s schemaModel) atOnce() string {
	b := strings.Builder{}
	fmt.Fprintf(&b, "CREATE SCHEMA %s; CREATE TYPE %[1]s.kind AS ENUM ('%s');\n", s.name, strings.Join(s.labels, "', '"))
	for i, columns := range s.tables {
		elements := []string{"id bigint GENERATED BY DEFAULT AS IDENTITY", fmt.Sprintf("CONSTRAINT t%d_pk PRIMARY KEY (id)", i)}
		for j, c := range columns {
			element := fmt.Sprintf("c%d %s", j, s.expand(c.typ.name, j))
			if c.notNull {
				element += " NOT NULL"
			}
			if c.hasDefault {
				element += " DEFAULT " + s.expand(c.typ.value, j)
			}
			if c.check {
				element += fmt.Sprintf(" CONSTRAINT t%d_c%d CHECK (%s)", i, j, s.expand(c.typ.check, j))
			}
			elements = append(elements, element)
		}
		fmt.Fprintf(&b, "CREATE TABLE %s.t%d (%s);\n", s.name, i, strings.Join(elements, ", "))
		for j, c := range columns {
			if c.indexed {
				fmt.Fprintf(&b, "CREATE INDEX t%d_i%d ON %s.t%[1]d (c%[2]d);\n", i, j, s.name)
			}
			if c.comment != "" {
				fmt.Fprintf(&b, "COMMENT ON COLUMN %s.t%d.c%d IS 'it''s';\n", s.name, i, j)
			}
		}
	}
	return b.String()
}

// stepByStep returns SQL that creates the same schema in a random order by small
// statements. It also drops columns again, changes names later, and uses other spellings.
func (s schemaModel) stepByStep(r *rand.Rand) string {
	statements := []string{fmt.Sprintf("CREATE SCHEMA %s; CREATE TYPE %[1]s.later AS ENUM ('%s')", s.name, s.labels[len(s.labels)-1])}
	for _, label := range s.labels[:len(s.labels)-1] {
		statements = append(statements, fmt.Sprintf("ALTER TYPE %s.later ADD VALUE '%s' BEFORE '%s'", s.name, label, s.labels[len(s.labels)-1]))
	}
	// A transaction may not use a label that it added, so the labels are committed first.
	statements = append(statements, fmt.Sprintf("COMMIT; ALTER TYPE %s.later RENAME TO kind", s.name))
	for _, i := range r.Perm(len(s.tables)) {
		table := fmt.Sprintf("%s.t%d", s.name, i)
		statements = append(statements, fmt.Sprintf("CREATE TABLE %s (dropped text DEFAULT 'x', was_id bigint)", table))
		for _, j := range r.Perm(len(s.tables[i])) {
			statements = append(statements, s.columnSteps(table, i, j)...)
		}
		statements = append(statements,
			fmt.Sprintf("ALTER TABLE %s DROP dropped, ALTER was_id SET NOT NULL", table),
			fmt.Sprintf("ALTER TABLE %s RENAME was_id TO id", table),
			fmt.Sprintf("ALTER TABLE %s ALTER id ADD GENERATED BY DEFAULT AS IDENTITY, ADD CONSTRAINT t%d_first PRIMARY KEY (id)", table, i),
			fmt.Sprintf("ALTER TABLE %s RENAME CONSTRAINT t%d_first TO t%[2]d_pk", table, i))
	}
	return strings.Join(statements, ";\n")
}

func (s schemaModel) columnSteps(table string, i, j int) []string {
	c := s.tables[i][j]
	alter := "ALTER TABLE " + table + " "
	steps := []string{alter + fmt.Sprintf("ADD before_c%d %s", j, s.expand(c.typ.alias, j)), alter + fmt.Sprintf("RENAME before_c%d TO c%[1]d", j)}
	if c.indexed {
		steps = append(steps, fmt.Sprintf("CREATE INDEX before_i ON %s USING btree (c%d ASC NULLS LAST)", table, j), fmt.Sprintf("ALTER INDEX %s.before_i RENAME TO t%d_i%d", s.name, i, j))
	}
	if c.hasDefault {
		steps = append(steps, alter+fmt.Sprintf("ALTER c%d SET DEFAULT %s", j, s.expand(c.typ.sameValue, j)))
	}
	if c.notNull {
		steps = append(steps, alter+fmt.Sprintf("ALTER c%d SET NOT NULL", j))
	}
	if c.check {
		steps = append(steps, alter+fmt.Sprintf("ADD CONSTRAINT t%d_c%d CHECK (%s) NOT VALID", i, j, s.expand(c.typ.sameCheck, j)), alter+fmt.Sprintf("VALIDATE CONSTRAINT t%d_c%d", i, j))
	}
	if c.comment != "" {
		steps = append(steps, fmt.Sprintf(`COMMENT ON COLUMN %s.c%d IS E'it\'s'`, table, j))
	}
	return steps
}

// change returns a random change of one object.
func (s schemaModel) change(r *rand.Rand) drift {
	i := r.IntN(len(s.tables))
	j := r.IntN(len(s.tables[i]))
	c, table, column := s.tables[i][j], fmt.Sprintf("%s.t%d", s.name, i), fmt.Sprintf("%s.t%d.c%d", s.name, i, j)
	alter := "ALTER TABLE " + table + " "
	changes := []drift{
		{sql: alter + "ADD extra int DEFAULT 1 NOT NULL", want: []string{"blocks: column " + table + ".extra: missing on n1"}},
		{sql: alter + fmt.Sprintf("ALTER c%d SET DEFAULT %s", j, s.expand(c.typ.otherValue, j)), want: []string{"drifts: column " + column + ": default differs"}},
		{sql: alter + "SET (fillfactor = 42)", want: []string{"differs: table " + table + ": options differs"}},
		{sql: alter + "ALTER id SET GENERATED ALWAYS", want: []string{"drifts: column " + table + ".id: identity differs"}},
		{sql: fmt.Sprintf("ALTER SEQUENCE %s_id_seq CACHE 7", table), want: []string{"differs: sequence " + table + "_id_seq: cache differs"}},
		{sql: fmt.Sprintf("CREATE UNIQUE INDEX extra_u ON %s (c%d)", table, j), want: []string{"blocks: index " + table + ".extra_u: missing on n1"}},
		{sql: alter + "REPLICA IDENTITY FULL", want: []string{"blocks: table " + table + ": replica identity differs"}},
		{sql: alter + "ENABLE ROW LEVEL SECURITY", want: []string{"blocks: table " + table + ": row security differs"}},
		{sql: "ALTER TYPE " + s.name + ".kind ADD VALUE 'new'", want: []string{"blocks: enum " + s.name + ".kind: labels differs"}},
		{sql: fmt.Sprintf("COMMENT ON COLUMN %s IS 'other'", column), want: []string{"differs: comment " + column + ": comment of the column differs"}},
		{sql: "DROP TABLE " + table, want: []string{"blocks: table " + table + ": missing on n2"}},
		{sql: alter + fmt.Sprintf("ALTER c%d %s NOT NULL", j, map[bool]string{true: "DROP", false: "SET"}[c.notNull]), want: []string{"blocks: column " + column + ": not null differs"}},
	}
	if c.check {
		name := fmt.Sprintf("t%d_c%d", i, j)
		changes = append(changes, drift{sql: alter + "DROP CONSTRAINT " + name, want: []string{"blocks: check " + table + "." + name + ": missing on n2"}})
	}
	if c.indexed {
		name := fmt.Sprintf("t%d_i%d", i, j)
		changes = append(changes, drift{sql: "DROP INDEX " + s.name + "." + name, want: []string{"differs: index " + table + "." + name + ": missing on n2"}},
			drift{sql: fmt.Sprintf("ALTER INDEX %s.%s RENAME TO other", s.name, name), want: []string{"differs: index " + table + "." + name + ": name differs"}})
	}
	if !c.check && !c.indexed {
		changes = append(changes, drift{sql: alter + fmt.Sprintf("DROP c%d", j), want: []string{"blocks: column " + column + ": missing on n2"}},
			drift{sql: alter + fmt.Sprintf("DROP c%d, ADD c%[1]d %s", j, c.typ.otherType), stays: true, want: nil})
	}
	picked := changes[r.IntN(len(changes))]
	if picked.want == nil { // another type also changes what depends on the type
		picked.sql, picked.stays = alter+"SET UNLOGGED", false
		picked.want = []string{"blocks: table " + table + ": persistence differs"}
	}
	return picked
}
