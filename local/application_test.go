//go:build !unit

package main_test

import (
	"slices"
	"strings"
	"testing"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// Case O-P23, see docs/RELIABILITY.md. The task waits for a lock, because a DBA then
// searches for the session that waits. After the task no session has its name.
func TestServe_NamesTheTaskInEverySession(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	s := newHome(t, c).serve(t, nil)
	release := hold(t, c, "tiny")
	id := s.submit(t, c, "public.tiny")
	names := func(condition string) []string {
		var names []string
		for _, row := range c.QueryStrings(t, 0, `SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'ace%' AND `+condition) {
			names = append(names, row[0])
		}
		return names
	}
	eventually(t, startTimeout, "a session of the task waits", func() bool {
		return slices.Contains(names("wait_event_type = 'Lock'"), "ace "+id)
	})
	release()
	eventually(t, taskTimeout, "the task has ended", func() bool { return s.status(t, id).Status == api.StatusCompleted })

	second := s.submit(t, c, "public.tiny")
	eventually(t, taskTimeout, "the second task has ended", func() bool { return s.status(t, second).Status == api.StatusCompleted })
	if left := names("true"); slices.ContainsFunc(left, func(name string) bool { return strings.HasPrefix(name, "ace ") }) {
		t.Errorf("after the tasks the sessions are named %q", left)
	}
}
