//go:build !unit

package pg

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/table"
)

// targetOf returns the fragments for writing a table with built-in types.
func targetOf(d *table.Description, name string) table.Target {
	t := table.Target{Source: sourceOf(d, name), Into: quote("public", name)}
	t.Digest = "0"
	for _, column := range d.Columns {
		t.Names = append(t.Names, quote(column.Name))
		t.Types = append(t.Types, column.Type.SQL)
	}
	return t
}

// writable creates a table and returns its target.
func writable(t testing.TB, c *pgtest.Cluster, sql string) (*Node, table.Target) {
	t.Helper()
	c.Exec(t, 0, sql)
	n := nodeOf(t, c, 0)
	return n, targetOf(describeTable(t, n, "t"), "t")
}

func openRepair(t testing.TB, n *Node, at table.Target) *RepairTx {
	t.Helper()
	tx, err := n.BeginRepair(t.Context(), at.Access())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tx.Close)
	return tx
}

func beginRepair(t testing.TB, n *Node, at table.Target) *RepairTx {
	t.Helper()
	tx := openRepair(t, n, at)
	if got, err := tx.TryAdvisoryLock(t.Context(), "public", "t"); err != nil || !got {
		t.Fatalf("the fence: %v, error %v", got, err)
	}
	return tx
}

func text(values ...string) table.Row {
	row := make(table.Row, len(values))
	for i := range values {
		if values[i] != pgtest.Null {
			row[i] = &values[i]
		}
	}
	return row
}

func readAll(t testing.TB, open func() (table.RowStream, error)) []table.Row {
	t.Helper()
	stream, err := open()
	if err != nil {
		t.Fatal(err)
	}
	var rows []table.Row
	for {
		at, row, err := stream.Next()
		if err != nil {
			t.Fatal(err)
		}
		if at < 0 {
			break
		}
		rows = append(rows, row.Row)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestRepairTx_WritesNothingBeforeCommit(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		t.Run(fmt.Sprint("major ", major), func(t *testing.T) {
			c := pgtest.NewCluster(t, pgtest.Majors(major))
			n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, v text, "odd, ""name" jsonb, b bytea);
				INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 5) i`)
			tx := beginRepair(t, n, at)
			ctx := t.Context()
			locked := readAll(t, func() (table.RowStream, error) {
				return tx.Lock(ctx, at.Source, []table.Key{key("1"), key("9"), key("2")})
			})
			if len(locked) != 2 || *locked[1][1] != "v2" {
				t.Fatalf("locked %v", locked)
			}
			err := errors.Join(
				tx.DisableTriggers(ctx),
				tx.Delete(ctx, at, []table.Key{key("1"), key("3")}),
				tx.Update(ctx, at, []int{1, 2}, []table.Key{key("2"), key("4")}, []table.Row{text(pgtest.Null, `{"a": "\\\"x"}`), text("", "null")}, true),
				tx.Insert(ctx, at, []int{0, 1, 3}, []table.Row{text("7", "NULL", `\x00ff`), text("8", `{"a\b",}`, pgtest.Null)}),
			)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.QueryStrings(t, 0, `SELECT count(*), min(id) FROM t`); got[0][0] != "5" || got[0][1] != "1" {
				t.Errorf("before COMMIT others see %v", got)
			}
			mark, err := tx.Mark(ctx)
			if err != nil || mark.XID == "" || mark.System == "" || mark.Timeline != "00000001" {
				t.Errorf("the mark is %+v, error %v", mark, err)
			}
			if err := tx.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			tx.Close()
			want := [][]string{{"2", pgtest.Null, `{"a": "\\\"x"}`, pgtest.Null}, {"4", "", "null", pgtest.Null}, {"5", "v5", pgtest.Null, pgtest.Null},
				{"7", "NULL", pgtest.Null, `\x00ff`}, {"8", `{"a\b",}`, pgtest.Null, pgtest.Null}}
			if diff := cmp.Diff(want, c.QueryStrings(t, 0, `SELECT * FROM t ORDER BY id`)); diff != "" {
				t.Error(diff)
			}
			if status, err := beginRepair(t, n, at).Status(ctx, mark.XID); err != nil || status != "committed" {
				t.Errorf("status %q, error %v", status, err)
			}
		})
	}
}

func TestRepairTx_CloseBeforeCommitUndoesAllAndEndsTheSession(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')`)
	tx := beginRepair(t, n, at)
	mark, err := tx.Mark(t.Context())
	if err := errors.Join(err, tx.DisableTriggers(t.Context()), tx.Delete(t.Context(), at, []table.Key{key("1")})); err != nil {
		t.Fatal(err)
	}
	tx.Close()
	if got := c.QueryStrings(t, 0, `SELECT v FROM t`); len(got) != 1 {
		t.Error("the row is gone")
	}
	if n.pool.Stat().TotalConns() != 0 {
		t.Errorf("the session of a repair is kept for others")
	}
	next := beginRepair(t, n, at)
	if status, err := next.Status(t.Context(), mark.XID); err != nil || status != "aborted" {
		t.Errorf("status %q, error %v", status, err)
	}
	if status, err := next.Status(t.Context(), "99999999999"); err != nil || status != "aborted" {
		t.Errorf("a number that was never given: status %q, error %v", status, err)
	}
}

func TestRepairTx_OnlyOneHasTheAdvisoryLockOfATable(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY)`)
	tx := beginRepair(t, n, at)
	second, err := n.BeginRepair(t.Context(), at.Access())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got, err := second.TryAdvisoryLock(t.Context(), "public", "t"); err != nil || got {
		t.Errorf("a second repair got the fence: %v, error %v", got, err)
	}
	if got, err := second.TryAdvisoryLock(t.Context(), "public", "u"); err != nil || !got {
		t.Errorf("another table's fence: %v, error %v", got, err)
	}
	tx.Close()
	if got, err := second.TryAdvisoryLock(t.Context(), "public", "t"); err != nil || !got {
		t.Errorf("after the first has gone: %v, error %v", got, err)
	}
}

func TestRepairTx_ContinuesAfterARefusedRow(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, u int CONSTRAINT one UNIQUE, v varchar(3), CONSTRAINT positive CHECK (u > 0));
		INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)`)
	tx := beginRepair(t, n, at)
	tests := []struct {
		name       string
		do         func() error
		constraint string
		unique     bool
	}{
		{"an update to a value another row has", func() error {
			return tx.Update(t.Context(), at, []int{1}, []table.Key{key("1")}, []table.Row{text("2")}, true)
		}, "one", true},
		{"an insert of a value another row has", func() error {
			return tx.Insert(t.Context(), at, []int{0, 1}, []table.Row{text("4", "4"), text("5", "3")})
		}, "one", true},
		{"a value that a check refuses", func() error {
			return tx.Insert(t.Context(), at, []int{0, 1}, []table.Row{text("4", "-4")})
		}, "positive", false},
		{"a value that is too long", func() error {
			return tx.Insert(t.Context(), at, []int{0, 2}, []table.Row{text("4", "four")})
		}, "", false},
	}
	for _, tt := range tests {
		var v *table.ViolationError
		if err := tt.do(); !errors.As(err, &v) || v.Constraint != tt.constraint || v.Unique != tt.unique || fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	err := errors.Join(tx.Update(t.Context(), at, []int{1}, []table.Key{key("1")}, []table.Row{text("10")}, true), tx.Commit(t.Context()))
	if got := c.QueryStrings(t, 0, `SELECT string_agg(u::text, ',' ORDER BY id) FROM t`); err != nil || got[0][0] != "10,2,3" {
		t.Errorf("the table has %v, error %v", got, err)
	}
}

func TestRepairTx_UnexpectedRowCountIsAnError(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')`)
	for name, do := range map[string]func(tx *RepairTx) error{
		"delete": func(tx *RepairTx) error { return tx.Delete(t.Context(), at, []table.Key{key("1"), key("2")}) },
		"update": func(tx *RepairTx) error {
			return tx.Update(t.Context(), at, []int{1}, []table.Key{key("2")}, []table.Row{text("b")}, false)
		},
	} {
		tx := beginRepair(t, n, at)
		if err := do(tx); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), " rows instead of ") {
			t.Errorf("%s: %v", name, err)
		}
		tx.Close()
	}
}

func TestRepairTx_ChecksDeferrableConstraintsByQuery(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, a int, b text, CONSTRAINT ab UNIQUE (a, b) DEFERRABLE);
		INSERT INTO t VALUES (1, 1, 'x'), (2, 2, 'x'), (3, NULL, 'x'), (4, NULL, 'x')`)
	w, err := n.DescribeWriting(t.Context(), "public", "t")
	if err != nil || len(w.Deferrable) != 1 || w.Deferrable[0].Name != "ab" || !w.Deferrable[0].Distinct {
		t.Fatalf("%+v, error %v", w, err)
	}
	tx := beginRepair(t, n, at)
	keys := []table.Key{key("1"), key("2"), key("3")}
	if twin, err := tx.Duplicate(t.Context(), at, w.Deferrable[0], keys); err != nil || twin != -1 {
		t.Errorf("before: place %d, error %v", twin, err)
	}
	if err := errors.Join(tx.DisableTriggers(t.Context()), tx.Update(t.Context(), at, []int{1}, []table.Key{key("2")}, []table.Row{text("1")}, true), tx.CheckNow(t.Context())); err != nil {
		t.Fatal(err)
	}
	if twin, err := tx.Duplicate(t.Context(), at, w.Deferrable[0], keys[1:]); err != nil || twin != 0 {
		t.Errorf("after: place %d, error %v", twin, err)
	}
}

func TestDescribeWriting_ReturnsPrivilegesAndSideEffects(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		c.Exec(t, 0, `CREATE TABLE t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, g int GENERATED ALWAYS AS (id + 1) STORED, email text);
			CREATE UNIQUE INDEX mail ON t (lower(email)) WHERE n > 0;
			CREATE TABLE child (id int PRIMARY KEY, t int CONSTRAINT belongs REFERENCES t ON DELETE CASCADE, o int CONSTRAINT other REFERENCES t);
			CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
			CREATE TRIGGER plain BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
			CREATE TRIGGER always AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER always;
			CREATE TRIGGER off BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER off`,
			`DROP ROLE IF EXISTS writer`, `CREATE ROLE writer LOGIN PASSWORD 'writer'`, `GRANT SELECT, INSERT ON t TO writer; GRANT UPDATE (id, n, email) ON t TO writer`)
		at := target(c, 0)
		super, err := nodeAt(t, at).DescribeWriting(t.Context(), "public", "t")
		if err != nil {
			t.Fatal(err)
		}
		want := []table.Trigger{{Name: "always", Always: true}, {Name: "plain"}}
		if diff := cmp.Diff(want, super.Triggers); diff != "" || !super.ReplicaRole || !super.Delete {
			t.Errorf("%+v\n%s", super, diff)
		}
		if diff := cmp.Diff([]table.Reference{{Name: "belongs", Table: "public.child", Columns: []string{"id"}, OnDelete: true}}, super.References); diff != "" {
			t.Error(diff)
		}
		if len(super.Identity) != 1 || super.Identity[0] != "n" || len(super.Unique) != 3 {
			t.Errorf("identity %v, unique %v", super.Identity, super.Unique)
		}
		at.User, at.Password = "writer", "writer"
		w, err := nodeAt(t, at).DescribeWriting(t.Context(), "public", "t")
		if err != nil || len(w.Insert.Except)+len(w.Update.Except) > 0 || w.Delete || w.ReplicaRole || w.Role != "writer" {
			t.Errorf("%+v, error %v", w, err)
		}
		c.Exec(t, 0, `REVOKE ALL ON t FROM writer`, `REVOKE UPDATE (id, n, email) ON t FROM writer`, `DROP OWNED BY writer`, `DROP ROLE writer`)
	}
}

func TestConvert_ReturnsValuesAsTheNodeStoresThem(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY)`)
	tx := beginRepair(t, n, at)
	got, err := tx.Convert(t.Context(), []table.Conversion{{Type: "numeric(10,2)"}, {Type: "timestamp with time zone"}},
		[]table.Row{text("5", "2024-01-01 00:00:00+01"), text(pgtest.Null, "infinity")})
	want := []table.Row{text("5.00", "2023-12-31 23:00:00+00"), text(pgtest.Null, "infinity")}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v\n%s", err, diff)
	}
	if _, err := tx.Convert(t.Context(), []table.Conversion{{Type: "integer"}}, []table.Row{text("x")}); !isViolation(err) {
		t.Errorf("a value that the type does not accept: error %v", err)
	}
}

func TestKeepLocal_SetsAnOriginForTheRepairOnly(t *testing.T) {
	c := pgtest.Own(t, pgtest.Nodes(1), pgtest.ServerSetting("wal_level", "logical"))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY)`)
	c.Exec(t, 0, `SELECT pg_create_logical_replication_slot('here', 'test_decoding')`)
	for _, id := range []string{"1", "2"} { // another repair is open, with an origin that it has created or found
		other := openRepair(t, n, at)
		if reason, err := other.KeepLocal(t.Context()); err != nil || reason != "" {
			t.Fatalf("reason %q, error %v", reason, err)
		}
		tx := openRepair(t, n, at)
		if reason, err := tx.KeepLocal(t.Context()); err != nil || reason != "" {
			t.Fatalf("reason %q, error %v", reason, err)
		}
		if err := errors.Join(tx.Insert(t.Context(), at, []int{0}, []table.Row{text(id)}), tx.Commit(t.Context())); err != nil {
			t.Fatal(err)
		}
		tx.Close()
		other.Close()
	}
	c.Exec(t, 0, `INSERT INTO t VALUES (3)`)
	got := c.QueryStrings(t, 0, `SELECT data FROM pg_logical_slot_get_changes('here', NULL, NULL, 'only-local', '1', 'include-xids', '0') WHERE data LIKE 'table%'`)
	if want := [][]string{{"table public.t: INSERT: id[integer]:3"}}; !cmp.Equal(want, got) {
		t.Errorf("a subscriber that wants local changes only gets %v", got)
	}
}

func TestKeepLocal_CallsSpockOnlyIfTheFunctionBelongsToTheExtension(t *testing.T) {
	for _, major := range []int{pgtest.Oldest, pgtest.Newest} {
		c := pgtest.NewCluster(t, pgtest.Majors(major))
		n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE called (enabled boolean); CREATE SCHEMA spock;
			CREATE FUNCTION spock.repair_mode(enabled boolean) RETURNS void LANGUAGE sql AS 'INSERT INTO public.called VALUES (enabled)'`)
		keepLocal := func() string {
			tx := openRepair(t, n, at)
			_, err := tx.KeepLocal(t.Context())
			if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
				t.Fatal(err)
			}
			tx.Close()
			return fmt.Sprint(c.QueryStrings(t, 0, `SELECT * FROM called`))
		}
		if got := keepLocal(); got != "[]" {
			t.Errorf("PostgreSQL %d: a function in a plain schema spock was called", c.Nodes[0].Major)
		}

		c.Exec(t, 0, `INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
				SELECT 99999, 'spock', nspowner, oid, false, '1' FROM pg_namespace WHERE nspname = 'spock'`,
			`ALTER EXTENSION spock ADD FUNCTION spock.repair_mode(boolean)`)
		if got := keepLocal(); got != "[[t]]" {
			t.Errorf("PostgreSQL %d: the extension's function was called with %s, want [[t]]", c.Nodes[0].Major, got)
		}
	}
}

func TestKeepLocal_ReportsAServerWithoutFreeOrigins(t *testing.T) {
	c := pgtest.Own(t, pgtest.Nodes(1), pgtest.ServerSetting("wal_level", "logical"), pgtest.ServerSetting("max_replication_slots", "1"))
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY)`)
	other := c.Connect(t, 0)
	if _, err := other.Exec(t.Context(), `SELECT pg_replication_origin_create('another')`); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), `SELECT pg_replication_origin_session_setup('another')`); err != nil {
		t.Fatal(err)
	}
	tx := openRepair(t, n, at)
	if reason, err := tx.KeepLocal(t.Context()); err != nil || !strings.Contains(reason, "max_replication_slots") {
		t.Fatalf("reason %q, error %v", reason, err)
	}
	if err := errors.Join(tx.Insert(t.Context(), at, []int{0}, []table.Row{text("1")}), tx.Commit(t.Context())); err != nil {
		t.Error(err)
	}
}

// A repair decides by the rows that Lock returns. If another transaction has changed a
// row while Lock waited for it, the returned row is the changed one.
func TestRepairTx_LockReturnsWhatAConcurrentChangeWrote(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	n, at := writable(t, c, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old'), (2, 'old'), (3, 'old')`)
	other := c.Connect(t, 0)
	if _, err := other.Exec(t.Context(), `BEGIN; UPDATE t SET v = 'new' WHERE id = 2; DELETE FROM t WHERE id = 3`); err != nil {
		t.Fatal(err)
	}
	tx := beginRepair(t, n, at)
	committed, watch := make(chan error, 1), c.Connect(t, 0)
	go func() {
		for {
			var waiting bool
			err := watch.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
			if err != nil || waiting {
				_, ending := other.Exec(t.Context(), `COMMIT`)
				committed <- errors.Join(err, ending)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	rows := readAll(t, func() (table.RowStream, error) {
		return tx.Lock(t.Context(), at.Source, []table.Key{key("1"), key("2"), key("3")})
	})
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || *rows[0][1] != "old" || *rows[1][1] != "new" {
		t.Errorf("locked %v", rows)
	}
}
