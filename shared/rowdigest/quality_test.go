//go:build !unit

package rowdigest_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/rowdigest"
)

// The 64-bit hash of PostgreSQL's integers folds them to 32 bits and would fail this
// test. Half of the rows differ only in the upper half of a bigint; the other half are
// pairs of small integers in both orders.
func TestRow_TwoMillionDistinctRowsHaveDistinctDigests(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE VIEW many AS
		SELECT (i << 32) + i AS a, 1 AS b, 2 AS c, 'same' AS d, to_timestamp(0) AS e FROM generate_series(0, 999999::int8) i
		UNION ALL
		SELECT -1, i / 1000, i % 1000, 'row ' || i / 7, to_timestamp(i / 3) FROM generate_series(0, 999999) i`)
	s := newSession(t, c, 0)
	var exprs []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		exprs = append(exprs, rowdigest.Expr("m."+name, s.column("many", name), rowdigest.Options{SameEncoding: true}))
	}
	s.rows("SELECT set_config('work_mem', '256MB', false)")
	got := s.rows(fmt.Sprintf("SELECT count(*), sum(n) FROM (SELECT count(*) AS n FROM many m GROUP BY %s) g",
		rowdigest.Row(exprs, seeds)))
	if want := []string{"2000000", "2000000"}; !slices.Equal(got[0], want) {
		t.Errorf("distinct digests and rows: %v, want %v", got[0], want)
	}
}

// Without the outer hash this test would fail: in a sum of the columns' hashes, the
// lowest bit of a swap always cancels and the next one often. A correct digest fails with
// a probability of one in a million.
func TestRow_SwappedValuesDoNotTendToCancel(t *testing.T) {
	t.Parallel()
	s := newSession(t, pgtest.NewCluster(t, pgtest.Nodes(1)), 0)
	got := s.rows(fmt.Sprintf(`SELECT sum(changed & 1), sum(changed >> 1 & 1), sum(changed >> 63 & 1)
		FROM (SELECT bit_xor(%s) AS changed FROM generate_series(1, 1000) i,
			LATERAL (VALUES (i, 'x'), (-i, 'y'), (i, 'y'), (-i, 'x')) t (a, b) GROUP BY i) swaps`,
		rowdigest.Row([]string{"t.a", "t.b"}, seeds)))
	for _, text := range got[0] {
		if ones, err := strconv.Atoi(text); err != nil || ones < 420 || ones > 580 {
			t.Errorf("of 1000 swaps, the lowest, second and highest bit notice %v, want about 500 each", got[0])
		}
	}
}

func TestRow_SeparatesColumns(t *testing.T) {
	t.Parallel()
	rows := []string{
		"('a,', 'b', 'c')", "('a', ',b', 'c')", "('a', 'b', NULL)", "('a', NULL, 'b')", "(NULL, 'a', 'b')",
		"('a', 'b', '')", "('a', '', 'b')", "('', '', '')", "(NULL, NULL, NULL)", "('', NULL, '')", "('ab', '', NULL)",
		"('a|b', 'c', '')", "('a', 'b|c', '')", "(E'a\\x01', 'b', '')", "('a', E'\\x01b', '')", "('b', 'a', 'c')",
	}
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, "CREATE TABLE r (a text, b text, c text)")
	for _, row := range rows {
		c.Exec(t, 0, "INSERT INTO r VALUES "+row)
	}
	refs := []string{"r.a", "r.b", "r.c"}
	for name, digest := range map[string]string{
		"fast": rowdigest.Row(refs, seeds), "sha256": rowdigest.RowSHA256(refs, seeds),
	} {
		seen := map[string]string{}
		for _, row := range newSession(t, c, 0).rows("SELECT r, " + digest + " FROM r") {
			if other, ok := seen[row[1]]; ok {
				t.Errorf("%s: rows %s and %s have one digest", name, other, row[0])
			}
			seen[row[1]] = row[0]
		}
	}
}

func TestRow_SeedsChangeEveryDigest(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	s := newSession(t, c, 0)
	seen := map[string]rowdigest.Seeds{}
	for _, seeds := range []rowdigest.Seeds{{}, {Inner: 1}, {Outer: 1}, {Inner: -1}, {Outer: -1 << 63}} {
		for _, digest := range []string{rowdigest.Row([]string{"1"}, seeds), rowdigest.RowSHA256([]string{"1"}, seeds)} {
			value := s.rows("SELECT " + digest)[0][0]
			if other, ok := seen[value]; ok {
				t.Errorf("seeds %v and %v give the same digest", other, seeds)
			}
			seen[value] = seeds
		}
	}
}

func TestExpr_TextIsEqualInTwoEncodings(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest),
		pgtest.CreateDatabase(0, "ENCODING 'LATIN1' LOCALE 'C'"))
	c.ExecAll(t, "CREATE TYPE size AS ENUM ('größe')", "CREATE DOMAIN word AS text")
	for column, value := range map[string]string{
		"text": "'Straße'", "varchar(9)": "'Straße'", "name": "'Straße'", "char(9)": "'Straße'", "size": "'größe'",
		"word": "'Straße'", "text[]": "'{Straße}'", "name[]": "'{Straße}'", "json": `'{"ß":1}'`, "jsonb": `'{"ß":1}'`,
		"tsvector": "'Straße:1'", "tsquery": "'Straße'", "xml": "'<a>ß</a>'", "jsonpath": `'$."ß"'`,
	} {
		var got []string
		for node := range c.Nodes {
			c.Exec(t, node, "DROP TABLE IF EXISTS e", "CREATE TABLE e (v "+column+")", "INSERT INTO e VALUES ("+value+")")
			s := newSession(t, c, node)
			expr := rowdigest.Expr("e.v", s.column("e", "v"), rowdigest.Options{SameEncoding: false})
			got = append(got, fmt.Sprint(s.rows(fmt.Sprintf("SELECT %s, %s FROM e",
				rowdigest.Row([]string{expr}, seeds), rowdigest.RowSHA256([]string{"e.v"}, seeds)))))
		}
		if got[0] != got[1] {
			t.Errorf("%s %s: digests %s in LATIN1, %s in UTF8", column, value, got[0], got[1])
		}
	}
}
