//go:build !unit

package pg

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/pgtest"
	"ace/shared/fault"
	"ace/shared/rowdigest"
	"ace/shared/table"
)

// preparedBy returns the names and texts of the statements that ACE has prepared in the
// only session of the node's pool.
func preparedBy(t *testing.T, n *Node) map[string]string {
	t.Helper()
	conn, err := n.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	result := conn.Conn().PgConn().ExecParams(t.Context(),
		`SELECT name, statement FROM pg_catalog.pg_prepared_statements WHERE name ~ '^ace_'`, nil, nil, nil, nil).Read()
	if result.Err != nil {
		t.Fatal(result.Err)
	}
	found := map[string]string{}
	for _, row := range result.Rows {
		found[string(row[0])] = string(row[1])
	}
	return found
}

// readCatalog reads the catalog entries of a table as the planner of a comparison does.
func readCatalog(t *testing.T, n *Node, name string) (*table.Description, table.Facts) {
	t.Helper()
	facts, err := n.Facts(t.Context(), "public", name)
	if err != nil {
		t.Fatal(err)
	}
	return describeTable(t, n, name), facts
}

func TestPrepared_StatementsServeTheNextTable(t *testing.T) {
	n, c := testNode(t)
	c.Exec(t, 0, `CREATE TABLE a (id int PRIMARY KEY, v text)`,
		`CREATE TABLE b (id uuid, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
		`CREATE TABLE b1 PARTITION OF b FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')`)
	readCatalog(t, n, "a") // the first transaction does not know yet whether there is a pooler
	first, _ := readCatalog(t, n, "a")
	kept := preparedBy(t, n)
	if len(kept) < 8 {
		t.Errorf("%d statements are prepared: %q", len(kept), kept)
	}

	without := through(t, c, pgtest.NewPooler(t, c, func() int { return 0 })) // prepares nothing, see below
	for _, name := range []string{"b", "a"} {
		wantDescription, wantFacts := readCatalog(t, without, name)
		description, facts := readCatalog(t, n, name)
		wantDescription.Address, description.Address = "", ""
		wantFacts.Server, facts.Server = table.Identity{}, table.Identity{} // depends on earlier transactions of the connection
		if diff := cmp.Diff(wantDescription, description); diff != "" {
			t.Errorf("%s (-without +with prepared statements):\n%s", name, diff)
		}
		if diff := cmp.Diff(wantFacts, facts); diff != "" {
			t.Errorf("facts of %s (-without +with prepared statements):\n%s", name, diff)
		}
	}
	if diff := cmp.Diff(kept, preparedBy(t, n)); diff != "" {
		t.Errorf("other statements were prepared for the next tables (-before +after):\n%s", diff)
	}

	// A plan must not outlive the table that it was used for.
	c.Exec(t, 0, `DROP TABLE a`, `CREATE TABLE a (id int, v varchar(5) COLLATE "C" PRIMARY KEY)`)
	again, _ := readCatalog(t, n, "a")
	if again.Files == first.Files || len(again.Indexes) != 1 || again.Indexes[0].Columns[0].Name != "v" || again.Columns[1].Declared != "character varying(5)" {
		t.Errorf("the new table is %+v", again)
	}
}

func TestPrepared_NoneThroughAPooler(t *testing.T) {
	c := pgtest.NewCluster(t, pgtest.Nodes(1))
	c.Exec(t, 0, `CREATE TABLE a (id int PRIMARY KEY)`)
	n := through(t, c, pgtest.NewPooler(t, c, func() int { return 0 }))
	for range 3 {
		readCatalog(t, n, "a")
	}
	if kept := preparedBy(t, n); len(kept) > 0 {
		t.Errorf("prepared in a session of the pooler: %q", kept)
	}
}

func TestPrepared_StatementsThatAreGoneArePreparedAgain(t *testing.T) {
	n, c := testNode(t)
	c.Exec(t, 0, `CREATE TABLE a (id int PRIMARY KEY)`)
	remove := func(sql string) {
		conn, err := n.pool.Acquire(t.Context())
		if err == nil {
			_, err = conn.Exec(t.Context(), sql)
			conn.Release()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		readCatalog(t, n, "a")
	}

	// After a transaction that may run user code, ACE itself removes the prepared
	// statements.
	foreign := begin(t, n, table.Source{Foreign: true})
	err := foreign.run(t.Context(), "testing")
	foreign.Close()
	if kept := preparedBy(t, n); err != nil || len(kept) > 0 {
		t.Errorf("after a transaction with user code: %v, %q", err, kept)
	}
	for range 2 {
		readCatalog(t, n, "a")
	}

	remove(`DEALLOCATE ALL`)
	_, err = n.Describe(t.Context(), "public", "a", rowdigest.Seeds{})
	if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "26000") {
		t.Errorf("the first read without the statements returned %v, want an error that is retried", err)
	}
	for range 2 {
		readCatalog(t, n, "a")
	}
	if kept := preparedBy(t, n); len(kept) == 0 {
		t.Error("nothing was prepared again")
	}
}
