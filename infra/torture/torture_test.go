//go:build !unit

package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/infra/testbed"
	"ace/infra/testkit/soak"
)

// The real service survives faults of itself, of its nodes and of its store: each
// document and each row is what an oracle says, and nothing is lost or left.
func TestTorture_NothingIsWrongLostOrLeft(t *testing.T) {
	if testing.Short() {
		t.Skip("a run of all faults takes half a minute")
	}
	t.Chdir("../..") // the root of the module, where the program is built
	binary, err := testbed.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := options{seed: soak.Seed(t), runs: soak.Rounds(t, 1, 100), stores: []string{storeDir, storeMinIO}, length: 6 * time.Second, binary: binary}
	result, err := torture(t.Context(), o, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if result.findings > 0 {
		t.Errorf("%d findings in %d runs", result.findings, result.runs)
	}
	if result.sum("hit: in all") == 0 {
		t.Error("no fault hit a repair or undo while it ran")
	}
	soak.Report(t, "%d runs, %d faults, %d repairs and undos hit", result.runs, result.sum("fault: "), result.sum("hit: in all"))
	t.Log(result)
}

// The oracle reports a session, an advisory lock, a prepared transaction and a role's
// object that are left on a node.
func TestOracle_ReportsWhatIsLeftOnANode(t *testing.T) {
	b, err := newBed(t.Context(), "", nil)
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{bed: b, counts: map[string]int{}, plan: plan{store: storeDir}}
	n := b.nodes[0]
	if err := r.prepareNode(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	conn, err := n.connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, tt := range []struct{ plant, remove, want string }{
		{`SELECT 1`, `SELECT 1`, ""},
		{`SELECT pg_advisory_lock(1)`, `SELECT pg_advisory_unlock(1)`, "advisory lock"},
		{`CREATE TEMP TABLE x ()`, `DROP TABLE x`, "temporary object"},
		{`CREATE TABLE x (); ALTER TABLE x OWNER TO ace`, `DROP TABLE x`, "object"},
		{`BEGIN; CREATE TABLE y (); PREPARE TRANSACTION 'left'`, `ROLLBACK PREPARED 'left'`, "prepared transaction left"},
		{`SELECT pg_create_logical_replication_slot('other', 'pgoutput')`, `SELECT pg_drop_replication_slot('other')`, "slot"},
		{`SELECT pg_replication_origin_create('other')`, `SELECT pg_replication_origin_drop('other')`, "origin"},
	} {
		if _, err := conn.Exec(t.Context(), tt.plant); err != nil {
			t.Fatal(err)
		}
		checkLeft(t, n, tt.want)
		if _, err := conn.Exec(t.Context(), tt.remove); err != nil {
			t.Fatal(err)
		}
	}

	session, err := pgx.Connect(t.Context(), fmt.Sprintf("host=127.0.0.1 port=%s user=ace dbname=%s sslmode=disable", n.port(), database))
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(t.Context())
	checkLeft(t, n, "session")
}

func checkLeft(t *testing.T, n *node, want string) {
	t.Helper()
	left, err := n.leftovers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(left, ", "); (got == "") != (want == "") || !strings.Contains(got, want) {
		t.Errorf("the oracle reports %q, want %q", got, want)
	}
}
