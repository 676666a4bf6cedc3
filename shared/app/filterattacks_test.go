//go:build !unit

package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// A filter has only the rights of the role that compares. Whatever it calls, it is
// refused, or nothing on a node is different afterwards. No answer shows what the role
// may not read.
func TestTableFilter_AttacksAreRefusedOrHaveNoEffect(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 20) i`)
	checking, _ := c.Roles(t)
	c.ExecAll(t, pgtest.AttackTables) // roles.sql has granted nothing on these
	s := apptest.New(t, checking, apptest.Options{Timeout: 2 * time.Second, Patience: 100 * time.Millisecond})
	before := unharmed(t, c)

	refused, others := pgtest.Attacks("id")
	if n := len(refused) + len(others); n < 60 {
		t.Errorf("only %d attacks", n)
	}
	mustFail := map[string]bool{}
	for _, text := range refused {
		mustFail[text] = true
	}
	submitted := map[string]string{} // task id -> filter; they run while others are submitted
	for _, text := range append(refused, others...) {
		submitted[s.Submit(t, "public.t", "table_filter", text)] = text
	}
	for id, text := range submitted {
		status := s.Wait(t, id)
		if mustFail[text] && status.Status != api.StatusFailed {
			t.Errorf("%s: ended %s %s, want FAILED", text, status.Status, status.Result)
		}
		if status.Status == api.StatusFailed && !strings.Contains(status.Error, `"n1"`) && !strings.Contains(status.Error, `"n2"`) {
			t.Errorf("%s: the error names no node: %s", text, status.Error)
		}
		if all := status.Error + string(status.Result); strings.Contains(all, pgtest.Secret) || strings.Contains(all, "root:") || strings.Contains(all, "panic") {
			t.Errorf("%s: the answer shows a secret: %s", text, all)
		}
	}

	s.Queue.Close()
	s.App.Close()
	if diff := cmp.Diff(before, unharmed(t, c)); diff != "" {
		t.Errorf("an attack had an effect:\n%s", diff)
	}
}

// unharmed returns the state of each node that an attack could change.
func unharmed(t *testing.T, c *pgtest.Cluster) (states [][][]string) {
	t.Helper()
	for node := range c.Nodes {
		states = append(states, c.QueryStrings(t, node, pgtest.Unharmed))
	}
	return states
}
