//go:build !unit

package pg

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// The process that replays a transaction chooses the time of its commit. Rows does not
// fail for a time that a document cannot state, a transaction that the server wrote
// itself, or a table with the name of one of the statement's aliases.
func TestRows_ReadsLastWritesWithAnyTime(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1), pgtest.ServerSetting("track_commit_timestamp", "on"))
	c.Exec(t, 0, `CREATE TABLE ace_origin (id int PRIMARY KEY)`, `SELECT pg_catalog.pg_replication_origin_create('n2')`)
	session := c.Connect(t, 0)
	if _, err := session.Exec(t.Context(), `SELECT pg_catalog.pg_replication_origin_session_setup('n2')`); err != nil {
		t.Fatal(err)
	}
	var keys []table.Key
	for id, at := range []string{"infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "12026-11-29 02:00:01+00", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.5+00"} {
		_, err := session.Exec(t.Context(), fmt.Sprintf(`BEGIN; SELECT pg_catalog.pg_replication_origin_xact_setup('0/1', '%s'); INSERT INTO ace_origin VALUES (%d); COMMIT`, at, id))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key(fmt.Sprint(id)))
	}

	n := nodeOf(t, c, 0)
	s := sourceOf(describeTable(t, n, "ace_origin"), "ace_origin")
	s.Writes = true
	stream, err := begin(t, n, s).Rows(t.Context(), s, keys)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]table.LastWrite{}
	for at := 0; at >= 0; {
		var row table.KeyedRow
		if at, row, err = stream.Next(); err != nil {
			t.Fatal(err)
		}
		if at >= 0 && row.Write != nil {
			got[*row.Row[0]] = *row.Write
		}
	}
	want := map[string]table.LastWrite{"4": {At: "0001-01-01T00:00:00.000000Z", Origin: "n2"}, "5": {At: "9999-12-31T23:59:59.500000Z", Origin: "n2"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.QueryStrings(t, 0, `SELECT coalesce((pg_xact_commit_timestamp_origin(x::text::xid))::text, 'null') FROM generate_series(1, 2) x`); !cmp.Equal(got, [][]string{{"(,)"}, {"(,)"}}) {
		t.Errorf("the server returns %v for its own transactions", got)
	}
	testRevokedCommitTimes(t, c)
}

// testRevokedCommitTimes checks that Describe reports no commit times to a role that may
// not read commit times or the names of origins.
func testRevokedCommitTimes(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.Exec(t, 0, `CREATE ROLE reader LOGIN PASSWORD 'a password'`, `GRANT SELECT ON ace_origin TO reader`)
	as := *c
	as.User, as.Password = "reader", "a password"
	n := nodeOf(t, &as, 0)
	for _, step := range []struct {
		sql  string
		want bool
	}{
		{`SELECT`, true},
		{`REVOKE EXECUTE ON FUNCTION pg_catalog.pg_xact_commit_timestamp_origin(xid) FROM PUBLIC`, false},
		{`GRANT EXECUTE ON FUNCTION pg_catalog.pg_xact_commit_timestamp_origin(xid) TO reader`, true},
		{`REVOKE SELECT ON pg_catalog.pg_replication_origin FROM PUBLIC`, false},
	} {
		c.Exec(t, 0, step.sql)
		if d := describeTable(t, n, "ace_origin"); d.CommitTimes != step.want || !d.TracksCommits {
			t.Errorf("after %s: commit times %v, recorded %v", step.sql, d.CommitTimes, d.TracksCommits)
		}
	}
}
