//go:build !unit

package structure_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
)

// Logical replication before PostgreSQL 19 copies rows, but not the values of sequences:
// after a failover, the first INSERT fails. The finding comes before the failover, and
// with its fix the INSERT succeeds.
func TestSequences_AFailoverIsSafeAfterTheFix(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("wal_retrieve_retry_interval", "100ms"))
	c.ExecAll(t, `CREATE TABLE orders (id bigserial PRIMARY KEY, item text)`)
	c.Exec(t, 0, `CREATE PUBLICATION p FOR TABLE orders`, `INSERT INTO orders (item) SELECT 'x' FROM generate_series(1, 20)`)
	c.Exec(t, 1, `CREATE SUBSCRIPTION s CONNECTION '`+c.DSN(0)+`' PUBLICATION p`)
	c.Exec(t, 0, `INSERT INTO orders (item) VALUES ('last')`)
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c.QueryStrings(t, 1, `SELECT max(id) FROM orders`)[0][0] == "21" {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the rows have not arrived")
		}
	}

	found := compare(t, c, "publications")
	want := []string{"drifts: sequence public.orders_id_seq: the value is behind"}
	if diff := cmp.Diff(want, texts(found)); diff != "" {
		t.Fatalf("before the failover (-want +got):\n%s", diff)
	}

	c.Exec(t, 1, `DROP SUBSCRIPTION s`)
	const insert = `INSERT INTO orders (item) VALUES ('after the failover')`
	if _, err := c.Connect(t, 1).Exec(t.Context(), insert); err == nil {
		t.Error("the INSERT succeeds without the fix, so the finding was wrong")
	}
	c.Exec(t, 1, found[0].Fix["n2"], insert)
	if id := c.QueryStrings(t, 1, `SELECT max(id) FROM orders`)[0][0]; id != "22" {
		t.Errorf("the next id is %s, want 22", id)
	}
}
