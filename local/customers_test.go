//go:build !unit

package main_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
)

// customers creates a table of this many rows, the same on all nodes, with the columns of
// a usual table of customers.
func customers(t testing.TB, c *pgtest.Cluster, rows int) {
	t.Helper()
	c.ExecAll(t,
		`CREATE UNLOGGED TABLE customers (index bigint, customer_id text, first_name text, last_name text, company text, city text,
			country text, phone_1 text, phone_2 text, email text, subscription_date timestamptz, website text)`,
		insertCustomers(1, rows),
		`ALTER TABLE customers ADD PRIMARY KEY (index)`,
		`ANALYZE customers`)
}

func insertCustomers(from, to int) string {
	return fmt.Sprintf(`INSERT INTO customers SELECT i, md5(i::text), 'First ' || i %% 997, 'Last ' || i %% 991, 'Company ' || i %% 5003,
		'City ' || i %% 211, 'Country ' || i %% 97, '+49 30 ' || i, '(030) ' || i * 7, 'mail' || i || '@example.com',
		timestamptz '2020-01-01 00:00Z' + i * interval '31 seconds', 'https://example.com/' || i FROM generate_series(%d, %d) i`, from, to)
}

// drift lists what differs between the nodes after makeDrift, by kind.
type drift struct{ updated, onlyFirst, onlySecond []string }

// makeDrift makes the second node of a customers table of this many rows differ:
// scattered updates, 3 deletes, 2 inserts.
func makeDrift(t testing.TB, c *pgtest.Cluster, rows, updates int) drift {
	t.Helper()
	var d drift
	step := rows / updates
	for i := range updates {
		d.updated = append(d.updated, strconv.Itoa(i*step+step/2))
	}
	d.onlyFirst = []string{"1", strconv.Itoa(rows/3 + 1), strconv.Itoa(rows)}
	d.onlySecond = []string{strconv.Itoa(rows + 1), strconv.Itoa(rows + 2)}
	c.Exec(t, 1,
		`UPDATE customers SET email = 'moved' || email WHERE index IN (`+strings.Join(d.updated, ",")+`)`,
		`DELETE FROM customers WHERE index IN (`+strings.Join(d.onlyFirst, ",")+`)`,
		insertCustomers(rows+1, rows+2))
	return d
}

func (d drift) rows() int64 { return int64(len(d.updated) + len(d.onlyFirst) + len(d.onlySecond)) }

// check compares d with the rows that the document of a task lists for the nodes.
func (d drift) check(t testing.TB, found map[string][]string) {
	t.Helper()
	for node, want := range map[string][]string{
		"n1": slices.Concat(d.updated, d.onlyFirst), "n2": slices.Concat(d.updated, d.onlySecond),
	} {
		want, got := byNumber(want), byNumber(found[node])
		if !slices.Equal(want, got) {
			t.Errorf("on %s %d rows differ, want %d:\n%v\nwant\n%v", node, len(got), len(want), got, want)
		}
	}
}

func byNumber(texts []string) []int {
	numbers := make([]int, len(texts))
	for i, text := range texts {
		numbers[i], _ = strconv.Atoi(text) // the column is a bigint
	}
	slices.Sort(numbers)
	return numbers
}

// reads counts the rows of the table that a node has read.
type reads struct{ byIndex, byScan int64 }

// rowsRead waits until the service has no connection to the nodes, and returns what a
// node has read so far.
func rowsRead(t testing.TB, c *pgtest.Cluster, node int) reads {
	t.Helper()
	eventually(t, startTimeout, "ace has left the servers", func() bool { return sessions(t, c, "") == 0 })
	row := c.QueryStrings(t, node, `SELECT coalesce(idx_tup_fetch, 0), seq_tup_read FROM pg_stat_user_tables WHERE relname = 'customers'`)[0]
	byIndex, errIndex := strconv.ParseInt(row[0], 10, 64)
	byScan, errScan := strconv.ParseInt(row[1], 10, 64)
	if err := errors.Join(errIndex, errScan); err != nil {
		t.Fatal(err)
	}
	return reads{byIndex, byScan}
}

// since returns what was read after an earlier count.
func (r reads) since(before reads) reads {
	return reads{r.byIndex - before.byIndex, r.byScan - before.byScan}
}

// sessions counts ace's sessions in the cluster's database, on all nodes together.
func sessions(t testing.TB, c *pgtest.Cluster, condition string) int {
	t.Helper()
	total := 0
	for node := range c.Nodes {
		total += len(c.QueryStrings(t, node, `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%'`+condition))
	}
	return total
}
