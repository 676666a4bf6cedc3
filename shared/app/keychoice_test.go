//go:build !unit

package app_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
)

// The rows, by i, of a table whose keys have two variants.
const (
	spelledRows     = 1500
	respelt         = "i % 500 = 7"
	missing         = "i % 500 = 9"
	respeltAndMore  = "i % 500 = 11"
	hitsPerSpelling = spelledRows / 500
)

func TestKeys_KeyVariantsOnTwoNodesAreOneRow(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(3))
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, append(citextSetup(),
		"CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		"CREATE TYPE amount AS (value numeric)", "CREATE DOMAIN price AS numeric")...)
	for i, kind := range []struct{ column, first, second string }{
		{"numeric", "1.0", "1.00"},
		{"price", "1.0", "1.00"},
		{"float8", "0", "'-0'"},
		{"interval", "make_interval(days => 1)", "make_interval(hours => 24)"},
		{"bpchar", "'a'", "'a '"},
		{"ext.citext", "'A'", "'a'"},
		{"text COLLATE caseless", "'A'", "'a'"},
		{"varchar(5) COLLATE caseless", "'A'", "'a'"},
		{"numeric[]", "'{1.0}'", "'{1.00}'"},
		{"numrange", "'[1.0,2)'", "'[1.00,2)'"},
		{"jsonb", "'[1.0]'", "'[1.00]'"},
		{"amount", "'(1.0)'", "'(1.00)'"},
	} {
		t.Run(kind.column, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("spelled%d", i)
			c.ExecAll(t, fmt.Sprintf("CREATE TABLE %s (k %s, i int, v text, PRIMARY KEY (k, i))", table, kind.column),
				fmt.Sprintf("INSERT INTO %s SELECT %s, i, 'v' FROM generate_series(1, %d) i", table, kind.first, spelledRows))
			c.Exec(t, 1, "DELETE FROM "+table+" WHERE "+missing,
				fmt.Sprintf("UPDATE %s SET k = %s WHERE %s OR %s", table, kind.second, respelt, respeltAndMore),
				fmt.Sprintf("UPDATE %s SET v = 'other' WHERE %s", table, respeltAndMore))
			checkSpelled(t, c, s.Diff(t, "public."+table, "block_rows", "1000"), table)
		})
	}
}

func checkSpelled(t *testing.T, c *pgtest.Cluster, d apptest.Diff, table string) {
	t.Helper()
	if d.Result.TotalRows != spelledRows || d.Result.MismatchedRows != 3*hitsPerSpelling {
		t.Errorf("%d rows, %d mismatched, want %d and %d", d.Result.TotalRows, d.Result.MismatchedRows, spelledRows, 3*hitsPerSpelling)
	}
	for _, pair := range d.Summary.Pairs {
		want := map[string]int64{"k": 2 * hitsPerSpelling, "v": hitsPerSpelling}
		different, gone := int64(2*hitsPerSpelling), int64(hitsPerSpelling)
		if pair.Nodes.String() == "n1/n3" {
			want, different, gone = map[string]int64{}, 0, 0
		}
		only := pair.OnlyOn["n1"] + pair.OnlyOn["n3"]
		if pair.Different != different || !maps.Equal(pair.Columns, want) || only != gone || pair.OnlyOn["n2"] != 0 {
			t.Errorf("pair %s has %d different, only on one node %v, columns %v; want %d, %d, %v",
				pair.Nodes, pair.Different, pair.OnlyOn, pair.Columns, different, gone, want)
		}
	}
	columns := []string{"k", "i", "v"}
	for node, where := range []string{respelt + " OR " + missing + " OR " + respeltAndMore, respelt + " OR " + respeltAndMore} {
		want := c.QueryStrings(t, node, fmt.Sprintf("SELECT k, i, v FROM %s WHERE %s ORDER BY i", table, where))
		if got := rowsOf(d, "n1/n2", c.Nodes[node].Name, columns); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("rows of node %s are %q, want %q", c.Nodes[node].Name, got, want)
		}
	}
}

func TestKeys_AreChosenFromTheBestUniqueIndex(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	const columns = "(a int NOT NULL, b text NOT NULL, c int, d numeric NOT NULL)"
	for i, choice := range []struct {
		name    string
		sql     []string
		key     []string
		warning string
	}{
		{"the primary key in its index's column order", []string{"ALTER TABLE t ADD PRIMARY KEY (d, a)"}, []string{"d", "a"}, ""},
		{"a primary key although other indexes are narrower", []string{"CREATE UNIQUE INDEX ON t (a)", "ALTER TABLE t ADD PRIMARY KEY (b, d)"}, []string{"b", "d"}, ""},
		{"columns that a key only includes are not part of it", []string{"ALTER TABLE t ADD PRIMARY KEY (a) INCLUDE (b)"}, []string{"a"}, ""},
		{"a unique index on columns that are not null", []string{"CREATE UNIQUE INDEX t_b_a ON t (b, a)"}, []string{"b", "a"}, `unique index "t_b_a" serves as the key`},
		{"a unique constraint", []string{"ALTER TABLE t ADD CONSTRAINT t_d UNIQUE (d)"}, []string{"d"}, `unique index "t_d" serves as the key`},
		{"the replica identity before a narrower index", []string{"CREATE UNIQUE INDEX t_a ON t (a)", "CREATE UNIQUE INDEX t_ident ON t (b, d)",
			"ALTER TABLE t REPLICA IDENTITY USING INDEX t_ident"}, []string{"b", "d"}, `unique index "t_ident" serves as the key`},
		{"a usable index among unusable ones", []string{"CREATE UNIQUE INDEX ON t (c)", "CREATE UNIQUE INDEX ON t (a) WHERE a > 5",
			"CREATE UNIQUE INDEX ON t (lower(b))", "CREATE UNIQUE INDEX t_d ON t (d)"}, []string{"d"}, `unique index "t_d" serves as the key`},
		{"a descending index", []string{"CREATE UNIQUE INDEX t_a ON t (a DESC)"}, []string{"a"}, `unique index "t_a" serves as the key`},
	} {
		t.Run(choice.name, func(t *testing.T) {
			t.Parallel()
			schema := fmt.Sprintf("choice%d", i)
			prepare(t, c, schema, columns, choice.sql)
			c.ExecAll(t, fmt.Sprintf("INSERT INTO %s.t SELECT i, 'b' || i, i, i / 8.0 FROM generate_series(1, 1500) i", schema))
			c.Exec(t, 1, fmt.Sprintf("UPDATE %s.t SET c = -1 WHERE a = 77", schema), fmt.Sprintf("DELETE FROM %s.t WHERE a IN (1, 1499)", schema))
			d := s.Diff(t, schema+".t", "block_rows", "1000")
			if !slices.Equal(d.Summary.PrimaryKey, choice.key) {
				t.Errorf("the key is %q, want %q", d.Summary.PrimaryKey, choice.key)
			}
			if warnings := strings.Join(slices.DeleteFunc(slices.Clone(d.Summary.Warnings), ofSuperuser), "\n"); choice.warning == "" && warnings != "" || !strings.Contains(warnings, choice.warning) {
				t.Errorf("warnings are %q, want %q", warnings, choice.warning)
			}
			if got := slices.Sorted(d.All("n1/n2", "n1", "a")); !slices.Equal(got, []string{"1", "1499", "77"}) {
				t.Errorf("rows %q differ, want 1, 77 and 1499", got)
			}
		})
	}
}

// prepare creates a table t in its own schema and runs further statements about it.
func prepare(t *testing.T, c *pgtest.Cluster, schema, columns string, sql []string) {
	t.Helper()
	c.ExecAll(t, append([]string{"CREATE SCHEMA " + schema, "SET search_path = " + schema, "CREATE TABLE t " + columns}, sql...)...)
}

func TestKeys_KeysThatAreNotUniqueAreRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, refusal := range []struct {
		name string
		sql  []string
		want string
	}{
		{"no index at all", nil, `has no primary key and no unique index`},
		{"an index that is not unique", []string{"CREATE INDEX ON t (a)"}, `has no primary key and no unique index`},
		{"a nullable column", []string{"CREATE UNIQUE INDEX t_c ON t (c)"}, `"t_c" (allows NULL in "c"`},
		{"a partial index", []string{"CREATE UNIQUE INDEX t_a ON t (a) WHERE a > 0"}, `"t_a" (is partial`},
		{"an expression", []string{"CREATE UNIQUE INDEX t_b ON t (lower(b))"}, `"t_b" (has expressions`},
		{"a column and an expression", []string{"CREATE UNIQUE INDEX t_b ON t (a, lower(b))"}, `"t_b" (has expressions`},
		{"a deferrable constraint", []string{"ALTER TABLE t ADD CONSTRAINT t_a UNIQUE (a) DEFERRABLE"}, `"t_a" (is deferrable`},
		{"another order than the type's", []string{"CREATE UNIQUE INDEX t_b ON t (b text_pattern_ops)"}, `"t_b" (does not order "b" by the default order`},
		{"another collation than the column's", []string{`CREATE UNIQUE INDEX t_b ON t (b COLLATE "C")`}, `"t_b" (does not order "b" by the default order`},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			t.Parallel()
			schema := fmt.Sprintf("refusal%d", i)
			prepare(t, c, schema, "(a int NOT NULL, b text NOT NULL, c int)", refusal.sql)
			if got := s.Fail(t, schema+".t"); !strings.Contains(got, refusal.want) || !strings.Contains(got, "n") {
				t.Errorf("the error is %q, want %q in it", got, refusal.want)
			}
		})
	}
}

func TestKeys_KeysThatAreNotCommonToAllNodesAreRefused(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, refusal := range []struct{ name, first, second, want string }{
		{"other columns", "(a int PRIMARY KEY, b int)", "(a int, b int PRIMARY KEY)",
			`node "n1" has "unshared0_pkey" on (a) (node "n2" has no key on these columns); node "n2" has "unshared0_pkey" on (b) (node "n1" has no key on these columns)`},
		{"a key on one node only", "(a int PRIMARY KEY)", "(a int)", `node "n2" has no primary key and no unique index`},
		{"types that cannot be matched", "(a int PRIMARY KEY)", "(a text PRIMARY KEY)", `key column "a" is integer on node "n1" but text on node "n2"`},
	} {
		t.Run(refusal.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("unshared%d", i)
			c.Exec(t, 0, "CREATE TABLE "+table+" "+refusal.first)
			c.Exec(t, 1, "CREATE TABLE "+table+" "+refusal.second)
			if got := s.Fail(t, "public."+table); !strings.Contains(got, refusal.want) {
				t.Errorf("the error is %q, want %q in it", got, refusal.want)
			}
		})
	}
}

func TestKeys_OfRelatedTypesMatchBeyondTheRangeOfOneNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, "CREATE DOMAIN code AS text")
	c.Exec(t, 0, "CREATE DOMAIN small AS int8 CHECK (VALUE < 5000)")
	for i, kind := range []struct{ name, first, second, key, beyond string }{
		{"int4 and int8", "int4", "int8", "i", "5000000000 + i"},
		{"int2 and int8", "int2", "int8", "i", "5000000000 + i"},
		{"a domain with a check and its base", "small", "int8", "i", "9000 + i"},
		{"varchar and text", "varchar(6)", "text", "'k' || i", "'very long ' || i"},
		{"a domain over text and varchar", "code", "varchar(20)", "'k' || i", "'very long ' || i"},
	} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			table := fmt.Sprintf("related%d", i)
			for node, column := range []string{kind.first, kind.second} {
				c.Exec(t, node, fmt.Sprintf("CREATE TABLE %s (k %s, i int, x int2, PRIMARY KEY (k, x))", table, column),
					fmt.Sprintf("INSERT INTO %s SELECT %s, i, 1 FROM generate_series(1, 1500) i", table, kind.key))
			}
			c.Exec(t, 1, fmt.Sprintf("INSERT INTO %s SELECT %s, 1500 + i, 1 FROM generate_series(1, 2500) i", table, kind.beyond))
			d := s.Diff(t, "public."+table, "block_rows", "1000")
			pair := d.Summary.Pairs[0]
			if d.Result.TotalRows != 4000 || pair.OnlyOn["n2"] != 2500 || pair.OnlyOn["n1"]+pair.Different != 0 {
				t.Errorf("%d rows, only on one node %v, %d different; want 4000, 2500 on n2, 0", d.Result.TotalRows, pair.OnlyOn, pair.Different)
			}
		})
	}
}

func TestKeys_OfAnEnumWithOtherLabelsOnTheNodesMatchByLabel(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.Exec(t, 0, "CREATE TYPE step AS ENUM ('first', 'second', 'third', 'gone')")
	c.Exec(t, 1, "CREATE TYPE step AS ENUM ('third', 'new', 'second', 'first')")
	c.ExecAll(t, "CREATE TABLE t (k step, i int, v int, PRIMARY KEY (k, i))",
		"INSERT INTO t SELECT (ARRAY['first', 'second', 'third'])[1 + i % 3]::step, i, 0 FROM generate_series(1, 1500) i")
	c.Exec(t, 0, "INSERT INTO t VALUES ('gone', 1, 0)", "DELETE FROM t WHERE i = 700")
	c.Exec(t, 1, "INSERT INTO t VALUES ('new', 1, 0), ('new', 2, 0)", "UPDATE t SET v = 1 WHERE i IN (3, 4)")

	d := s.Diff(t, "public.t", "block_rows", "1000")
	for node, want := range [][][]string{
		{{"first", "3", "0"}, {"gone", "1", "0"}, {"second", "4", "0"}},
		{{"first", "3", "1"}, {"new", "1", "0"}, {"new", "2", "0"}, {"second", "4", "1"}, {"second", "700", "0"}},
	} {
		if got := rowsOf(d, "n1/n2", c.Nodes[node].Name, []string{"k", "i", "v"}); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("rows of node %s are %q, want %q", c.Nodes[node].Name, got, want)
		}
	}
	if d.Result.TotalRows != 1503 || d.Result.MismatchedRows != 6 {
		t.Errorf("%d rows, %d mismatched, want 1503 and 6", d.Result.TotalRows, d.Result.MismatchedRows)
	}
}

func TestKeys_OfAnExtensionInAnotherSchemaAreReadThroughTheirIndex(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	c.ExecAll(t, append(citextSetup(), "CREATE TABLE t (k ext.citext PRIMARY KEY, v text)",
		"INSERT INTO t SELECT (ARRAY['Key', 'kEY'])[1 + i % 2] || i, 'v' FROM generate_series(1, 5000) i")...)
	c.Exec(t, 1, "UPDATE t SET v = 'other' WHERE k OPERATOR(ext.=) 'key4001'")
	d := s.Diff(t, "public.t", "block_rows", "1000")
	if got := slices.Collect(d.All("n1/n2", "n2", "k")); !slices.Equal(got, []string{"kEY4001"}) {
		t.Errorf("rows %q differ, want kEY4001", got)
	}
	for node := range c.Nodes {
		if scans := indexScans(t, c, node, "t_pkey"); scans < int(d.Summary.Blocks) {
			t.Errorf("node %s: the key's index was scanned %d times for %d blocks", c.Nodes[node].Name, scans, d.Summary.Blocks)
		}
	}
}

// indexScans returns the number of scans of an index. Sessions report it when they end.
func indexScans(t *testing.T, c *pgtest.Cluster, node int, index string) int {
	t.Helper()
	const others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
	c.Exec(t, node, "SELECT pg_terminate_backend(pid) "+others)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if c.QueryStrings(t, node, "SELECT count(*) "+others)[0][0] == "0" {
			break
		}
	}
	scans, err := strconv.Atoi(c.QueryStrings(t, node, "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = $1", index)[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return scans
}

// A range of a composite key is a range of the index, in whichever direction each of its
// columns is sorted.
func TestKeys_OfAnIndexWithColumnsInOppositeOrders(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := apptest.New(t, c, apptest.Options{})
	for i, columns := range []string{"a DESC, b", "a, b DESC NULLS LAST", "b DESC, a NULLS FIRST"} {
		name := fmt.Sprintf("t%d", i)
		c.ExecAll(t, fmt.Sprintf(`CREATE TABLE %[1]s (a text NOT NULL, b float8 NOT NULL, v int); CREATE UNIQUE INDEX ON %[1]s (%[2]s);
			INSERT INTO %[1]s SELECT 'k' || i %% 7, CASE i WHEN 3000 THEN 'NaN' WHEN 4000 THEN '-Infinity' ELSE i::float8 END, i FROM generate_series(1, 5000) i`, name, columns))
		c.Exec(t, 1, "UPDATE "+name+" SET v = -v WHERE v % 1000 = 0", "DELETE FROM "+name+" WHERE v % 1001 = 0")
		if d := s.Diff(t, "public."+name, "block_rows", "1000"); countsOf(d, 0) != (counts{4, 0, 5}) || d.Result.TotalRows != 5000 || d.Summary.ResolvedRows != 0 {
			t.Errorf("(%s): %d rows, %+v, %d resolved; want 5000, 4 on the first node only and 5 different", columns, d.Result.TotalRows, countsOf(d, 0), d.Summary.ResolvedRows)
		}
	}
}
