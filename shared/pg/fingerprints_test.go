//go:build !unit

package pg

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// agreeByPlace compares fingerprints with the rows of each range.
func agreeByPlace(t *testing.T, tx *Tx, s table.Source, bounds []table.Key, want [][]table.Listed) {
	t.Helper()
	ranges := rangesOf(bounds)
	prints, err := tx.Fingerprints(t.Context(), s, ranges, table.FingerprintRequest{Keys: true, MaxRangeRows: 1000, MaxRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := tx.Fingerprints(t.Context(), s, ranges, table.FingerprintRequest{MaxRangeRows: 1000, MaxRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for i, rows := range want {
		if len(prints[i].Rows) != len(rows) || bare[i].KeyDigest != prints[i].KeyDigest || bare[i].KeyArrays != nil {
			t.Fatalf("range %v has %d rows and the keys' digest %d, without the keys %+v; want %d rows", ranges[i], len(prints[i].Rows), prints[i].KeyDigest, bare[i], len(rows))
		}
		places := make([]int, len(rows))
		for place := range rows {
			places[place] = place
		}
		keys, err := prints[i].KeysAt(places)
		if err != nil {
			t.Fatalf("range %v: %v in %q", ranges[i], err, prints[i].KeyArrays)
		}
		for place, row := range rows {
			if !keys[place].Equal(row.Key) || prints[i].Rows[place] != row.Digest || bare[i].Rows[place] != row.Digest {
				t.Fatalf("range %v has %v with digest %d at %d, want %v with %d", ranges[i], keys[place], prints[i].Rows[place], place, row.Key, row.Digest)
			}
		}
	}
}

func TestFingerprints_KeyDigestIsEqualForEqualKeys(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	c.Exec(t, 0, `CREATE TABLE t (a numeric, b text, v int, PRIMARY KEY (a, b))`, `INSERT INTO t SELECT i, 'x', i FROM generate_series(1, 50) i`)
	s := sourceOf(describeTable(t, n, "t"), "t")
	digest := func() int64 {
		tx := begin(t, n, s)
		defer tx.Close()
		prints, err := tx.Fingerprints(t.Context(), s, []table.Range{{}}, table.FingerprintRequest{MaxRangeRows: 50, MaxRows: 50})
		if err != nil || len(prints[0].Rows) != 50 {
			t.Fatalf("%+v, error %v", prints, err)
		}
		return prints[0].KeyDigest
	}
	first := digest()
	for _, tt := range []struct {
		change string
		same   bool
	}{
		{`UPDATE t SET v = -v`, true},
		{`VACUUM FULL t`, true},
		{`UPDATE t SET a = 7.0 WHERE a = 7`, false}, // the same key, spelt otherwise
		{`UPDATE t SET a = 7 WHERE a = 7`, true},
		{`UPDATE t SET b = 'y' WHERE a = 8`, false},
		{`UPDATE t SET b = 'x' WHERE a = 8`, true},
		{`UPDATE t SET a = -a WHERE a = 9`, false},
	} {
		c.Exec(t, 0, tt.change)
		if got := digest(); (got == first) != tt.same {
			t.Errorf("after %s the keys' digest is %d, before %d", tt.change, got, first)
		}
	}
}

func TestFingerprints_FailIfARangeHasTooManyRows(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 100)
	for _, ranges := range [][]table.Range{{{}}, rangesOf([]table.Key{key("51")})} {
		for limit, want := range map[int64]error{100: nil, 99: table.ErrMore, 50: table.ErrMore, 0: table.ErrMore} {
			tx := begin(t, n, s)
			if prints, err := tx.Fingerprints(t.Context(), s, ranges, table.FingerprintRequest{Keys: true, MaxRangeRows: limit, MaxRows: limit}); !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%d ranges with room for %d give %d prints, error %v; want %v", len(ranges), limit, len(prints), err, want)
			}
			if digests, err := tx.Digests(t.Context(), s, []table.Key{key("7")}); err != nil || digests[0] == nil {
				t.Errorf("with room for %d rows, the transaction cannot be used afterwards: %v", limit, err)
			}
			tx.Close()
		}
	}
	if text := fingerprintSQL(s, " FROM t", true, 7); !strings.Contains(text, "LIMIT 7)") {
		t.Errorf("the server aggregates without a limit: %s", text)
	}
	idle(t, c)
}

func TestFingerprints_OfNoRowsAreEmpty(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	tx := begin(t, n, s)
	prints, err := tx.Fingerprints(t.Context(), s, []table.Range{between(key("100"), nil), between(key("5"), key("5"))}, table.FingerprintRequest{Keys: true, MaxRangeRows: 10, MaxRows: 10})
	if err != nil || len(prints) != 2 {
		t.Fatalf("%+v, error %v", prints, err)
	}
	for _, p := range prints {
		if keys, err := p.KeysAt(nil); len(p.Rows) != 0 || p.KeyDigest != 0 || len(keys) != 0 || err != nil {
			t.Errorf("no rows have %+v, error %v", p, err)
		}
	}
}

// echoArray lets the server build an array of texts, as Fingerprints does, and reads them
// back.
func echoArray(t testing.TB, tx *Tx, texts []string) []table.Key {
	t.Helper()
	keys, places := make([]table.Key, len(texts)), make([]int, len(texts))
	for i, text := range texts {
		keys[i], places[i] = key(text), i
	}
	p := params{{"k1", "text", table.ParseArray}}
	var print table.Fingerprint
	err := tx.run(t.Context(), "echoing an array", query{
		sql:  "SELECT pg_catalog.array_agg(pg_catalog.concat(l.k1) ORDER BY l.ord) FROM " + p.list(1) + " l",
		args: p.ofKeys(keys),
		row:  func(v [][]byte) error { print.KeyArrays = []string{string(v[0])}; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	back, err := print.KeysAt(places)
	if err != nil {
		t.Fatalf("%v in %q", err, print.KeyArrays)
	}
	if !sameKeys(back, keys) {
		t.Fatalf("%q came back as %q out of %s", keys, back, print.KeyArrays)
	}
	return back
}

func TestKeysAt_ReadsArraysOfTheServer(t *testing.T) {
	tx := newEcho(t)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`["\\{},' A-Zé日]*`), rapid.String(), rapid.SampledFrom([]string{"", "NULL", "null", "nUlL", "\t", "\v", "\u00a0"})).Filter(storable)
		echoArray(t, tx, rapid.SliceOfN(text, 1, 20).Draw(rt, "texts"))
	})
}

func FuzzKeysAt(f *testing.F) {
	for _, seed := range []string{"", `\`, `"`, `a"b\c`, "NULL", "{a,b}", "日本 \n"} {
		f.Add(seed, "x")
	}
	tx := newEcho(f)
	f.Fuzz(func(t *testing.T, a, b string) {
		if storable(a) && storable(b) {
			echoArray(t, tx, []string{a, b, "", b, a})
		}
	})
}
