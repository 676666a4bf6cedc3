//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/rawtext"
)

// encoded creates two nodes of different major versions whose databases have the given
// encodings.
func encoded(t *testing.T, first, second string) (*pgtest.Cluster, *apptest.Service) {
	t.Helper()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest),
		pgtest.CreateDatabase(0, "LOCALE 'C' ENCODING '"+first+"'"), pgtest.CreateDatabase(1, "LOCALE 'C' ENCODING '"+second+"'"))
	return c, apptest.New(t, c, apptest.Options{})
}

// raw returns bytes as an SQL string that is valid under every client encoding.
func raw(bytes string) string {
	var b strings.Builder
	b.WriteString("E'")
	for _, c := range []byte(bytes) {
		fmt.Fprintf(&b, `\x%02x`, c)
	}
	return b.String() + "'"
}

// values returns one column of a node's rows in the document, sorted.
func values(d apptest.Diff, node, column string) []string {
	return slices.Sorted(d.All("n1/n2", node, column))
}

// Case T-P1, see docs/RELIABILITY.md.
func TestEncodings_InvalidTextIsComparedAndRepaired(t *testing.T) {
	t.Parallel()
	c, s := encoded(t, "SQL_ASCII", "SQL_ASCII")
	for name, key := range map[string]string{"keys": `E'\xe9' || i`, "others": "'k' || i"} {
		c.ExecAll(t, "CREATE TABLE "+name+" (k text PRIMARY KEY, v text, a text[], c char(9), j jsonb, n int)",
			fmt.Sprintf(`INSERT INTO %s SELECT %s, E'caf\xe9', ARRAY[E'\xe8'], E'\xff', jsonb_build_object(E'\xfe', 1), i FROM generate_series(1, 5000) i ORDER BY md5(i::text)`, name, key), "ANALYZE "+name)
		if d := s.Diff(t, "public."+name, "block_rows", "1000"); d.Result.Verdict != "match" || d.Result.TotalRows != 5000 || d.Summary.ResolvedRows != 0 {
			t.Errorf("%s: %s, %d rows, %d resolved, want a match", name, d.Result.Verdict, d.Result.TotalRows, d.Summary.ResolvedRows)
		}
		c.Exec(t, 0, "DELETE FROM "+name+" WHERE n = 10", "UPDATE "+name+` SET a = ARRAY[E'\xe8', E'"\xe7'] WHERE n = 30`)
		c.Exec(t, 1, "UPDATE "+name+` SET v = E'caf\xe8' WHERE n IN (20, 4000)`, "DELETE FROM "+name+" WHERE n > 4500")
		for _, args := range [][]string{{"block_rows", "1000"}, {"checksum", "sha256"}, {"confirm_delay", "1ms", "block_rows", "1000"}} {
			d := s.Diff(t, "public."+name, args...)
			if got := countsOf(d, 0); got != (counts{500, 1, 3}) {
				t.Errorf("%s %v: %+v", name, args, got)
			}
		}
		d := s.Diff(t, "public."+name)
		want := rawtext.Text([]byte("caf\xe8"))
		if got := values(d, "n2", "v"); !slices.Contains(got, want) || want != "caf\uFDD0e8" {
			t.Errorf("%s: values of n2 are %q, want %q among them", name, got, want)
		}
		if again := rerunBoth(t, s, d.TaskID, "public."+name); countsOf(again, 0) != (counts{500, 1, 3}) {
			t.Errorf("%s again: %+v", name, countsOf(again, 0))
		}
		before := bytewise(t, c, 1, name)
		r := repair(t, s, d.TaskID, "n1", nil)
		if got := r.counts("n2"); got != "+500 ~3 -1 =0 /0 committed" || !slices.Equal(bytewise(t, c, 0, name), bytewise(t, c, 1, name)) {
			t.Errorf("%s: the repair ended %s (%s): %s", name, r.Status, r.Error, got)
		}
		if u := undo(t, s, r.TaskID, nil); u.Status != "COMPLETED" || !slices.Equal(before, bytewise(t, c, 1, name)) {
			t.Errorf("%s: the undo ended %s (%s)", name, u.Status, u.Error)
		}
	}
}

// bytewise returns the rows of a table as bytes in hexadecimal.
func bytewise(t *testing.T, c *pgtest.Cluster, node int, name string) []string {
	t.Helper()
	var rows []string
	for _, row := range c.QueryStrings(t, node, "SELECT encode(convert_to(concat(r), 'SQL_ASCII'), 'hex') FROM "+name+" r ORDER BY 1") {
		rows = append(rows, row...)
	}
	return rows
}

// Case T-P1, see docs/RELIABILITY.md.
func TestEncodings_ATextThatOneNodeCannotStoreIsADifference(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		first, second string
		only          string // SQL for a text of one character that only the first node can store
		text          string // the text as the document has it
		refusal       string // the error of the second node
	}{
		{"UTF8", "LATIN1", raw("€"), "€", `has no equivalent in encoding "LATIN1"`},
		{"UTF8", "WIN1252", raw("日"), "日", `has no equivalent in encoding "WIN1252"`},
		{"UTF8", "EUC_JP", raw("€"), "€", `has no equivalent in encoding "EUC_JP"`},
		{"WIN1252", "LATIN1", raw("\x80"), "€", `has no equivalent in encoding "LATIN1"`},
		{"SQL_ASCII", "UTF8", raw("\xe9"), "\uFDD0e9", `invalid byte sequence for encoding "UTF8"`},
		{"SQL_ASCII", "LATIN1", raw("\xe9"), "\uFDD0e9", `invalid byte sequence for encoding "UTF8"`},
	} {
		for _, mirrored := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s and %s, mirrored %t", tt.first, tt.second, mirrored), func(t *testing.T) {
				t.Parallel()
				first, second, holder := tt.first, tt.second, 0
				if mirrored {
					first, second, holder = second, first, 1
				}
				_, s := encoded(t, first, second)
				checkUnholdable(t, s, holder, tt.only, tt.text, tt.refusal)
			})
		}
	}
}

// checkUnholdable compares tables that have, as a key and as a value, a text that only
// one node can store.
func checkUnholdable(t *testing.T, s *apptest.Service, holder int, only, text, refusal string) {
	t.Helper()
	c := s.Cluster
	with, without := c.Nodes[holder].Name, c.Nodes[1-holder].Name
	for _, size := range []struct {
		name string
		rows int
	}{{"few", 50}, {"many", 3000}} {
		c.ExecAll(t, "CREATE TABLE "+size.name+" (k text PRIMARY KEY, v varchar, n int)",
			fmt.Sprintf("INSERT INTO %s SELECT 'k' || i, 'v', i FROM generate_series(1, %d) i", size.name, size.rows), "ANALYZE "+size.name)
		c.Exec(t, holder, fmt.Sprintf("INSERT INTO %s SELECT %s || i, 'only', -i FROM generate_series(1, 5) i", size.name, only),
			fmt.Sprintf("UPDATE %s SET v = %s WHERE n = 7", size.name, only))
		want := counts{5, 0, 1}
		if holder == 1 {
			want = counts{0, 5, 1}
		}
		d := s.Diff(t, "public."+size.name, "block_rows", "1000", "confirm_delay", "1ms")
		if got := countsOf(d, 0); got != want || d.Summary.ResolvedRows != 0 {
			t.Errorf("%s: %+v, %d resolved, want %+v", size.name, got, d.Summary.ResolvedRows, want)
		}
		if got := values(d, with, "k"); !slices.Contains(got, text+"1") {
			t.Errorf("%s: the keys are %q, want %q among them", size.name, got, text+"1")
		}
		if got := values(d, with, "v"); !slices.Contains(got, text) {
			t.Errorf("%s: the values are %q, want %q among them", size.name, got, text)
		}
		if again := s.Rerun(t, d.TaskID, "public."+size.name); countsOf(again, 0) != want {
			t.Errorf("%s again: %+v, want %+v", size.name, countsOf(again, 0), want)
		}
		before := content(t, c, 1-holder, size.name)
		r := repair(t, s, d.TaskID, with, nil)
		if !strings.Contains(r.Error, refusal) || !strings.Contains(r.Error, fmt.Sprintf("node %q has the encoding ", with)) || !strings.Contains(r.Error, `column "`) || !strings.Contains(r.Error, "the row with the key (") {
			t.Errorf("%s: the repair of %s ended %s: %q", size.name, without, r.Status, r.Error)
		}
		if !slices.EqualFunc(before, content(t, c, 1-holder, size.name), slices.Equal) {
			t.Errorf("%s: the repair that failed has written something", size.name)
		}
		r = repair(t, s, d.TaskID, without, nil)
		if got := r.counts(with); got != "+0 ~1 -5 =0 /0 committed" {
			t.Errorf("%s: the repair of %s ended %s (%s): %s", size.name, with, r.Status, r.Error, got)
		}
		if d := s.Diff(t, "public."+size.name); d.Result.Verdict != "match" {
			t.Errorf("%s after the repair: %s, %+v", size.name, d.Result.Verdict, countsOf(d, 0))
		}
		if u := undo(t, s, r.TaskID, nil); u.Status != "COMPLETED" {
			t.Errorf("%s: the undo ended %s (%s)", size.name, u.Status, u.Error)
		}
		if d := s.Diff(t, "public."+size.name); countsOf(d, 0) != want {
			t.Errorf("%s after the undo: %+v, want %+v", size.name, countsOf(d, 0), want)
		}
	}
}

// Case T-P1, see docs/RELIABILITY.md.
func TestEncodings_ACharacterThatNoClientCanReadIsNamed(t *testing.T) {
	t.Parallel()
	for _, encodings := range [][2]string{{"WIN1252", "WIN1252"}, {"UTF8", "WIN1252"}} {
		t.Run(strings.Join(encodings[:], " and "), func(t *testing.T) {
			t.Parallel()
			c, s := encoded(t, encodings[0], encodings[1])
			c.ExecAll(t, "CREATE TABLE plain (k int PRIMARY KEY, v text)", "CREATE TABLE arrays (k int PRIMARY KEY, v text[])",
				"CREATE TABLE keys (k text PRIMARY KEY, v int)")
			for _, table := range []string{"plain", "arrays", "keys"} {
				c.ExecAll(t, "INSERT INTO "+table+" SELECT i FROM generate_series(1, 2000) i")
			}
			c.Exec(t, 1, `UPDATE plain SET v = E'a\x81' WHERE k = 777`, `UPDATE arrays SET v = ARRAY[E'\x81'] WHERE k = 777`, `UPDATE keys SET k = k || E'\x81' WHERE k = '777'`)
			for table, want := range map[string]string{
				"plain": `column "plain"."v" of the row with the key ('777')`, "arrays": `column "arrays"."v" of the row with the key ('777')`,
				"keys": "column \"keys\".\"k\" of the row with the key ('777\uFDD081')",
			} {
				for _, args := range [][]string{{}, {"block_rows", "1000"}, {"checksum", "sha256"}, {"table_filter", "v IS NULL OR v IS NOT NULL"}} {
					got := s.Fail(t, "public."+table, args...)
					if !strings.Contains(got, want) || !strings.Contains(got, `in encoding "WIN1252" has no equivalent in encoding "UTF8"`) || !strings.Contains(got, `node "n2"`) {
						t.Errorf("%s %v: the error is %q, want %s", table, args, got, want)
					}
				}
			}
			if encodings[0] != "WIN1252" {
				return
			}
			c.Exec(t, 0, `UPDATE plain SET v = E'a\x81' WHERE k = 777`, "UPDATE plain SET v = 'other' WHERE k = 5")
			if got := countsOf(s.Diff(t, "public.plain"), 0); got != (counts{0, 0, 1}) {
				t.Errorf("equal rows of text that no client can read: %+v, want one different row", got)
			}
		})
	}
}

func TestEncodings_AnEncodingWithoutClientSupportIsNamed(t *testing.T) {
	t.Parallel()
	c, s := encoded(t, "UTF8", "MULE_INTERNAL")
	c.Exec(t, 0, "CREATE TABLE t (k int PRIMARY KEY)") // no session of a test gets into the other
	if got := s.Fail(t, "public.t"); !strings.Contains(got, `node "n2"`) || !strings.Contains(got, "MULE_INTERNAL") || !strings.Contains(got, "UTF8") {
		t.Errorf("the error is %q", got)
	}
}

// Keys of EUC_JP and WIN1252 are in another order than in UTF-8.
func TestEncodings_KeysInAnotherOrderAreComparedOnce(t *testing.T) {
	t.Parallel()
	for _, encodings := range [][2]string{{"UTF8", "EUC_JP"}, {"WIN1252", "UTF8"}, {"LATIN1", "SQL_ASCII"}} {
		t.Run(strings.Join(encodings[:], " and "), func(t *testing.T) {
			t.Parallel()
			c, s := encoded(t, encodings[0], encodings[1])
			letters := map[string]string{"EUC_JP": "'{日,本,語,ア,ん,a,z}'", "UTF8": "'{€,é,ÿ,a,z,‰,ß}'", "SQL_ASCII": "'{é,ÿ,a,z,ß,Ä,ø}'"}[encodings[1]]
			c.ExecAll(t, "CREATE TABLE t (a text, b int, v int, PRIMARY KEY (a, b))",
				"INSERT INTO t SELECT ("+letters+"::text[])[1 + i % 7] || i % 13, i, i FROM generate_series(1, 6000) i ORDER BY md5(i::text)", "ANALYZE t")
			c.Exec(t, 0, "DELETE FROM t WHERE b % 1000 = 1")
			c.Exec(t, 1, "DELETE FROM t WHERE b % 1000 = 2", "UPDATE t SET v = 0 WHERE b % 1000 BETWEEN 3 AND 9")
			for _, args := range [][]string{{"block_rows", "1000"}, {"block_rows", "1000", "checksum", "sha256"}} {
				d := s.Diff(t, "public.t", args...)
				if got := countsOf(d, 0); got != (counts{6, 6, 42}) || d.Result.TotalRows != 6000 || d.Summary.ResolvedRows != 0 {
					t.Errorf("%v: %+v of %d rows, %d resolved", args, got, d.Result.TotalRows, d.Summary.ResolvedRows)
				}
				if again := s.Rerun(t, d.TaskID, "public.t"); countsOf(again, 0) != (counts{6, 6, 42}) {
					t.Errorf("%v again: %+v", args, countsOf(again, 0))
				}
			}
		})
	}
}
