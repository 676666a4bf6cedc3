//go:build !unit

package main_test

import (
	"net/http"
	"testing"

	"ace/infra/testkit/pgtest"
)

// tiny makes a table whose comparison takes a moment, the same on all nodes.
func tiny(t testing.TB, c *pgtest.Cluster) {
	t.Helper()
	c.ExecAll(t, `CREATE TABLE tiny (id int PRIMARY KEY, name text)`, `INSERT INTO tiny SELECT i, 'name ' || i FROM generate_series(1, 10) i`)
}

// hold makes every comparison of a table wait until the returned function is called: it
// takes a lock that blocks every reader.
func hold(t testing.TB, c *pgtest.Cluster, table string) (release func()) {
	t.Helper()
	conn := c.Connect(t, 0)
	if _, err := conn.Exec(t.Context(), "BEGIN; LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// withToken adds a bearer token to every request.
type withToken struct {
	http.RoundTripper
	token string
}

// RoundTrip sends the request.
func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.token)
	return w.RoundTripper.RoundTrip(r)
}
