//go:build !unit

package rowdigest_test

import (
	"fmt"
	"slices"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/rowcases"
	"ace/shared/rowdigest"
)

// The ids of the rows of a case's table. rowOne and rowTwo exist if both nodes accept
// both values. On the second node, their values are swapped.
const (
	pairRow = "1"
	rowOne  = "2"
	rowTwo  = "3"
)

// createCase returns the SQL that creates a case's table on a node. On the second node
// the columns have another order and one is dropped.
func createCase(c rowcases.Case, table string, node int) []string {
	setup, column := c.OnNode(node)
	definition, mine, first, second := "id int, v "+column+", pad int", c.A, c.A, c.B
	if node == 1 {
		definition, mine, first, second = "gone int, pad int, v "+column+", id int", c.B, c.B, c.A
	}
	sql := append(slices.Clone(setup), fmt.Sprintf("CREATE TABLE %s (%s)", table, definition))
	if node == 1 {
		sql = append(sql, fmt.Sprintf("ALTER TABLE %s DROP COLUMN gone", table))
	}
	const insert = "INSERT INTO %s (id, v, pad) VALUES (%s, %s, 7)"
	sql = append(sql, fmt.Sprintf(insert, table, pairRow, mine))
	if swappable(c) {
		sql = append(sql, fmt.Sprintf(insert, table, rowOne, first), fmt.Sprintf(insert, table, rowTwo, second))
	}
	return sql
}

func swappable(c rowcases.Case) bool {
	_, first := c.OnNode(0)
	setup, second := c.OnNode(1)
	return first == second && slices.Equal(setup, c.Setup)
}

// digests has the digests of one row on one node, without its key.
type digests struct{ text, fast, byText, sha string }

// caseTable is a case's table on one node.
type caseTable struct {
	session
	name   string
	values string // the expression of column v
	texts  string // the expression of the text of v
}

func openCase(s session, c rowcases.Case, name string) caseTable {
	s.t.Helper()
	o := rowdigest.Options{SameEncoding: true, ForceText: c.OtherType()}
	column := s.column(name, "v")
	texts, _ := rowdigest.TextExpr("t.v", column, o)
	return caseTable{session: s, name: name, values: rowdigest.Expr("t.v", column, o), texts: texts}
}

// digests returns the digests by row.
func (c caseTable) digests() map[string]digests {
	c.t.Helper()
	found := map[string]digests{}
	for _, row := range c.rows(fmt.Sprintf("SELECT id, v, %s, %s, %s FROM %s t", rowdigest.Row([]string{c.values, "t.pad"}, seeds),
		rowdigest.Row([]string{c.texts, "t.pad"}, seeds), rowdigest.RowSHA256([]string{"t.v", "t.pad"}, seeds), c.name)) {
		found[row[0]] = digests{text: row[1], fast: row[2], byText: row[3], sha: row[4]}
	}
	return found
}

// block returns the combined digests of the rows that are swapped on the other node.
func (c caseTable) block() (fast, sha string) {
	c.t.Helper()
	row := c.rows(fmt.Sprintf("SELECT bit_xor(%s), bit_xor(%s) FROM %s t WHERE id IN (%s, %s)",
		rowdigest.Row([]string{"t.id", c.values, "t.pad"}, seeds),
		rowdigest.RowSHA256([]string{"t.id", "t.v", "t.pad"}, seeds), c.name, rowOne, rowTwo))[0]
	return row[0], row[1]
}

func TestCases_DigestsAreEqualOnlyForTheSameStoredValue(t *testing.T) {
	t.Parallel()
	cluster := pgtest.UnlikeNodes(t)
	cases := rowcases.All()
	sessions := []session{newSession(t, cluster, 0), newSession(t, cluster, 1)}
	for node := range sessions {
		var sql []string
		for i, c := range cases {
			sql = append(sql, createCase(c, fmt.Sprintf("case%d", i), node)...)
		}
		cluster.Exec(t, node, sql...)
	}
	for i, c := range cases {
		table := fmt.Sprintf("case%d", i)
		first, second := openCase(sessions[0], c, table), openCase(sessions[1], c, table)
		a, b := first.digests(), second.digests()
		checkPair(t, c, a[pairRow], b[pairRow])
		if swappable(c) {
			checkAcrossNodes(t, c, a, b)
			checkSwapped(t, c, first, second)
		}
	}
}

// Case T-F6, see docs/RELIABILITY.md.
func TestTextExpr_IsEqualForTwoFormsOfOneText(t *testing.T) {
	t.Parallel()
	cluster := pgtest.UnlikeNodes(t)
	s, unlike := newSession(t, cluster, 0), 0
	for i, c := range rowcases.Twins() {
		table := fmt.Sprintf("twin%d", i)
		cluster.Exec(t, 0, createCase(c, table, 0)...)
		opened := openCase(s, c, table)
		found := opened.digests()
		a, b := found[rowOne], found[rowTwo]
		if a.text != b.text || a.byText != b.byText || a.sha != b.sha {
			t.Errorf("%s: texts %.80q and %.80q, digests %s and %s, sha256 %s and %s", c.Name, a.text, b.text, a.byText, b.byText, a.sha, b.sha)
		}
		if a.fast != b.fast {
			t.Logf("%s: two digests", c.Name)
			unlike++
		}
		if a.fast != b.fast && opened.texts == opened.values {
			t.Errorf("%s: said to have no twins", c.Name)
		}
	}
	if unlike < 5 {
		t.Errorf("only %d pairs differ below the text", unlike)
	}
}

func checkPair(t *testing.T, c rowcases.Case, a, b digests) {
	t.Helper()
	if (a.text == b.text) != c.Equal {
		t.Errorf("%s: the case itself is wrong: the texts are %.80q and %.80q", c.Name, a.text, b.text)
	}
	if (a.fast == b.fast) != c.Equal {
		t.Errorf("%s: digests %s and %s, want equal: %v", c.Name, a.fast, b.fast, c.Equal)
	}
	if (a.byText == b.byText) != c.Equal {
		t.Errorf("%s: digests of texts %s and %s, want equal: %v", c.Name, a.byText, b.byText, c.Equal)
	}
	if (a.sha == b.sha) != c.Equal {
		t.Errorf("%s: sha256 digests %s and %s, want equal: %v", c.Name, a.sha, b.sha, c.Equal)
	}
}

// checkAcrossNodes checks that both nodes compute the same digest for the value A, and
// the same for the value B. The rows with A and B are swapped on the second node.
func checkAcrossNodes(t *testing.T, c rowcases.Case, first, second map[string]digests) {
	t.Helper()
	for mine, theirs := range map[string]string{rowOne: rowTwo, rowTwo: rowOne} {
		a, b := first[mine], second[theirs]
		if a.fast != b.fast || a.sha != b.sha {
			t.Errorf("%s: the nodes digest %.80q differently", c.Name, a.text)
		}
	}
	checkPair(t, c, first[rowOne], first[rowTwo])
	checkPair(t, c, second[rowOne], second[rowTwo])
}

// checkSwapped checks that values swapped between two rows do not cancel when digests are
// combined.
func checkSwapped(t *testing.T, c rowcases.Case, first, second caseTable) {
	t.Helper()
	fastA, shaA := first.block()
	fastB, shaB := second.block()
	if (fastA == fastB) != c.Equal || (shaA == shaB) != c.Equal {
		t.Errorf("%s: swapped between two rows: blocks %s and %s, sha256 %s and %s, want equal: %v",
			c.Name, fastA, fastB, shaA, shaB, c.Equal)
	}
}

func TestCases_NamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range rowcases.All() {
		if seen[c.Name] {
			t.Errorf("two cases are called %q", c.Name)
		}
		seen[c.Name] = true
	}
}
