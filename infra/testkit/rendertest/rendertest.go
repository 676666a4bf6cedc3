// Package rendertest generates any number of realistic differences, for tests and for
// large pages.
package rendertest

import (
	"iter"
	"strconv"
	"strings"

	"ace/infra/testkit/difftest"
	"ace/shared/difffile"
)

// Customers returns the summary of a realistic comparison of a table of customers.
func Customers(nodes ...string) difffile.Summary {
	s := difftest.Summary(nodes,
		difffile.Column{Name: "region", Type: "text"}, difffile.Column{Name: "id", Type: "bigint"}, difffile.Column{Name: "name", Type: "text"},
		difffile.Column{Name: "email", Type: "text"}, difffile.Column{Name: "status", Type: "text"}, difffile.Column{Name: "balance", Type: "numeric(12,2)"},
		difffile.Column{Name: "active", Type: "boolean"}, difffile.Column{Name: "preferences", Type: "jsonb"},
		difffile.Column{Name: "updated_at", Type: "timestamp with time zone"}, difffile.Column{Name: "note", Type: "text"})
	s.PrimaryKey = []string{"region", "id"}
	s.Table, s.ClusterName, s.DBName = "customers", "production", "shop"
	s.TotalRows, s.Blocks, s.MismatchedBlocks, s.TimeTaken, s.ResolvedRows = 2_000_001, 200, 12, 2.041, 2
	s.Timings = map[string]float64{"plan": 0.061, "compare": 1.484, "confirm": 0.402, "merge": 0.094}
	for i, node := range nodes {
		s.RowsPerNode[node] = 2_000_000 - int64(i)
	}
	return s
}

// Customer returns a row of the table of customers. It is fast, because tests need very
// many rows.
func Customer(id int) difffile.Row {
	names := [...]string{"Ada Lovelace", "Grace Hopper", "Edsger Dijkstra", "Barbara Liskov", "Donald Knuth", "Frances Allen", "Tony Hoare"}
	mails := [...]string{"ada.lovelace", "grace.hopper", "edsger.dijkstra", "barbara.liskov", "donald.knuth", "frances.allen", "tony.hoare"}
	who, few := id%len(names), strconv.Itoa(10+id%80)
	return difftest.Row([...]string{"eu", "us", "apac"}[id%3], strconv.Itoa(1_000_000+id*7919), names[who],
		mails[who]+few+"@example.com", [...]string{"active", "paused", "closed"}[id%3], strconv.Itoa(id*37%9000)+"."+few, "t",
		`{"theme": "dark", "locale": "en-GB", "newsletter": true, "visits": `+few+"}", "2024-03-15 12:"+[...]string{"07", "34", "56"}[id%3]+":07.0000"+few+"+00", difftest.Null)
}

// Drifted returns the row Customer(id) as it is on a node that missed an update.
func Drifted(id int) difffile.Row {
	row := Customer(id)
	set := func(column int, value string) { row[column] = &value }
	switch id % 5 {
	case 0:
		set(5, "0.00")
	case 1:
		set(4, "suspended")
		set(8, strings.Replace(*row[8], "2024-03-", "2024-02-", 1))
	case 2:
		set(7, strings.Replace(*row[7], "en-GB", "en-US", 1))
	case 3:
		set(3, strings.Replace(*row[3], "example.com", "example.org", 1))
		set(9, "")
	case 4:
		set(9, "called back,\nwants a refund")
		row[5] = nil
	}
	return row
}

// Drift returns the differences between two nodes: of every ten keys, eight have
// different rows, one has no row on the first node, and one has no row on the second.
func Drift(keys int) iter.Seq[difftest.Found] {
	return func(yield func(difftest.Found) bool) {
		for id := 1; id <= keys; id++ {
			f := difftest.Found{Rows: [2]difffile.Row{Customer(id), Drifted(id)}, Unsettled: id%50 == 3}
			switch id % 10 {
			case 6:
				f.Rows[1] = nil
			case 9:
				f.Rows[0] = nil
			}
			if !yield(f) {
				return
			}
		}
	}
}

// Accounts returns the summary of a comparison of a table with few columns. It is for
// documents with very many differences.
func Accounts(nodes ...string) difffile.Summary {
	return difftest.Summary(nodes, difffile.Column{Name: "id", Type: "bigint"}, difffile.Column{Name: "status", Type: "text"},
		difffile.Column{Name: "balance", Type: "numeric(12,2)"}, difffile.Column{Name: "note", Type: "text"})
}

// Arrears returns the differences between two nodes: of every ten keys, seven differ in
// the balance, one differs in the status, one has no row on the first node, and one has
// no row on the second.
func Arrears(keys int) iter.Seq[difftest.Found] {
	return func(yield func(difftest.Found) bool) {
		for n := 1; n <= keys; n++ {
			id := strconv.Itoa(1_000_000 + n*7919)
			f := difftest.Found{Rows: [2]difffile.Row{difftest.Row(id, "active", id+".00", difftest.Null), difftest.Row(id, "active", "0.00", difftest.Null)}}
			switch n % 10 {
			case 1:
				f.Rows[1] = difftest.Row(id, "suspended", id+".00", difftest.Null)
			case 6:
				f.Rows[1] = nil
			case 9:
				f.Rows[0] = nil
			}
			if !yield(f) {
				return
			}
		}
	}
}
