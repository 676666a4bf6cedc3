//go:build !unit

package page_test

import (
	"testing"

	"ace/infra/testkit/pgtest"
)

// hostile is a table whose name and values try to be markup.
const hostile = `public."<script>alert(1)</script>"`

// shop creates the cluster "demo": three nodes whose table public.customers differs in
// four rows on n2, and a few other tables. The service connects as a role that can
// repair. admin connects as a superuser.
func shop(t testing.TB) (admin, c *pgtest.Cluster) {
	t.Helper()
	admin = pgtest.NewCluster(t, pgtest.Nodes(3))
	admin.ExecAll(t, "CREATE DATABASE shop")
	admin.DB = "shop"
	admin.ExecAll(t,
		`CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text NOT NULL, city text, credit numeric(12, 2) NOT NULL)`,
		`INSERT INTO customers SELECT i, 'Customer ' || i, 'customer' || i || '@example.com',
			(ARRAY['Lisbon', 'Osaka', 'Quito', 'Tromsø'])[1 + i % 4], (i * 7919 % 1000000) / 100.0 FROM generate_series(1, 2000) i`,
		`CREATE TABLE orders (id bigint PRIMARY KEY, total numeric)`, `INSERT INTO orders SELECT i, i FROM generate_series(1, 500) i`,
		`CREATE TABLE invoices (id bigint PRIMARY KEY, total numeric)`, `INSERT INTO invoices SELECT i, i FROM generate_series(1, 300) i`,
		`CREATE TABLE log (line text)`,
		`CREATE TABLE "<script>alert(1)</script>" (id int PRIMARY KEY, "<b>note" text)`, `ANALYZE`)
	admin.Exec(t, 1,
		`UPDATE customers SET credit = credit + 100 WHERE id IN (471, 1234)`, `UPDATE customers SET city = NULL WHERE id = 77`,
		`DELETE FROM customers WHERE id = 1500`)
	admin.Exec(t, 0, `INSERT INTO "<script>alert(1)</script>" VALUES (1, E'</script><img src=x onerror=alert(1)>\x1b[31m\u202e')`)
	_, c = admin.Roles(t)
	c.Name = "demo"
	return admin, c
}
