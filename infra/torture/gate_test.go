//go:build !unit

package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testkit/pgserver"
)

// gated starts a node with a table, and returns a function that connects through the
// proxies of the node.
func gated(t *testing.T) (*node, func() *pgx.Conn) {
	t.Helper()
	installation, err := pgserver.Find(15)
	if err != nil {
		t.Fatal(err)
	}
	n, err := startNode(t.Context(), installation, "n1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := n.queryIn(t.Context(), "postgres", `CREATE DATABASE `+database); err != nil {
		t.Fatal(err)
	}
	if _, err := n.query(t.Context(), `CREATE TABLE t AS SELECT generate_series(1, 500) i`); err != nil {
		t.Fatal(err)
	}
	return n, func() *pgx.Conn {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%s user=postgres dbname=%s sslmode=disable", n.port(), database))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
}

// rowsNow returns the number of rows, once no other session has changes.
func rowsNow(t *testing.T, n *node) string {
	t.Helper()
	rows, err := n.surely(t.Context(), `BEGIN`, `LOCK TABLE t`, `SELECT count(*) FROM t`)
	if err != nil {
		t.Fatal(err)
	}
	return rows[0][0]
}

// Each fault at a COMMIT happens at that of its task, and the transaction is committed
// exactly if the server received the COMMIT.
func TestCommitFaults_HappenAtTheCommitOfTheirTask(t *testing.T) {
	n, connect := gated(t)
	want := map[string][]string{ // the numbers of rows that are possible
		"COMMIT lost": {"500"}, "COMMIT lost, node unreachable": {"500"},
		"answer to COMMIT lost": {"501"}, "answer to COMMIT lost, node unreachable": {"501"},
		"silent after COMMIT": {"501"}, "node frozen at COMMIT": {"501"},
		"kill -9 of node at COMMIT": {"500", "501"}, "kill -9 of service at COMMIT": {"500", "501"},
	}
	r := &run{bed: &bed{nodes: []*node{n}}}
	for _, fault := range commitFaults() {
		other, conn := connect(), connect()
		heals := make(chan func(context.Context) error, 1)
		remove := n.gate.onCommit("tr_1", func(l *link, forward func() error) bool {
			continues, heal := fault.begin(r, n, l, forward)
			heals <- heal
			return continues
		})
		if _, err := other.Exec(t.Context(), `BEGIN; SET LOCAL application_name = 'ace tr_2'`); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Exec(t.Context(), `COMMIT`); err != nil {
			t.Errorf("%s: the COMMIT of another task: %v", fault.name, err)
		}
		if _, err := conn.Exec(t.Context(), `BEGIN; SET LOCAL application_name = 'ace tr_1'; INSERT INTO t VALUES (0)`); err != nil {
			t.Fatal(err)
		}
		bounded, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := conn.Exec(bounded, `COMMIT`)
		cancel()
		// A server may answer just before it is killed.
		if err == nil && fault.name != "kill -9 of node at COMMIT" {
			t.Errorf("%s: the COMMIT was answered", fault.name)
		}
		if err := (<-heals)(t.Context()); err != nil {
			t.Fatal(err)
		}
		remove()
		if got := rowsNow(t, n); !slices.Contains(want[fault.name], got) {
			t.Errorf("%s: %s rows, want %s", fault.name, got, want[fault.name])
		}
		if _, err := n.surely(t.Context(), `DELETE FROM t WHERE i = 0`); err != nil {
			t.Fatal(err)
		}
	}
}

// A connection is cut in the middle of a row: the rows before that one arrive.
func TestGate_CutsAConnectionInTheMiddleOfARow(t *testing.T) {
	n, connect := gated(t)
	conn := connect()
	remove := n.gate.cutRow(321)
	defer remove()
	rows, err := conn.Query(t.Context(), `SELECT i FROM t ORDER BY i`, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for rows.Next() {
		read++
	}
	if read != 321 || rows.Err() == nil {
		t.Errorf("%d rows, then %v", read, rows.Err())
	}
	if _, err := connect().Exec(t.Context(), `SELECT i FROM t`); err != nil {
		t.Errorf("the next connection: %v", err)
	}
}

// While the network is slow, the answers arrive late and slowly, but complete.
func TestGate_SlowsTheAnswers(t *testing.T) {
	n, connect := gated(t)
	conn := connect()
	read := func() (int, time.Duration) {
		t.Helper()
		began := time.Now()
		var v string
		if err := conn.QueryRow(t.Context(), `SELECT repeat('x', 50000)`, pgx.QueryExecModeSimpleProtocol).Scan(&v); err != nil {
			t.Fatal(err)
		}
		return len(v), time.Since(began)
	}
	remove := n.gate.slow(slowness{delay: 50 * time.Millisecond, rate: 100_000})
	if length, took := read(); length != 50_000 || took < 550*time.Millisecond {
		t.Errorf("%d bytes in %s", length, took)
	}
	remove()
	if length, _ := read(); length != 50_000 || n.gate.slowness() != nil {
		t.Errorf("%d bytes after the end, and the network is %+v", length, n.gate.slowness())
	}
}
