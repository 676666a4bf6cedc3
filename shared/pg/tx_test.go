//go:build !unit

package pg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/table"
)

// ask returns the row of a query with one row of texts.
func ask(t *testing.T, tx *Tx, sql string) []string {
	t.Helper()
	var got []string
	err := tx.run(t.Context(), "asking", query{sql: sql, row: func(v [][]byte) error { got = readKey(v); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const settingsSQL = `SELECT current_setting('TimeZone'), current_setting('DateStyle'), current_setting('IntervalStyle'),
	current_setting('extra_float_digits'), current_setting('bytea_output'), current_setting('xmlbinary'),
	current_setting('standard_conforming_strings'), current_setting('row_security'), current_setting('statement_timeout'),
	current_setting('search_path'), current_setting('transaction_read_only'), current_setting('transaction_isolation'),
	current_setting('max_parallel_workers_per_gather'), current_setting('application_name')`

// session runs settingsSQL outside a transaction, on a connection of the pool.
func session(t *testing.T, n *Node) []string {
	t.Helper()
	conn, err := n.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	results, err := conn.Conn().PgConn().Exec(t.Context(), settingsSQL).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return readKey(results[0].Rows[0])
}

func TestTx_PinsSettingsForTheTransactionOnly(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major),
				pgtest.DatabaseSetting(0, "TimeZone", "Asia/Tokyo"), pgtest.DatabaseSetting(0, "DateStyle", "German"),
				pgtest.DatabaseSetting(0, "IntervalStyle", "iso_8601"), pgtest.DatabaseSetting(0, "extra_float_digits", "-15"),
				pgtest.DatabaseSetting(0, "bytea_output", "escape"), pgtest.DatabaseSetting(0, "xmlbinary", "hex"),
				pgtest.DatabaseSetting(0, "search_path", "nowhere"), pgtest.DatabaseSetting(0, "statement_timeout", "7min"))
			n := nodeOf(t, c, 0)
			before := session(t, n)
			tx, err := n.Begin(t.Context(), table.Access{SearchPath: `pg_catalog, "My Schema"`})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Close()
			inside := ask(t, tx, settingsSQL)
			inside[1], _, _ = strings.Cut(inside[1], ",") // the order of day and month only matters for input
			want := []string{"UTC", "ISO", "postgres", "1", "hex", "base64", "on", "off", "1min",
				`pg_catalog, "My Schema"`, "on", "repeatable read", "0", "ace"}
			if diff := cmp.Diff(want, inside); diff != "" {
				t.Errorf("inside (-want +got):\n%s", diff)
			}
			tx.Close()
			if diff := cmp.Diff(before, session(t, n)); diff != "" || before[0] != "Asia/Tokyo" {
				t.Errorf("afterwards (-before +after):\n%s", diff)
			}
			if total := n.pool.Stat().NewConnsCount(); total != 1 {
				t.Errorf("%d connections were made, want 1", total)
			}
		})
	}
}

func TestTx_SeesOneSnapshotAndWritesNothing(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	tx := begin(t, n, s)
	before, _, err := tx.Sums(t.Context(), s, []table.Range{{}})
	if err != nil {
		t.Fatal(err)
	}
	c.Exec(t, 0, `UPDATE t SET v = 'x'`, `DELETE FROM t WHERE id > 5`)
	after, _, err := tx.Sums(t.Context(), s, []table.Range{{}})
	if err != nil || after[0] != before[0] {
		t.Errorf("the same transaction sees %+v, then %+v, error %v", before, after, err)
	}
	err = tx.run(t.Context(), "writing", query{sql: "DELETE FROM public.t"})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "25006") {
		t.Errorf("a write: error %v, want a refusal", err)
	}
}

func TestTx_HiddenRowsAreAnError(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	admin := nodeOf(t, c, 0)
	s := numbers(t, c, admin, 10)
	role := "reader_of_" + c.DB
	c.Exec(t, 0, `CREATE ROLE `+role+` LOGIN PASSWORD 'p'`, `GRANT SELECT ON t TO `+role, `ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
		`CREATE POLICY half ON t USING (id > 5)`)
	t.Cleanup(func() { c.Exec(t, 0, `DROP OWNED BY `+role, `DROP ROLE `+role) })
	at := target(c, 0)
	at.User, at.Password = role, cluster.Secret("p")
	tx := begin(t, nodeAt(t, at), s)
	defer tx.Close()
	if sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the rows left are %+v, error %v; want an error", sums, err)
	}
}

func TestTx_FailedStatementCostsOnlyTheConnection(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	broken := s
	broken.Filter = "no_such_column = 1"
	for range 3 { // each of them would leave an aborted transaction
		tx := begin(t, n, s)
		if _, _, err := tx.Sums(t.Context(), broken, []table.Range{{}}); fault.CodeOf(err) != fault.Invalid {
			t.Fatalf("a filter on a missing column: error %v, want Invalid", err)
		}
		if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err == nil {
			t.Error("a transaction goes on after an error")
		}
		tx.Close()
		tx.Close() // a second Close does nothing
	}
	whole(t, n, s, 10)
	idle(t, c)
}

// whole checks that a node answers for all its rows.
func whole(t *testing.T, n *Node, s table.Source, rows int64) {
	t.Helper()
	tx := begin(t, n, s)
	defer tx.Close()
	if sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err != nil || sums[0].Rows != rows {
		t.Errorf("the node sees %+v, error %v; want %d rows", sums, err, rows)
	}
}

// idle checks that the server has no open transaction and no running statement of ACE.
func idle(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	const sql = `SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%' AND state <> 'idle'`
	var busy [][]string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if busy = c.QueryStrings(t, 0, sql); len(busy) == 0 {
			return
		}
	}
	t.Errorf("the server is still busy with %v", busy)
}

func TestTx_IsUsableAfterAStreamIsClosedEarly(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 5000)
	keys := make([]table.Key, 5000)
	for i := range keys {
		keys[i] = key(fmt.Sprint(i + 1))
	}
	tx := begin(t, n, s)
	stream, err := tx.Rows(t.Context(), s, keys)
	if err != nil {
		t.Fatal(err)
	}
	if place, row, err := stream.Next(); err != nil || place != 0 || *row.Row[1] != "v1" {
		t.Fatalf("the first row is %d %+v, error %v", place, row, err)
	}
	if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err == nil {
		t.Error("a second statement runs while a stream is open")
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if sums, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err != nil || sums[0].Rows != 5000 {
		t.Errorf("after the stream: %+v, error %v", sums, err)
	}

	if _, err := tx.Rows(t.Context(), s, keys); err != nil {
		t.Fatal(err)
	}
	tx.Close() // with an open stream
	whole(t, n, s, 5000)
	idle(t, c)
}

func TestTx_CancelledContextEndsTheStatementOnTheServer(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 10)
	slow := s
	slow.Filter = "pg_sleep(60) IS NOT NULL"
	why := fault.New(fault.Cancelled, "cancelled on request")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(why) })
	tx := begin(t, n, s)
	start := time.Now()
	_, _, err := tx.Sums(ctx, slow, []table.Range{{}})
	if !errors.Is(err, why) || fault.CodeOf(err) != fault.Cancelled {
		t.Errorf("got %v, want the context's cause", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s to end", took)
	}
	tx.Close()
	idle(t, c)
	whole(t, n, s, 10)
}

func TestTx_TimeLimitEndsTheStatement(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	s := numbers(t, c, nodeOf(t, c, 0), 10)
	pools := NewPools(Options{MaxConns: 1, StatementTimeout: 100 * time.Millisecond})
	t.Cleanup(pools.Close)
	n, err := pools.Node(target(c, 0))
	if err != nil {
		t.Fatal(err)
	}
	s.Filter = "pg_sleep(60) IS NOT NULL"
	tx := begin(t, n, s)
	if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); !strings.Contains(fault.PublicMessage(err), "statement timeout") {
		t.Errorf("got %v, want the server's time limit", err)
	}
	tx.Close()
	idle(t, c)
}

func TestTx_CrashedServerIsUnavailableUntilItRestarts(t *testing.T) {
	c := pgtest.Own(t, pgtest.Nodes(1))
	n := nodeOf(t, c, 0)
	s := numbers(t, c, n, 5000)
	tx := begin(t, n, s)
	if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Server.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.Sums(t.Context(), s, []table.Range{{}}); fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), `"n1"`) {
		t.Errorf("a dead server: error %v, want Unavailable and the node's name", err)
	}
	tx.Close()
	if _, err := n.Begin(t.Context(), s.Access()); fault.CodeOf(err) != fault.Unavailable {
		t.Errorf("connecting to a dead server: error %v, want Unavailable", err)
	}
	if err := c.Nodes[0].Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole(t, n, s, 5000)
}
