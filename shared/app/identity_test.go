//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/rowcases"
)

// caseTable is a table with a column for each case: c0, c1 and so on. Row i has a value
// only in the column of case i, A on the first node and B on the second, so only that
// pair of values decides whether the row is equal.
type caseTable []rowcases.Case

// create returns the SQL that creates the table on a node. On the second node the columns
// are in reverse order, and two dropped columns surround them.
func (cases caseTable) create(table string, node int) []string {
	var sql, columns []string
	for i, c := range cases {
		setup, column := c.OnNode(node)
		sql = append(sql, setup...)
		columns = append(columns, fmt.Sprintf("c%d %s", i, column))
	}
	columns = append([]string{"id int PRIMARY KEY"}, columns...)
	if node == 1 {
		columns = append(columns, "gone2 int")
		slices.Reverse(columns)
		columns = append([]string{"gone1 text DEFAULT 'x'"}, columns...)
	}
	sql = append(sql, fmt.Sprintf("CREATE TABLE %s (%s)", table, strings.Join(columns, ", ")))
	if node == 1 {
		sql = append(sql, fmt.Sprintf("ALTER TABLE %s DROP COLUMN gone1, DROP COLUMN gone2", table))
	}
	return sql
}

// apart is the distance between the ids of the rows of two cases.
const apart = 1000

// insert writes the rows of the cases. Each is followed by rows that have A on both
// nodes.
func (cases caseTable) insert(table string, node, followers int) []string {
	var sql []string
	for i, c := range cases {
		value := []string{c.A, c.B}[node]
		sql = append(sql, fmt.Sprintf("INSERT INTO %s (id, c%d) VALUES (%d, %s)", table, i, i*apart, value))
		if _, column := c.OnNode(0); followers > 0 && common(c) {
			sql = append(sql, fmt.Sprintf("INSERT INTO %s (id, c%d) SELECT %d + f, (%s)::%s FROM generate_series(1, %d) f",
				table, i, i*apart, c.A, strings.Replace(column, " COLLATE rc_insensitive", "", 1), followers))
		}
	}
	return sql
}

// common reports whether the column of the case has the same type on both nodes, so that
// both can store A.
func common(c rowcases.Case) bool {
	setup, _ := c.OnNode(1)
	return !c.OtherType() && slices.Equal(setup, c.Setup)
}

// huge cases have values of several megabytes.
func huge(c rowcases.Case) bool { return strings.Contains(c.A, "repeat(") }

func TestIdentity_ValuesAreEqualExactlyIfTheirTextIsEqual(t *testing.T) {
	t.Parallel()
	c := pgtest.UnlikeNodes(t)
	s := apptest.New(t, c, apptest.Options{})
	cases := caseTable(slices.DeleteFunc(rowcases.All(), huge))
	const followers = 28
	for node := range c.Nodes {
		c.Exec(t, node, cases.create("few", node)...)
		c.Exec(t, node, cases.insert("few", node, 0)...)
		c.Exec(t, node, cases.create("many", node)...)
		c.Exec(t, node, cases.insert("many", node, followers)...)
	}
	for _, run := range []struct {
		name, table string
		args        []string
	}{
		{"among themselves", "few", nil},
		{"in blocks of ten thousand equal rows", "many", nil},
		{"by sha256", "few", []string{"checksum", "sha256"}},
	} {
		t.Run(run.name, func(t *testing.T) {
			t.Parallel()
			cases.check(t, c, s.Diff(t, "public."+run.table, run.args...), run.table)
		})
	}
}

func TestIdentity_HugeValuesAreComparedCompletely(t *testing.T) {
	t.Parallel()
	c := pgtest.UnlikeNodes(t)
	s := apptest.New(t, c, apptest.Options{})
	cases := caseTable(slices.DeleteFunc(rowcases.All(), func(c rowcases.Case) bool { return !huge(c) }))
	if len(cases) < 2 {
		t.Fatalf("only %d cases are huge", len(cases))
	}
	for node := range c.Nodes {
		c.Exec(t, node, cases.create("t", node)...)
		c.Exec(t, node, cases.insert("t", node, 0)...)
	}
	cases.check(t, c, s.Diff(t, "public.t"), "t")
}

// check checks that exactly the rows of the unequal cases differ, each only in its own
// column.
func (cases caseTable) check(t *testing.T, c *pgtest.Cluster, d apptest.Diff, table string) {
	t.Helper()
	counts := map[string]int64{}
	warnings := strings.Join(d.Summary.Warnings, "\n")
	for i, one := range cases {
		column := fmt.Sprintf("c%d", i)
		if !one.Equal {
			counts[column] = 1
		}
		if said := strings.Contains(warnings, fmt.Sprintf("column %q is ", column)); said != one.OtherType() {
			t.Errorf("%s: a warning of other types: %v, want %v", one.Name, said, one.OtherType())
		}
	}
	pair := d.Summary.Pairs[0]
	for i, one := range cases {
		if column := fmt.Sprintf("c%d", i); pair.Columns[column] != counts[column] {
			t.Errorf("%s: reported as different %d times, want %d", one.Name, pair.Columns[column], counts[column])
		}
	}
	if n := int64(len(counts)); pair.Different != n || d.Result.MismatchedRows != n || pair.OnlyOn["n1"]+pair.OnlyOn["n2"] != 0 || d.Summary.ResolvedRows != 0 {
		t.Errorf("%d rows mismatched, %d resolved, %+v; want %d different rows and no other",
			d.Result.MismatchedRows, d.Summary.ResolvedRows, pair, n)
	}
	for node := range c.Nodes {
		cases.checkValues(t, c, node, d, table)
	}
}

// checkValues compares the values in the document with the server's own text.
func (cases caseTable) checkValues(t *testing.T, c *pgtest.Cluster, node int, d apptest.Diff, table string) {
	t.Helper()
	var terms []string
	for i, one := range cases {
		if !one.Equal {
			terms = append(terms, fmt.Sprintf("(SELECT c%d FROM %s WHERE id = %d)", i, table, i*apart))
		}
	}
	want := pinnedTexts(t, c, node, "SELECT "+strings.Join(terms, ", "))
	var got []string
	for _, row := range d.Rows {
		if row.Node != c.Nodes[node].Name {
			continue
		}
		value := pgtest.Null
		for column, text := range row.Values {
			if column != "id" && text != pgtest.Null {
				value = text
			}
		}
		got = append(got, value)
	}
	if !slices.Equal(got, want) {
		t.Errorf("values of node %s are\n%.3000q\nwant\n%.3000q", c.Nodes[node].Name, got, want)
	}
}

// pinnedTexts returns the one row of a query as text under the settings that the
// documents promise.
func pinnedTexts(t *testing.T, c *pgtest.Cluster, node int, sql string) []string {
	t.Helper()
	const settings = `SET TimeZone = UTC; SET DateStyle = ISO; SET IntervalStyle = postgres; SET bytea_output = hex;
		SET extra_float_digits = 1; SET lc_monetary = 'C'; SET xmlbinary = base64; SET search_path = pg_catalog; `
	results, err := c.Connect(t, node).PgConn().Exec(t.Context(), settings+strings.ReplaceAll(sql, " FROM ", " FROM public.")).ReadAll()
	if err != nil {
		t.Fatalf("node %s: %v", c.Nodes[node].Name, err)
	}
	var texts []string
	for _, value := range results[len(results)-1].Rows[0] {
		if value == nil {
			texts = append(texts, pgtest.Null)
			continue
		}
		texts = append(texts, string(value))
	}
	return texts
}

// Case T-F7, see docs/RELIABILITY.md. The text of a regclass depends on the search_path.
func TestIdentity_NamesOfObjectsUnderAFilterDoNotDependOnTheSearchPath(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.DatabaseSetting(1, "search_path", "app"))
	c.ExecAll(t, "CREATE SCHEMA app; CREATE TABLE app.named (); CREATE TABLE public.t (id int PRIMARY KEY, r regclass)",
		"INSERT INTO public.t VALUES (1, 'app.named'), (2, 'public.t')")
	s := apptest.New(t, c, apptest.Options{})
	if d := s.Diff(t, "public.t", "table_filter", "id > 0"); d.Result.MismatchedRows != 0 || d.Result.TotalRows != 2 {
		t.Errorf("%d of %d rows differ, want none of 2", d.Result.MismatchedRows, d.Result.TotalRows)
	}
}

// The cases are values that swap their columns or rows, and values that contain
// characters that a careless digest could use as separators.
func TestIdentity_ValuesDoNotMoveBetweenColumnsOrRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, pair := range []struct{ name, first, second string }{
		{"swapped between two rows", "(1, 'a', 'x'), (2, 'b', 'x')", "(1, 'b', 'x'), (2, 'a', 'x')"},
		{"swapped between three rows", "(1, 'a', 'x'), (2, 'b', 'x'), (3, 'c', 'x')", "(1, 'b', 'x'), (2, 'c', 'x'), (3, 'a', 'x')"},
		{"both columns swapped between two rows", "(1, 'a', 'x'), (2, 'b', 'y')", "(1, 'b', 'y'), (2, 'a', 'x')"},
		{"swapped between two columns", "(1, 'a', 'b')", "(1, 'b', 'a')"},
		{"NULL in the other column", "(1, 'a', NULL)", "(1, NULL, 'a')"},
		{"NULL and the empty text", "(1, '', NULL)", "(1, NULL, '')"},
		{"a boundary between columns", "(1, 'ab', 'c')", "(1, 'a', 'bc')"},
		{"a bar", "(1, 'a|b', 'c')", "(1, 'a', 'b|c')"},
		{"a comma and quotes", `(1, 'a","b', 'c')`, `(1, 'a', 'b","c')`},
		{"a tab and a line end", `(1, E'a\tb\n', 'c')`, `(1, 'a', E'b\n\tc')`},
		{"the word NULL", "(1, 'NULL', NULL)", "(1, NULL, 'NULL')"},
		{"a row's own text form", `(1, '(a,b)', NULL)`, `(1, 'a', 'b)')`},
	} {
		t.Run(pair.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("moved%d", i)
			for node, rows := range []string{pair.first, pair.second} {
				c.Exec(t, node, fmt.Sprintf("CREATE TABLE %s (id int PRIMARY KEY, a text, b text)", table),
					fmt.Sprintf("INSERT INTO %s VALUES %s", table, rows),
					fmt.Sprintf("INSERT INTO %s SELECT i, 'a', 'b' FROM generate_series(10, 400) i", table))
			}
			for _, checksum := range []string{"auto", "sha256"} {
				want := strings.Count(pair.first, "(1") + strings.Count(pair.first, "(2") + strings.Count(pair.first, "(3")
				if d := s.Diff(t, "public."+table, "checksum", checksum); d.Summary.Pairs[0].Different != int64(want) {
					t.Errorf("checksum %s: %d rows are different, want %d", checksum, d.Summary.Pairs[0].Different, want)
				}
			}
		})
	}
}

func TestIdentity_IgnoredColumnsHaveNoEffect(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text, seen timestamptz, "Odd, name" int)`,
		"INSERT INTO t SELECT i, 'v', now(), 0 FROM generate_series(1, 1000) i")
	c.Exec(t, 1, `UPDATE t SET seen = seen + interval '1 s', "Odd, name" = 7`, "ALTER TABLE t ADD COLUMN extra int")

	d := s.Diff(t, "public.t", "ignore_columns", `seen,"Odd, name",extra`)
	if d.Result.Verdict != "match" {
		t.Errorf("the verdict is %s although only ignored columns differ", d.Result.Verdict)
	}
	if want := []string{"seen", "Odd, name", "extra"}; !slices.Equal(d.Summary.IgnoreColumns, want) {
		t.Errorf("the document says that %q are ignored, want %q", d.Summary.IgnoreColumns, want)
	}
	c.Exec(t, 1, "UPDATE t SET v = 'other' WHERE id = 5")
	d = s.Diff(t, "public.t", "ignore_columns", `seen,"Odd, name",extra`)
	if len(d.Rows) != 2 || d.Result.MismatchedRows != 1 || !maps.Equal(d.Rows[0].Values, map[string]string{"id": "5", "v": "v"}) {
		t.Errorf("rows %v differ, want row 5 with its compared columns", d.Rows)
	}
}

func TestIdentity_ColumnsThatCannotBeIgnoredAreRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, "CREATE TABLE t (id int PRIMARY KEY, v text)")
	for name, want := range map[string]string{
		`nosuch`: `ignore_columns names "nosuch", but the table's columns are "id", "v"`,
		`"V"`:    `ignore_columns names "V", but the table's columns are "id", "v"`,
		`id`:     `ignore_columns names "id", which is part of the key and cannot be ignored`,
	} {
		if got := s.Fail(t, "public.t", "ignore_columns", name); !strings.Contains(got, want) {
			t.Errorf("ignore_columns=%s: the error is %q, want %q in it", name, got, want)
		}
	}
}

func TestIdentity_TextIsEqualUnderEveryServerEncoding(t *testing.T) {
	t.Parallel()
	for _, encodings := range [][2]string{{"UTF8", "LATIN1"}, {"LATIN1", "WIN1252"}, {"SQL_ASCII", "UTF8"}, {"SQL_ASCII", "SQL_ASCII"}} {
		t.Run(strings.Join(encodings[:], " and "), func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t,
				pgtest.CreateDatabase(0, "LOCALE 'C' ENCODING '"+encodings[0]+"'"),
				pgtest.CreateDatabase(1, "LOCALE 'C' ENCODING '"+encodings[1]+"'"))
			s := apptest.New(t, c, apptest.Options{})
			c.ExecAll(t, `CREATE TABLE t (k text PRIMARY KEY, v varchar, c bpchar, n name, j jsonb, x xml, a text[])`,
				`INSERT INTO t SELECT 'é' || i, 'Straße', 'Ä', 'ñ', '{"ü": "ö"}', '<à/>', ARRAY['ç'] FROM generate_series(1, 300) i`)
			if d := s.Diff(t, "public.t"); d.Result.Verdict != "match" || d.Result.TotalRows != 300 || d.Summary.ResolvedRows != 0 {
				t.Errorf("the verdict is %s with %d of %d rows, %d resolved", d.Result.Verdict, d.Result.MismatchedRows, d.Result.TotalRows, d.Summary.ResolvedRows)
			}
			c.Exec(t, 1, "UPDATE t SET v = 'Strasse', a = '{c}' WHERE k = 'é77'", "DELETE FROM t WHERE k = 'é78'")
			d := s.Diff(t, "public.t")
			if got := slices.Collect(d.All("n1/n2", "n1", "k")); !slices.Equal(got, []string{"é77", "é78"}) {
				t.Errorf("rows %q differ, want é77 and é78", got)
			}
			if want := map[string]int64{"v": 1, "a": 1}; !maps.Equal(d.Summary.Pairs[0].Columns, want) {
				t.Errorf("columns %v differ, want %v", d.Summary.Pairs[0].Columns, want)
			}
		})
	}
}
