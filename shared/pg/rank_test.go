//go:build !unit

package pg

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

func TestPlainRanks_AgreeWithTheServer(t *testing.T) {
	c := pgtest.NewCluster(t)
	c.Exec(t, 0, `CREATE TABLE t (i bigint, u uuid, PRIMARY KEY (i, u))`)
	n := nodeOf(t, c, 0)
	s := sourceOf(describeTable(t, n, "t"), "t")
	rapid.Check(t, func(r *rapid.T) {
		number := rapid.OneOf(rapid.Int64Range(-3, 3), rapid.Int64Range(-1100, 1100), rapid.Int64())
		uuid := rapid.OneOf(
			rapid.SampledFrom([]string{"00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-00000000000a"}),
			rapid.StringMatching(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`))
		keys := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) table.Key {
			return table.Key{strconv.FormatInt(number.Draw(r, "i"), 10), uuid.Draw(r, "u")}
		}), 1, 40).Draw(r, "keys")
		got, ok := plainRanks(s, keys)
		if !ok {
			t.Fatalf("%v are not plain", keys)
		}
		tx := begin(t, n, s)
		defer tx.Close()
		want, err := tx.rank(t.Context(), s, keys, 0)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v have the ranks %v, the server says %v, %v", keys, got, want, err)
		}
	})
}

func TestPlainRanks_RefuseOtherKeys(t *testing.T) {
	tests := []struct{ kind, plain, other string }{
		{"bigint", "0", "-0"},
		{"bigint", "-9223372036854775808", "9223372036854775808"},
		{"bigint", "10", "010"},
		{"bigint", "-1", "+1"},
		{"bigint", "1", "1.0"},
		{"bigint", "1", ""},
		{"bigint", "1", " 1"},
		{"uuid", "0a000000-0000-0000-0000-00000000000f", "0A000000-0000-0000-0000-00000000000f"},
		{"uuid", "0a000000-0000-0000-0000-00000000000f", "{0a000000-0000-0000-0000-00000000000f}"},
		{"uuid", "0a000000-0000-0000-0000-00000000000f", "0a00000000000000000000000000000f"},
		{"uuid", "0a000000-0000-0000-0000-00000000000f", "0a0000000-000-0000-0000-00000000000f"},
		{"uuid", "0a000000-0000-0000-0000-00000000000f", "0a000000-0000-0000-0000-00000000000g"},
	}
	for _, tt := range tests {
		s := table.Source{OrderType: []string{tt.kind}}
		if _, ok := plainRanks(s, []table.Key{{tt.plain}}); !ok {
			t.Errorf("%s %q is left to the server", tt.kind, tt.plain)
		}
		if _, ok := plainRanks(s, []table.Key{{tt.plain}, {tt.other}}); ok {
			t.Errorf("%s %q is not", tt.kind, tt.other)
		}
	}
	if _, ok := plainRanks(table.Source{OrderType: []string{"bigint", "text"}}, []table.Key{{"1", "a"}}); ok {
		t.Error("text is not left to the server")
	}
}
