//go:build !unit

package app_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// damagedTable is a table whose key's index is damaged by the test. Row 100 and others
// differ.
type damagedTable struct {
	name    string
	rows    int
	every   int // every nth row differs
	key     string
	keyOf   string // SQL for the key of row n
	filler  int
	options []string
	// strategy is that of a comparison before the damage.
	strategy string
}

func damagedTables() []damagedTable {
	uuid := "md5(n::text)::uuid"
	return []damagedTable{
		{name: "ranges", rows: 3000, every: 1000, key: "int", keyOf: "n", options: []string{"block_rows", "1000"}, strategy: "key ranges"},
		{name: "text", rows: 3000, every: 1000, key: "text", keyOf: "'k' || n", options: []string{"block_rows", "1000", "checksum", "sha256"}, strategy: "key ranges"},
		{name: "leaves", rows: 51000, every: 1000, key: "uuid", keyOf: uuid, filler: 200, options: []string{"block_rows", "1000"}, strategy: "pages"},
		{name: "dense", rows: 51000, every: 100, key: "uuid", keyOf: uuid, filler: 200, options: []string{"block_rows", "1000"}, strategy: "pages"},
	}
}

func (d damagedTable) create(t *testing.T, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, fmt.Sprintf("CREATE TABLE %s (k %s PRIMARY KEY, n int, v text, filler text)", d.name, d.key),
		fmt.Sprintf("INSERT INTO %s SELECT %s, n, 'v', repeat('-', %d) FROM generate_series(1, %d) n", d.name, d.keyOf, d.filler, d.rows),
		"VACUUM ANALYZE "+d.name)
	c.Exec(t, 1, fmt.Sprintf("UPDATE %s SET v = 'x' WHERE n %% %d = 100 %% %[2]d", d.name, d.every), "VACUUM "+d.name)
}

func (d damagedTable) differing() (rows int64) {
	for n := range d.rows {
		if (n+1)%d.every == 100%d.every {
			rows++
		}
	}
	return rows
}

// spared runs a statement while the table's index is not maintained.
func spared(t *testing.T, c *pgtest.Cluster, node int, table, setting, statement string) {
	t.Helper()
	for _, sql := range []string{setIndex(table, setting, "false"), statement, setIndex(table, setting, "true")} {
		c.Exec(t, node, sql)
	}
}

func setIndex(table, setting, value string) string {
	return fmt.Sprintf("UPDATE pg_index SET %s = %s WHERE indexrelid = '%s_pkey'::regclass", setting, value, table)
}

// catalogueDamages are the damages that a superuser can cause.
func catalogueDamages() map[string]func(t *testing.T, c *pgtest.Cluster, node int, table string) {
	return map[string]func(t *testing.T, c *pgtest.Cluster, node int, table string){
		"a missing entry": func(t *testing.T, c *pgtest.Cluster, node int, table string) {
			t.Helper()
			c.Exec(t, node, fmt.Sprintf("CREATE TABLE kept AS SELECT * FROM %s WHERE n = 100", table), fmt.Sprintf("DELETE FROM %s WHERE n = 100", table))
			spared(t, c, node, table, "indislive", fmt.Sprintf("INSERT INTO %s SELECT * FROM kept", table))
			c.Exec(t, node, "DROP TABLE kept")
		},
		"a duplicate": func(t *testing.T, c *pgtest.Cluster, node int, table string) {
			t.Helper()
			spared(t, c, node, table, "indisunique",
				fmt.Sprintf("INSERT INTO %s SELECT k, n, 'twin on %d', filler FROM %[1]s WHERE n = 100", table, node))
		},
	}
}

// Case T-F3, see docs/RELIABILITY.md.
func TestDamagedIndexes_AnAnswerIsCorrectOrAnError(t *testing.T) {
	t.Parallel()
	damages := catalogueDamages()
	for _, tt := range []struct {
		damage, on string
		nodes      []int
		major      int
		tables     []int
	}{
		{"a missing entry", "n1", []int{0}, pgtest.Oldest, []int{0}},
		{"a missing entry", "n2", []int{1}, pgtest.Newest, []int{1}},
		{"a missing entry", "both nodes", []int{0, 1}, pgtest.Newest, []int{0, 2, 3}},
		{"a duplicate", "n1", []int{0}, pgtest.Newest, []int{0}},
		{"a duplicate", "n2", []int{1}, pgtest.Oldest, []int{1}},
		{"a duplicate", "both nodes", []int{0, 1}, pgtest.Oldest, []int{0}},
	} {
		t.Run(tt.damage+" on "+tt.on, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(tt.major, tt.major))
			var tables []damagedTable
			for _, i := range tt.tables {
				tables = append(tables, damagedTables()[i])
			}
			checkDamaged(t, c, tables, true, func(table string) {
				for _, node := range tt.nodes {
					damages[tt.damage](t, c, node, table)
				}
			})
		})
	}
}

// These indexes miss the same rows on both nodes, so no row differs.
// Case T-F3, see docs/RELIABILITY.md.
func TestDamagedIndexes_OfLargerTablesAreFoundIfRowsAreCounted(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		key    string
		missed string
	}{
		"no version of the collation is known":   {"text COLLATE x", "n = 100"},
		"far fewer rows are read than estimated": {"int", "n > 45000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, "CREATE COLLATION x (provider = icu, locale = 'en')", "UPDATE pg_collation SET collversion = NULL WHERE collname = 'x'",
				fmt.Sprintf("CREATE TABLE t (k %s PRIMARY KEY, n int, v text)", tt.key), "INSERT INTO t SELECT n, n, 'v' FROM generate_series(100001, 151000) n ORDER BY n",
				"UPDATE t SET n = n - 100000", "VACUUM FULL ANALYZE t")
			s := apptest.New(t, c, apptest.Options{Timeout: 10 * time.Minute}) // looking up a key without its index entry takes long
			if d := s.Diff(t, "public.t"); d.Result.TotalRows != 51000 || d.Result.Verdict != api.VerdictMatch || d.Summary.Strategy != "key ranges" {
				t.Fatalf("before: %d rows, %s by %s", d.Result.TotalRows, d.Result.Verdict, d.Summary.Strategy)
			}
			for node := range c.Nodes {
				c.Exec(t, node, "CREATE TABLE kept AS SELECT * FROM t WHERE "+tt.missed, "DELETE FROM t WHERE "+tt.missed)
				spared(t, c, node, "t", "indislive", "INSERT INTO t SELECT * FROM kept")
				c.Exec(t, node, "ANALYZE t")
			}
			c.Exec(t, 1, "SET enable_indexscan = off; SET enable_bitmapscan = off; UPDATE t SET v = 'x' WHERE "+tt.missed)
			checkDamageNamed(t, name, s.Fail(t, "public.t"))
		})
	}
}

// checkDamaged compares, reruns and repairs tables before and after their indexes are
// damaged. fails means that only an error is correct.
func checkDamaged(t *testing.T, c *pgtest.Cluster, tables []damagedTable, fails bool, damage func(table string)) {
	t.Helper()
	s := apptest.New(t, c, apptest.Options{})
	before := map[string]apptest.Diff{}
	for _, d := range tables {
		d.create(t, c)
		before[d.name] = s.Diff(t, "public."+d.name, d.options...)
		if got := before[d.name]; got.Result.MismatchedRows != d.differing() || got.Summary.Strategy != d.strategy {
			t.Fatalf("%s: %d rows differ by %s before, want %d by %s", d.name, got.Result.MismatchedRows, got.Summary.Strategy, d.differing(), d.strategy)
		}
	}
	for _, d := range tables {
		damage(d.name)
	}
	for _, d := range tables {
		table := "public." + d.name
		for what, taskID := range map[string]string{
			"comparison": s.Submit(t, table, d.options...), "with a second look": s.Submit(t, table, append(d.options, "confirm_delay", "10ms")...),
			"rerun": s.SubmitRerun(t, before[d.name].TaskID, table),
		} {
			total := int64(d.rows)
			if what == "rerun" {
				total = d.differing()
			}
			status := s.Wait(t, taskID)
			if status.Status == api.StatusFailed {
				checkDamageNamed(t, d.name+": "+what, status.Error)
				continue
			}
			got := s.Document(t, status)
			if fails || got.Result.MismatchedRows != d.differing() || got.Result.TotalRows != total {
				t.Errorf("%s: the %s completed: %d of %d rows differ, want a failure (%t) or %d of %d", d.name, what, got.Result.MismatchedRows, got.Result.TotalRows, fails, d.differing(), total)
			}
		}
		checkDamagedRepairs(t, s, d, before[d.name].TaskID, fails)
	}
}

func checkDamageNamed(t *testing.T, what, message string) {
	t.Helper()
	if !strings.Contains(message, "damaged") || !strings.Contains(message, "REINDEX") || !strings.Contains(message, `node "n`) {
		t.Errorf("%s failed with %q, want the node, its damaged index and REINDEX", what, message)
	}
}

// checkDamagedRepairs checks that a failed repair changes no row, and that all rows are
// correct after a successful one.
func checkDamagedRepairs(t *testing.T, s *apptest.Service, d damagedTable, diffID string, fails bool) {
	t.Helper()
	all := func(node int) string {
		return fmt.Sprint(s.Cluster.QueryStrings(t, node, fmt.Sprintf(
			"SELECT count(*), sum(hashtextextended(k::text || n || v, 1)) FROM (SELECT * FROM %s OFFSET 0) q", d.name)))
	}
	for _, dry := range []bool{true, false} {
		before := all(1)
		status := s.Wait(t, submitRepair(t, s, diffID, "n1", func(r *api.TableRepairRequest) { r.DryRun = dry }))
		switch after := all(1); {
		case status.Status == api.StatusFailed:
			checkDamageNamed(t, d.name+": repair", status.Error)
			if after != before {
				t.Errorf("%s: a repair that failed has changed rows: %s before, %s after", d.name, before, after)
			}
		case fails || !dry && after != all(0):
			t.Errorf("%s: repair (dry: %t) ended %s, want it failed, or the rows of n2 right", d.name, dry, status.Status)
		}
	}
}

// Case T-F3, see docs/RELIABILITY.md.
func TestDamagedIndexes_WithBrokenPagesAnAnswerIsCorrectOrAnError(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fails  bool
		change func(page []byte, items []int)
	}{
		"a missing entry": {true, func(page []byte, items []int) {
			item := page[items[0]:]
			binary.LittleEndian.PutUint32(item, binary.LittleEndian.Uint32(item)|3<<15) // marks the entry as dead
		}},
		"entries of one another's rows": {false, func(page []byte, items []int) {
			a, b := tupleOf(page, items[0]), tupleOf(page, items[1])
			for i := range 6 {
				a[i], b[i] = b[i], a[i]
			}
		}},
		"entries out of order": {false, func(page []byte, items []int) {
			a, b := page[items[0]:items[0]+4], page[items[len(items)-1]:items[len(items)-1]+4]
			for i := range 4 {
				a[i], b[i] = b[i], a[i]
			}
		}},
	} {
		for where, nodes := range map[string][]int{"n2": {1}, "both nodes": {0, 1}} {
			t.Run(name+" on "+where, func(t *testing.T) {
				t.Parallel()
				c := pgtest.Own(t)
				tables := damagedTables()[:1]
				if where == "both nodes" && !tt.fails {
					tables = damagedTables()[2:3]
					tables[0].key, tables[0].keyOf = "int", "(n::bigint * 7919 % 51001)::int" // the rows are not in key order
				}
				checkDamaged(t, c, tables, tt.fails, func(table string) {
					for _, node := range nodes {
						breakPage(t, c, node, table, tt.change)
					}
				})
			})
		}
	}
}

func tupleOf(page []byte, item int) []byte {
	return page[binary.LittleEndian.Uint32(page[item:])&0x7fff:]
}

// breakPage stops a server, changes the page of the index that leads to row 100, and
// starts the server. change gets the line pointer of the row and the four after it, or
// the four before it at the end of the page.
func breakPage(t *testing.T, c *pgtest.Cluster, node int, table string, change func(page []byte, items []int)) {
	t.Helper()
	at := c.QueryStrings(t, node, fmt.Sprintf(`SELECT current_setting('data_directory'), pg_relation_filepath('%[1]s_pkey'), k FROM %[1]s WHERE n = 100`, table))[0]
	c.Exec(t, node, "CHECKPOINT")
	if err := c.Nodes[node].Server.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(at[0], at[1])
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var key uint32
	if _, err := fmt.Sscan(at[2], &key); err != nil {
		t.Fatal(err)
	}
	found := false
	for from := 8192; from < len(file) && !found; from += 8192 {
		found = changeLeaf(file[from:from+8192], key, change)
	}
	if !found {
		t.Fatalf("no page of %s leads to the key %d", path, key)
	}
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Nodes[node].Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// changeLeaf changes the page if it is a leaf page of a btree of integers that leads to
// the key.
func changeLeaf(page []byte, key uint32, change func(page []byte, items []int)) bool {
	special := binary.LittleEndian.Uint16(page[16:])
	if binary.LittleEndian.Uint16(page[special+12:])&1 == 0 { // btpo_flags: not a leaf
		return false
	}
	end := int(binary.LittleEndian.Uint16(page[12:])) // pd_lower
	first := 24
	if binary.LittleEndian.Uint32(page[special+4:]) != 0 { // not the rightmost: the first item is the high key
		first += 4
	}
	for item := first; item < end; item += 4 {
		if binary.LittleEndian.Uint32(tupleOf(page, item)[8:]) != key {
			continue
		}
		var items []int
		step := 4
		if item+5*4 > end {
			step = -4
		}
		for i := range 5 {
			items = append(items, item+i*step)
		}
		change(page, items)
		return true
	}
	return false
}

// Case T-F3, see docs/RELIABILITY.md.
func TestDamagedIndexes_AnUndoFailsBeforeItWrites(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, c *pgtest.Cluster){
		"a missing entry of a row that was updated": func(t *testing.T, c *pgtest.Cluster) {
			t.Helper()
			catalogueDamages()["a missing entry"](t, c, 1, "t")
		},
		"a collation that changed": func(t *testing.T, c *pgtest.Cluster) {
			t.Helper()
			upgrade(t, c, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t)
			c.ExecAll(t, "CREATE COLLATION x (provider = icu, locale = 'en')", "CREATE TABLE t (k text COLLATE x PRIMARY KEY, n int, v text)",
				"INSERT INTO t SELECT 'k' || i, i, 'v' FROM generate_series(1, 300) i")
			c.Exec(t, 1, "UPDATE t SET v = 'x' WHERE n IN (100, 101)", "DELETE FROM t WHERE n = 102")
			s := apptest.New(t, c, apptest.Options{})
			repaired := repair(t, s, s.Diff(t, "public.t").TaskID, "n1", nil)
			damage(t, c)
			rows := func() string {
				return c.QueryStrings(t, 1, "SELECT string_agg(k || v, ' ' ORDER BY n) FROM (SELECT * FROM t OFFSET 0) q")[0][0]
			}
			before := rows()
			for _, dry := range []bool{true, false} {
				u := undo(t, s, repaired.TaskID, func(r *api.TableUndoRequest) { r.DryRun = dry })
				if u.Status != api.StatusFailed || !strings.Contains(u.Error, "REINDEX INDEX public.t_pkey") || !strings.Contains(u.Error, `node "n2"`) {
					t.Errorf("the undo (dry: %t) ended %s: %s", dry, u.Status, u.Error)
				}
			}
			if after := rows(); after != before {
				t.Errorf("rows before and after:\n%s\n%s", before, after)
			}
		})
	}
}
