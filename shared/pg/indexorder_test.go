//go:build !unit

package pg

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// Case T-P12, see docs/RELIABILITY.md.
func TestDescribe_ReturnsTheCollationsOfEachIndex(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major), pgtest.CreateDatabase(0, "LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"))
		n := nodeOf(t, c, 0)
		c.Exec(t, 0, `CREATE SCHEMA ext`, `CREATE EXTENSION citext SCHEMA ext`, `CREATE COLLATION x (provider = icu, locale = 'en')`,
			`CREATE DOMAIN word AS text COLLATE x`, `CREATE DOMAIN words AS word[]`, `CREATE TYPE span AS RANGE (subtype = text, collation = x, multirange_type_name = spans)`,
			`CREATE TYPE pair AS (a int, b word)`, `CREATE TYPE whole AS (p pair, d date)`, `CREATE DOMAIN caseless AS ext.citext COLLATE "C"`,
			`UPDATE pg_collation SET collversion = '1-old' WHERE collname = 'x'`,
			`UPDATE pg_database SET datcollversion = '2-old' WHERE datname = current_database()`)
		for column, want := range map[string][]string{
			"int": nil, "uuid": nil, "bytea": nil, "name": nil, "date[]": nil, `text COLLATE "C"`: nil, `varchar(9)[] COLLATE "POSIX"`: nil, "pg_lsn": nil,
			"text": {"2-old"}, "varchar(9)": {"2-old"}, "char(9)": {"2-old"}, "text[]": {"2-old"}, "jsonb": {"2-old"}, "ext.citext": {"2-old"},
			"caseless": {"2-old"}, "text COLLATE x": {"1-old"}, "word": {"1-old"}, "word[]": {"1-old"}, "words": {"1-old"}, "span": {"1-old"}, "span[]": {"1-old"},
			"spans": {"1-old"}, "pair": {"1-old"}, "whole[]": {"1-old"}, "ext.citext COLLATE x": {"1-old", "2-old"},
		} {
			t.Run(fmt.Sprint(column, " on major ", major), func(t *testing.T) {
				c.Exec(t, 0, `DROP TABLE IF EXISTS t`, fmt.Sprintf(`CREATE TABLE t (a int, k %s, PRIMARY KEY (a, k))`, column))
				var got []string
				for _, o := range describeTable(t, n, "t").IndexOrders {
					if o.Changed() {
						got = append(got, o.Recorded)
					}
					if o.Changed() && (o.Column != "k" || o.Qualified != "public.t_pkey" || !o.Unique || o.Collation.Version == "") {
						t.Errorf("the order is %+v", o)
					}
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("collations of versions %q have changed, want %q", got, want)
				}
			})
		}
		c.Exec(t, 0, `DROP TABLE t`, `CREATE TABLE t (id int PRIMARY KEY, v text, w text)`, `CREATE INDEX i ON t (lower(v)) INCLUDE (w) WHERE w > ''`)
		if got := describeTable(t, n, "t").IndexOrders; len(got) != 1 || got[0].Index != "i" || got[0].Unique || !got[0].Changed() {
			t.Errorf("the index of an expression is %+v", got)
		}
	}
}

func TestIndexOrder_WithoutVersionIsUnversioned(t *testing.T) {
	order := func(provider, locale, recorded, actual string) table.IndexOrder {
		return table.IndexOrder{Recorded: recorded, Collation: table.Collation{Provider: provider, Locale: locale, Version: actual, Deterministic: true}}
	}
	for _, tt := range []struct {
		name                 string
		order                table.IndexOrder
		changed, unversioned bool
	}{
		{"the same version", order("c", "en_US.utf8", "2.36", "2.36"), false, false},
		{"another version", order("c", "en_US.utf8", "2.31", "2.36"), true, false},
		{"none recorded", order("i", "en", "", "153.112"), false, true},
		{"none now, as on musl", order("c", "en_US.utf8", "2.36", ""), false, true},
		{"none at all", order("c", "C.UTF-8", "", ""), false, true},
		{"bytes", order("c", "C", "", ""), false, false},
		{"bytes of the server's own", order("b", "PG_UNICODE_FAST", "1", "2"), false, false},
	} {
		if got := [2]bool{tt.order.Changed(), tt.order.Unversioned()}; got != [2]bool{tt.changed, tt.unversioned} {
			t.Errorf("%s: changed, unversioned: %v", tt.name, got)
		}
	}
}

func TestUnindexed_LookupsFindWhatTheIndexFinds(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 5000)
	keys := []table.Key{key("7"), key("5001"), key("3"), key("4999"), key("3")}
	unindexed := s
	unindexed.Unindexed = true
	var found [2][]any
	for i, s := range []table.Source{s, unindexed} {
		tx := begin(t, n, s)
		digests, err := tx.Digests(t.Context(), s, keys)
		if err != nil {
			t.Fatal(err)
		}
		spelt, err := tx.Spellings(t.Context(), s, keys)
		if err != nil {
			t.Fatal(err)
		}
		found[i] = append(found[i], digests, spelt)
		stream, err := tx.Rows(t.Context(), s, keys)
		if err != nil {
			t.Fatal(err)
		}
		for {
			at, row, err := stream.Next()
			if err != nil {
				t.Fatal(err)
			}
			if at < 0 {
				break
			}
			found[i] = append(found[i], at, row)
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(found[0], found[1]); diff != "" || len(found[0]) != 2+2*4 {
		t.Errorf("by the index and without it (-index +none):\n%s", diff)
	}
}

// The planner would choose the index on v, but no statement may scan an index.
func TestUnindexed_UsesNoIndex(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	pools := NewPools(Options{MaxConns: 1, StatementTimeout: time.Minute})
	n, err := pools.Node(target(c, 0))
	if err != nil {
		t.Fatal(err)
	}
	s := numbers(t, c, n, 5000)
	s.Unindexed, s.Filter = true, "v = 'v7'"
	c.Exec(t, 0, "CREATE INDEX ON t (v)", "ANALYZE t")
	scans := func() string {
		return fmt.Sprint(c.QueryStrings(t, 0, "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE relname = 't'"))
	}
	before := scans()
	tx, err := n.Begin(t.Context(), s.Access())
	if err != nil {
		t.Fatal(err)
	}
	ranges := []table.Range{between(key("3"), key("9")), between(nil, key("3"))}
	ask := []func() error{
		func() error { _, _, err := tx.Sums(t.Context(), s, ranges); return err },
		func() error { _, err := tx.List(t.Context(), s, ranges, 100); return err },
		func() error { _, err := tx.Freshness(t.Context(), s, ranges); return err },
		func() error {
			_, err := tx.Fingerprints(t.Context(), s, ranges, table.FingerprintRequest{Keys: true, MaxRangeRows: 100, MaxRows: 100})
			return err
		},
		func() error { _, err := tx.ScanList(t.Context(), s, nil, nil, 100); return err },
		func() error { _, err := tx.Digests(t.Context(), s, []table.Key{key("7")}); return err },
		func() error {
			_, err := tx.PageSums(t.Context(), s, []table.PageRange{{To: -1}}, table.Grouping{}, func(int, int, table.Sum) {})
			return err
		},
	}
	for i, fn := range ask {
		if err := fn(); err != nil {
			t.Fatalf("statement %d: %v", i, err)
		}
	}
	tx.Close()
	pools.Close() // which sends the session's statistics
	if after := scans(); after != before {
		t.Errorf("%s scans of indexes before and %s after, want none between", before, after)
	}
}
