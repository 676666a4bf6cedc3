//go:build !unit

package pg

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/cluster"
	"ace/shared/table"
)

// testNode returns the first node of a new cluster with one connection, so that the next
// transaction meets everything that a transaction leaves in the session.
func testNode(t *testing.T) (*Node, *pgtest.Cluster) {
	t.Helper()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	pools := NewPools(Options{MaxConns: 1, StatementTimeout: time.Minute})
	t.Cleanup(pools.Close)
	node, err := pools.Node(cluster.Target{
		Node: "n1", Host: c.Nodes[0].Host, Port: uint16(c.Nodes[0].Port), Database: c.DB, User: c.User,
		Login: cluster.Login{Password: cluster.Secret(c.Password)}, Options: map[string]string{"sslmode": "disable"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return node, c
}

// settingsOf returns, outside any transaction, the settings that have changed since the
// session began, and other state that is left in the session. It omits the statements
// that ACE prepares.
func settingsOf(t *testing.T, n *Node) (changed []string) {
	t.Helper()
	conn, err := n.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	result := conn.Conn().PgConn().ExecParams(t.Context(),
		`SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session' UNION ALL
		 SELECT 'prepared: ' || statement FROM pg_prepared_statements WHERE name !~ '^ace_[0-9a-f]{32}$' UNION ALL
		 SELECT 'cursor: ' || statement FROM pg_cursors WHERE name <> '' UNION ALL
		 SELECT 'temporary: ' || relname FROM pg_class WHERE relpersistence = 't'`, nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	for _, row := range result.Rows {
		changed = append(changed, string(row[0]))
	}
	return changed
}

// A transaction pooler may run the next transaction in another session. So nothing may
// depend on this session, and nothing may stay in it.
func TestTx_LeavesNothingInTheSession(t *testing.T) {
	n, _ := testNode(t)
	gaveUp := errors.New("enough")
	for name, work := range map[string]func(*Tx) error{
		"nothing":  func(*Tx) error { return nil },
		"a query":  func(tx *Tx) error { return tx.run(t.Context(), "testing", query{sql: "SELECT 1"}) },
		"an error": func(tx *Tx) error { return tx.run(t.Context(), "testing", query{sql: "SELECT 1 / 0"}) },
		"settings": func(tx *Tx) error {
			return tx.run(t.Context(), "testing", append(settings(scanPlans), query{sql: "SELECT 1"})...)
		},
		"a handler that fails": func(tx *Tx) error {
			return tx.run(t.Context(), "testing", query{sql: "SELECT generate_series(1, 100000)", row: func([][]byte) error { return gaveUp }})
		},
		"a stream left open": func(tx *Tx) error {
			_, err := tx.open(t.Context(), "testing", 0, query{sql: "SELECT generate_series(1, 100000)"})
			return err
		},
		"a query cut short": func(tx *Tx) error {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			return tx.run(ctx, "testing", query{sql: "SELECT pg_sleep(60)"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog, public"})
			if err != nil {
				t.Fatal(err)
			}
			err = work(tx)
			tx.Close()
			if wanted := slices.Contains([]string{"an error", "a handler that fails", "a query cut short"}, name); wanted != (err != nil) {
				t.Errorf("the work ended with %v", err)
			}
			if changed := settingsOf(t, n); len(changed) > 0 {
				t.Errorf("the session keeps %q", changed)
			}
		})
	}
}

func TestTx_OverridesTheSettingsOfTheDatabase(t *testing.T) {
	n, c := testNode(t)
	c.Exec(t, 0, `ALTER DATABASE `+c.DB+` SET TimeZone = 'Asia/Tokyo'`, `ALTER DATABASE `+c.DB+` SET DateStyle = 'German, DMY'`,
		`ALTER DATABASE `+c.DB+` SET extra_float_digits = -10`, `ALTER DATABASE `+c.DB+` SET bytea_output = 'escape'`,
		`ALTER DATABASE `+c.DB+` SET default_transaction_read_only = off`)
	tx, err := n.Begin(t.Context(), table.Access{SearchPath: "pg_catalog, public"})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	for sql, want := range map[string]string{
		`SELECT '2024-03-15 12:00:00+00'::timestamptz`:              "2024-03-15 12:00:00+00",
		`SELECT 0.1::float8 + 0.2`:                                  "0.30000000000000004",
		`SELECT '\x00ff'::bytea`:                                    `\x00ff`,
		`SELECT current_setting('transaction_read_only')`:           "on",
		`SELECT current_setting('transaction_isolation')`:           "repeatable read",
		`SELECT current_setting('search_path')`:                     "pg_catalog, public",
		`SELECT current_setting('statement_timeout')`:               "1min",
		`SELECT current_setting('application_name')`:                "ace",
		`SELECT current_setting('max_parallel_workers_per_gather')`: "0",
	} {
		var got string
		err := tx.run(t.Context(), "testing", query{sql: sql, row: func(v [][]byte) error {
			got = string(v[0])
			return nil
		}})
		if err != nil || got != want {
			t.Errorf("%s returns %q (%v), want %q", sql, got, err, want)
		}
	}
}
