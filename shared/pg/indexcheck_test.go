//go:build !unit

package pg

import (
	"fmt"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// missEntry removes the row with the key 7 from an index of table t.
func missEntry(t *testing.T, c *pgtest.Cluster, index string) {
	t.Helper()
	for _, sql := range []string{
		"DELETE FROM t WHERE id = 7", "UPDATE pg_index SET indislive = false WHERE indexrelid = '" + index + "'::regclass",
		"INSERT INTO t VALUES (7, 'v7')", "UPDATE pg_index SET indislive = true WHERE indexrelid = '" + index + "'::regclass",
	} {
		c.Exec(t, 0, sql)
	}
}

func checkDamageNamed(t *testing.T, err error, says string) {
	t.Helper()
	message := fault.PublicMessage(err)
	for _, part := range []string{`node "n1": index public.t_pkey is damaged`, "REINDEX INDEX public.t_pkey", "amcheck", says} {
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(message, part) {
			t.Errorf("the error is %v, want %q", err, part)
		}
	}
}

func TestIndexCheck_FindsAMissingEntryAndAcceptsASoundIndex(t *testing.T) {
	for _, kind := range []string{"plain", "partitioned"} {
		t.Run(kind, func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Nodes(1))
			n := nodeOf(t, c, 0)
			if kind == "plain" {
				c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text)`)
			} else {
				c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)`,
					`CREATE TABLE a PARTITION OF t FOR VALUES FROM (0) TO (500)`, `CREATE TABLE b PARTITION OF t FOR VALUES FROM (500) TO (MAXVALUE)`)
			}
			c.Exec(t, 0, `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 3000) i`, `ANALYZE t`)
			s := sourceOf(describeTable(t, n, "t"), "t")
			s.KeyIndex, s.Filter = "public.t_pkey", "id > 100"
			ranges := []table.Range{between(nil, key("5")), between(key("5"), key("900")), between(key("900"), nil)}
			keys := []table.Key{key("7"), key("3001"), key("-1"), key("8")}
			tx := begin(t, n, s)
			if rows, err := tx.CountRows(t.Context(), s); err != nil || rows != 2900 {
				t.Errorf("%d rows of the filter are counted, error %v; want 2900", rows, err)
			}
			for _, err := range []error{tx.CheckAbsent(t.Context(), s, keys), tx.CheckAbsent(t.Context(), s, nil), tx.CheckIndex(t.Context(), s, ranges)} {
				if err != nil {
					t.Errorf("of a sound index: %v", err)
				}
			}
			if kind == "partitioned" {
				return
			}
			missEntry(t, c, "t_pkey")
			tx = begin(t, n, s)
			checkDamageNamed(t, tx.CheckAbsent(t.Context(), s, keys), "the row with the key ('7')")
			tx = begin(t, n, s)
			checkDamageNamed(t, tx.CheckIndex(t.Context(), s, ranges), "it leads to 2999 of the 3000 rows")
			s.Unindexed = true
			if err := begin(t, n, s).CheckAbsent(t.Context(), s, keys); err != nil {
				t.Errorf("of an index that is not used: %v", err)
			}
		})
	}
}

func TestIndexCheck_FindsRowsThatAnIndexHidesFromTheFilter(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 3000)
	c.Exec(t, 0, `CREATE INDEX by_v ON t (v)`)
	missEntry(t, c, "by_v")
	ranges := []table.Range{{}}
	if err := begin(t, n, s).CheckIndex(t.Context(), s, ranges); err != nil {
		t.Errorf("without a filter: %v", err)
	}
	for filter, damaged := range map[string]bool{"v = 'v7'": true, "v = 'v8'": false, "random() < 0.5": false} {
		s.Filter = filter
		err := begin(t, n, s).CheckIndex(t.Context(), s, ranges)
		if message := fault.PublicMessage(err); (err != nil) != damaged || damaged && !strings.Contains(message, "table_filter selects 0 rows, without them 1; run REINDEX TABLE \"public\".\"t\"") {
			t.Errorf("with the filter %s: %v", filter, err)
		}
	}
}

func TestIndexCheck_PreservesTheSettingsOfTheTransaction(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	repair, err := n.BeginRepair(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer repair.Close()
	if _, err := repair.TryAdvisoryLock(t.Context(), "public", "t"); err != nil {
		t.Fatal(err)
	}
	shown := func() (all string) {
		err := repair.tx.run(t.Context(), "testing", query{
			sql: "SELECT name, setting FROM pg_catalog.pg_settings WHERE name LIKE 'enable%' OR name = 'work_mem' ORDER BY 1",
			row: func(v [][]byte) error { all += fmt.Sprintf("%s=%s ", v[0], v[1]); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := shown()
	if err := repair.CheckAbsent(t.Context(), s, []table.Key{key("7"), key("101")}); err != nil {
		t.Fatal(err)
	}
	if after := shown(); after != before || !strings.Contains(before, "enable_seqscan=off") {
		t.Errorf("settings before and after:\n%s\n%s", before, after)
	}
}

func TestPageRanges_CoverAllPagesOnce(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 1000)
	var conditions []string
	for _, r := range pageRanges(s, 2*pagesAtOnce+1) {
		conditions = append(conditions, "count(*) FILTER (WHERE true"+r+")")
	}
	got := c.QueryStrings(t, 0, "SELECT "+strings.Join(conditions, ", ")+" FROM "+s.Relation+", pg_catalog.set_config('search_path', 'public', false)")
	if want := "[[1000 0 0]]"; fmt.Sprint(got) != want {
		t.Errorf("rows of the ranges are %v, want %s", got, want)
	}
	for _, text := range []string{"(1048576,0)", "(2097152,0)"} {
		if strings.Count(strings.Join(conditions, ""), text) != 2 {
			t.Errorf("the ranges are %q, want one to end and one to begin at %s", conditions, text)
		}
	}
	if last := conditions[len(conditions)-1]; strings.Contains(last, "(pg_catalog.<)") {
		t.Errorf("the last range is %s, want it open", last)
	}
}

func TestByKey_RowWithAnotherKeyIsAnError(t *testing.T) {
	_, err := (&Node{name: "n1"}).placeOf(table.Source{KeyIndex: "public.t_pkey"}, []byte("0"), 5)
	checkDamageNamed(t, err, "a row that has another key")
}
