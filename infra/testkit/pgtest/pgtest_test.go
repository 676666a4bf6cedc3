//go:build !unit

package pgtest_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"ace/infra/testkit/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestNewCluster_ReturnsDistinctServersAndFreshDatabases(t *testing.T) {
	t.Parallel()
	first, second := pgtest.NewCluster(t, pgtest.Nodes(3)), pgtest.NewCluster(t, pgtest.Nodes(3))
	ports := map[int]bool{}
	for i, n := range first.Nodes {
		ports[n.Port] = true
		if second.Nodes[i].Port != n.Port {
			t.Errorf("node %s is not on the shared server: port %d and %d", n.Name, n.Port, second.Nodes[i].Port)
		}
	}
	if len(ports) != 3 {
		t.Errorf("3 nodes on %d servers", len(ports))
	}
	first.ExecAll(t, "CREATE TABLE a (b int)")
	second.ExecAll(t, "CREATE TABLE a (b int)")
}

func TestNewCluster_DropsItsDatabaseEvenWhenASessionIsOpen(t *testing.T) {
	var dropped *pgtest.Cluster
	t.Run("a test", func(t *testing.T) {
		dropped = pgtest.NewCluster(t)
		conn, err := pgx.Connect(t.Context(), dropped.DSN(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	})
	c := pgtest.NewCluster(t)
	if got := c.QueryStrings(t, 0, "SELECT 1 FROM pg_database WHERE datname = $1", dropped.DB); len(got) != 0 {
		t.Errorf("database %s is left", dropped.DB)
	}
}

func TestNewCluster_AppliesTheOptionsOfEachNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t,
		pgtest.Majors(pgtest.Oldest, pgtest.Newest),
		pgtest.CreateDatabase(0, "ENCODING 'LATIN1'"),
		pgtest.DatabaseSetting(1, "DateStyle", "German"),
		pgtest.DatabaseSetting(pgtest.AllNodes, "TimeZone", "Asia/Tokyo"),
	)
	const sql = "SELECT pg_encoding_to_char(encoding), current_setting('DateStyle'), current_setting('TimeZone')" +
		" FROM pg_database WHERE datname = current_database()"
	want := [][]string{{"LATIN1", "ISO, MDY", "Asia/Tokyo"}, {"UTF8", "German, DMY", "Asia/Tokyo"}}
	for node := range c.Nodes {
		if diff := cmp.Diff(want[node:node+1], c.QueryStrings(t, node, sql)); diff != "" {
			t.Errorf("node %d (-want +got):\n%s", node, diff)
		}
	}
	if c.Nodes[0].Major >= c.Nodes[1].Major {
		t.Errorf("oldest is %d, newest %d: run `make deps`", c.Nodes[0].Major, c.Nodes[1].Major)
	}
}

func TestQueryStrings_DistinguishesNullFromTheEmptyString(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	got := c.QueryStrings(t, 0, "SELECT NULL, '', $1::numeric + 1, 'ä', true UNION ALL SELECT '1', '2', 3, '4', false", "1.50")
	want := [][]string{{pgtest.Null, "", "2.50", "ä", "t"}, {"1", "2", "3", "4", "f"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestConnect_KeepsASession(t *testing.T) {
	t.Parallel()
	conn := pgtest.NewCluster(t).Connect(t, 1)
	if _, err := conn.Exec(t.Context(), "CREATE TEMP TABLE mine (a int)"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "INSERT INTO mine VALUES (1)"); err != nil {
		t.Error(err)
	}
}

func TestWriteDefinition_LeadsToTheNodes(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	path := c.WriteDefinition(t, t.TempDir())
	if got := filepath.Base(path); got != c.Name+".json" {
		t.Errorf("file %s, want %s.json", got, c.Name)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		PgEdge struct {
			Databases []map[string]string `json:"databases"`
		} `json:"pgedge"`
		NodeGroups []map[string]any `json:"node_groups"`
	}
	if err := json.Unmarshal(content, &read); err != nil {
		t.Fatal(err)
	}
	wantDB := []map[string]string{{"db_name": c.DB, "db_user": "postgres", "db_password": c.Password}}
	if diff := cmp.Diff(wantDB, read.PgEdge.Databases); diff != "" {
		t.Errorf("databases (-want +got):\n%s", diff)
	}
	wantNode := map[string]any{
		"name": "n2", "is_active": "on", "public_ip": "127.0.0.1", "private_ip": "127.0.0.1",
		"port": float64(c.Nodes[1].Port),
	}
	if diff := cmp.Diff(wantNode, read.NodeGroups[1]); diff != "" {
		t.Errorf("second node (-want +got):\n%s", diff)
	}
}

func TestOwn_ServersMayBeKilledAndRestarted(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1), pgtest.ServerSetting("wal_level", "logical"), pgtest.Initdb("--data-checksums"))
	c.Exec(t, 0, "CREATE TABLE a AS SELECT 1 AS b")
	if err := c.Nodes[0].Server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[0].Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := c.QueryStrings(t, 0, "SELECT b, current_setting('wal_level'), current_setting('data_checksums') FROM a")
	if diff := cmp.Diff([][]string{{"1", "logical", "on"}}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestServerGoroutines_AreAllThatAServerNeeds(t *testing.T) {
	before := goleak.IgnoreCurrent()
	c := pgtest.Own(t, pgtest.Nodes(1))
	c.Exec(t, 0, "SELECT 1")
	goleak.VerifyNone(t, before, pgtest.ServerGoroutines())
}

// recorder is a testing.TB that records a failure and panics instead of failing the test.
type recorder struct {
	testing.TB
	message string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatal(args ...any) {
	r.message, _ = args[0].(string)
	panic(r)
}

func TestNewCluster_RefusesOptionsThatWouldChangeSharedServers(t *testing.T) {
	r := &recorder{TB: t}
	defer func() {
		if recover() != r || !strings.Contains(r.message, "Own") {
			t.Errorf("message = %q, want one that names Own", r.message)
		}
	}()
	pgtest.NewCluster(r, pgtest.ServerSetting("fsync", "on"))
}

func TestHoldCommits_LeavesACommitWithoutAnAnswerUntilItIsReleased(t *testing.T) {
	t.Parallel()
	c := pgtest.Own(t, pgtest.Nodes(1))
	release := c.HoldCommits(t, 0)
	conn, answer := c.Connect(t, 0), make(chan error, 1)
	go func() {
		_, err := conn.Exec(t.Context(), "CREATE TABLE a (b int)")
		answer <- err
	}()
	for !c.CommitIsHeld(t, 0) {
		select {
		case err := <-answer:
			t.Fatalf("the commit was answered: %v", err)
		default:
		}
	}
	release()
	if err := <-answer; err != nil {
		t.Error(err)
	}
}
