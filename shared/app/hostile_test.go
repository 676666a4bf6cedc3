//go:build !unit

package app_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// hostileTables are created before the hostile names. Each except the last has one row
// that differs. The labels of mood are ordered differently on the two nodes.
func hostileTables(node int) []string {
	labels, other := "'a', 'b', 'c'", 0
	if node == 1 {
		labels, other = "'c', 'b', 'a'", 1
	}
	return []string{
		`CREATE SCHEMA app; SET search_path = pg_catalog`,
		`CREATE TYPE app.mood AS ENUM (` + labels + `); CREATE DOMAIN app.dom AS text; CREATE TYPE app.pair AS (x int, y text)`,
		`CREATE EXTENSION citext SCHEMA app; CREATE DOMAIN app.folded AS app.citext`,
		`CREATE TABLE app.codes (k app.folded PRIMARY KEY, u app.folded CONSTRAINT u UNIQUE DEFERRABLE, v text); INSERT INTO app.codes SELECT 'K' || i, 'u' || i, 'b' FROM generate_series(1, 1500) i`,
		`CREATE TABLE app.plain (id int PRIMARY KEY, v text, n numeric, m app.mood, p app.pair, d app.dom, a text[], j jsonb, s timestamptz, ma app.mood[], c char(4), u uuid UNIQUE DEFERRABLE)`,
		`INSERT INTO app.plain SELECT i, 'v' || i, i / 4.0, 'a', ROW(i, 'y')::app.pair, 'd', ARRAY['a', NULL], '{"a": 1}', 'epoch', ARRAY['b'::app.mood], 'c', md5(i::text)::uuid FROM generate_series(1, 2500) i`,
		`CREATE TABLE app.moods (k app.mood PRIMARY KEY, v text); INSERT INTO app.moods VALUES ('a', 'x'), ('b', 'y'), ('c', 'z')`,
		`CREATE TABLE app.pairs (k app.pair PRIMARY KEY, v text); INSERT INTO app.pairs SELECT ROW(i, 'a')::app.pair, 'b' FROM generate_series(1, 50) i`,
		`CREATE TABLE app.lists (k app.mood[] PRIMARY KEY, v text); INSERT INTO app.lists VALUES ('{a}', 'x'), ('{b,c}', 'b')`,
		`CREATE TABLE app.several (k app.dom, m app.mood, n int, v text, PRIMARY KEY (k, m, n)); INSERT INTO app.several SELECT 'k', 'b', i, 'b' FROM generate_series(1, 1500) i`,
		`CREATE TABLE app.parts (id bigint PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE app.low PARTITION OF app.parts FOR VALUES FROM (0) TO (700);
		 CREATE TABLE app.high PARTITION OF app.parts DEFAULT; INSERT INTO app.parts SELECT i, 'b' FROM generate_series(1, 1500) i`,
		`CREATE TABLE app.scattered (k uuid PRIMARY KEY, n int, v text) WITH (fillfactor = 20, autovacuum_enabled = off);
		 INSERT INTO app.scattered SELECT md5(i::text)::uuid, i, 'b' FROM generate_series(1, 52000) i; ANALYZE app.scattered`,
		fmt.Sprintf(`UPDATE app.plain SET v = 'other' WHERE id = 7 AND %[1]d = 1; DELETE FROM app.plain WHERE id = 3 AND %[1]d = 1; DELETE FROM app.plain WHERE id = 2000 AND %[1]d = 0;
			UPDATE app.moods SET v = 'other' WHERE k = 'b' AND %[1]d = 1; UPDATE app.pairs SET v = 'other' WHERE k = ROW(7, 'a')::app.pair AND %[1]d = 1;
			UPDATE app.lists SET v = 'other' WHERE k = '{b,c}' AND %[1]d = 1; UPDATE app.several SET v = 'other' WHERE n = 1400 AND %[1]d = 1;
			UPDATE app.codes SET u = 'other' WHERE v = 'b' AND lower(k::pg_catalog.text) = 'k1400' AND %[1]d = 1;
			UPDATE app.parts SET v = 'other' WHERE id = 1400 AND %[1]d = 1; UPDATE app.scattered SET v = 'other' WHERE n IN (1, 30000) AND %[1]d = 1`, other),
	}
}

// hostileCluster returns two nodes whose role has schema app before pg_catalog in its
// search_path, and a service for them. The log of a node has every statement of the
// service.
func hostileCluster(t *testing.T) (*pgtest.Cluster, *apptest.Service) {
	t.Helper()
	c := pgtest.Own(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest), pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("log_line_prefix", "%a|%p|"))
	for node := range c.Nodes {
		c.Exec(t, node, hostileTables(node)...)
		if made := hostile(t, c, node); made < 1000 {
			t.Fatalf("only %d hostile objects", made)
		}
	}
	c.ExecAll(t, `CREATE ROLE hostile SUPERUSER LOGIN PASSWORD 'plain'`,
		`ALTER ROLE hostile IN DATABASE `+c.DB+` SET search_path = app, pg_catalog, pg_temp`, `ALTER ROLE hostile SET log_statement = 'all'`)
	led := *c
	led.User, led.Password = "hostile", "plain"
	return &led, apptest.New(t, &led, apptest.Options{})
}

// checkTraps checks that the names around the tables are hostile.
func checkTraps(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	for node := range c.Nodes {
		conn := c.Connect(t, node)
		for _, sql := range []string{
			`SELECT set_config('a.b', 'c', true)`, `SELECT unnest(ARRAY['a'::pg_catalog.text])`, `SELECT 1::bigint & 7`, `SELECT 1::bigint % 7`,
			`SELECT count(*) FROM app.moods`, `SELECT 'a'::pg_catalog.text || 'b'::pg_catalog.text`,
			`SELECT m::pg_catalog.text FROM app.plain`, `SELECT 'a'::pg_catalog.text::app.mood`, `SELECT 'a'::text`, `SELECT * FROM pg_class`,
			`SELECT * FROM app.moods WHERE k = 'a'::app.mood`, `SELECT * FROM app.codes WHERE k OPERATOR(app.=) 'K1'::app.citext`, `SELECT concat(v) FROM app.moods`, `SELECT pg_current_snapshot()`,
		} {
			if _, err := conn.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "HOSTILE") {
				t.Errorf("node %s: %s ends with %v, so the test shows nothing", c.Nodes[node].Name, sql, err)
			}
		}
	}
}

// logOf returns a node's log from an offset.
func logOf(t *testing.T, c *pgtest.Cluster, node int, from int) []byte {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(c.Nodes[node].Server.SocketDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	return log[from:]
}

// Case T-F1, see docs/RELIABILITY.md.
// Case T-F2, see docs/RELIABILITY.md.
// Case T-F5, see docs/RELIABILITY.md.
//
// The test needs no hostile names in pg_temp: no other session can create objects in the
// pg_temp of a session, and functions and operators are never looked up there.
func TestNames_HostileOnesAreNeverCalled(t *testing.T) {
	t.Parallel()
	c, s := hostileCluster(t)
	checkTraps(t, c)
	offsets := make([]int, len(c.Nodes))
	for node := range c.Nodes {
		offsets[node] = len(logOf(t, c, node, 0))
	}

	everyOperation(t, s)

	for node, offset := range offsets {
		log := logOf(t, c, node, offset)
		for _, line := range bytes.Split(log, []byte("\n")) {
			if bytes.Contains(line, []byte("HOSTILE")) {
				t.Errorf("node %s: %s", c.Nodes[node].Name, line)
			}
		}
		checkStatements(t, c.Nodes[node].Name, string(log))
	}
}

// everyOperation compares, repairs and undoes the repair of the tables in every way.
func everyOperation(t *testing.T, s *apptest.Service) {
	t.Helper()
	for _, name := range []string{"moods", "pairs", "lists", "several", "parts", "codes"} {
		name = "app." + name
		d := s.Diff(t, name)
		sha := s.Diff(t, name, "checksum", "sha256", "block_rows", "1000")
		again := s.Rerun(t, d.TaskID, name)
		for what, got := range map[string]apptest.Diff{"diff": d, "sha256": sha, "rerun": again} {
			if countsOf(got, 0) != (counts{0, 0, 1}) {
				t.Errorf("%s of %s found %+v, want one row that differs", what, name, countsOf(got, 0))
			}
		}
		there(t, s, name, d.TaskID)
	}

	d := s.Diff(t, "app.plain", "block_rows", "1000", "output", "html")
	filtered := s.Diff(t, "app.plain", "block_rows", "1000", "table_filter", "id > 1", "output", "csv")
	for what, got := range map[string]apptest.Diff{"diff": d, "filtered": filtered, "rerun": s.Rerun(t, d.TaskID, "app.plain"), "incremental": s.Diff(t, "app.plain", "block_rows", "1000", "baseline", "last")} {
		if countsOf(got, 0) != (counts{1, 1, 1}) {
			t.Errorf("%s of app.plain found %+v, want one row of each kind", what, countsOf(got, 0))
		}
	}
	for _, change := range []func(*api.TableRepairRequest){
		dryRun, func(r *api.TableRepairRequest) { r.InsertOnly, r.FireTriggers = true, true }, func(r *api.TableRepairRequest) { r.UpsertOnly, r.GenerateReport = true, true },
	} {
		if r := repair(t, s, d.TaskID, "n1", change); r.Status != api.StatusFailed && r.Status != api.StatusCompleted || strings.Contains(r.Error, "HOSTILE") {
			t.Errorf("repair of app.plain: %s %s", r.Status, r.Error)
		}
	}
	there(t, s, "app.plain", d.TaskID)

	d = s.Diff(t, "app.scattered", "block_rows", "1000")
	for what, got := range map[string]apptest.Diff{"diff": d, "incremental": s.Diff(t, "app.scattered", "block_rows", "1000", "baseline", "last"),
		"filtered": s.Diff(t, "app.scattered", "table_filter", "n > 0"), "sha256": s.Diff(t, "app.scattered", "checksum", "sha256")} {
		if countsOf(got, 0) != (counts{0, 0, 2}) || got.Summary.Strategy != "pages" {
			t.Errorf("%s of app.scattered found %+v by %s, want two rows that differ by pages", what, countsOf(got, 0), got.Summary.Strategy)
		}
	}
	there(t, s, "app.scattered", d.TaskID)
}

// there repairs a table, undoes the repair and repairs the table again. The nodes are
// then equal.
func there(t *testing.T, s *apptest.Service, name, id string) {
	t.Helper()
	fire := func(r *api.TableRepairRequest) { r.FireTriggers = name == "app.plain" } // app.plain has a deferrable constraint
	for round := range 2 {
		r := repair(t, s, id, "n1", fire)
		if r.Status != api.StatusCompleted || r.Nodes["n2"].Outcome != api.OutcomeCommitted {
			t.Fatalf("repair of %s: %s %s, %s", name, r.Status, r.Error, r.counts("n2"))
		}
		if round == 1 {
			break
		}
		u := undo(t, s, r.TaskID, func(r *api.TableUndoRequest) { r.FireTriggers = name == "app.plain" })
		if u.Status != api.StatusCompleted || u.Nodes["n2"].Outcome != api.OutcomeCommitted {
			t.Fatalf("undo of %s: %s %s", name, u.Status, u.Error)
		}
	}
	if d := s.Diff(t, name); d.Result.Verdict != "match" {
		t.Errorf("%s: %s after the repair", name, d.Result.Verdict)
	}
}

// An operator for a domain over an extension's type, in the schema of that type, matches
// a key column of the domain better than the operator of the extension.
func TestNames_OperatorsOfADomainAreNeverCalled(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Majors(pgtest.Oldest, pgtest.Newest))
	c.ExecAll(t, `CREATE EXTENSION citext`, `CREATE DOMAIN dom AS citext`,
		`CREATE TABLE t (k dom PRIMARY KEY, u dom CONSTRAINT u UNIQUE DEFERRABLE, v text)`,
		`INSERT INTO t SELECT 'K' || i, 'u' || i, 'v' FROM generate_series(1, 3000) i`)
	c.Exec(t, 1, `UPDATE t SET u = 'other' WHERE k = 'k7'; DELETE FROM t WHERE k = 'k8'; INSERT INTO t VALUES ('x', 'x', 'x')`)
	var hijacked []string
	for i, pair := range [][2]string{{"dom", "dom"}, {"dom", "citext"}, {"citext", "dom"}, {"dom", "text"}} {
		for n, name := range []string{"=", "<", "<=", ">", ">="} {
			called := fmt.Sprintf("called_%d_%d", i, n)
			hijacked = append(hijacked, fmt.Sprintf("CREATE FUNCTION %s(%s, %s) RETURNS bool ", called, pair[0], pair[1])+fmt.Sprintf(trap, "operator "+name),
				fmt.Sprintf("CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %s)", name, pair[0], pair[1], called))
		}
	}
	c.ExecAll(t, hijacked...)
	conn := c.Connect(t, 0)
	for _, right := range []string{"'K1'::citext", "k"} {
		if _, err := conn.Exec(t.Context(), `SELECT FROM t WHERE k OPERATOR(public.=) `+right); err == nil || !strings.Contains(err.Error(), "HOSTILE") {
			t.Fatalf("the comparison of k with %s ends with %v, so the test shows nothing", right, err)
		}
	}

	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t", "block_rows", "1000")
	for what, got := range map[string]apptest.Diff{"diff": d, "sha256": s.Diff(t, "public.t", "checksum", "sha256"), "rerun": s.Rerun(t, d.TaskID, "public.t")} {
		if countsOf(got, 0) != (counts{1, 1, 1}) {
			t.Errorf("%s found %+v, want one row of each kind", what, countsOf(got, 0))
		}
	}
	there(t, s, "public.t", d.TaskID)
}
