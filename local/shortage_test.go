//go:build !unit

package main_test

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ace/infra/testkit/pgtest"
)

// If the service has no file descriptor left for a request, it answers 503. After a 400,
// which blames the request, a scheduler would not repeat it.
func TestServe_WithoutFileDescriptorsARequestIsRefusedForNow(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	s := newHome(t, c).serve(t, nil)
	s.read(t, "/healthz", "", &struct{}{}) // the connection stays open

	var before unix.Rlimit
	limit := unix.Rlimit{Cur: 3} // descriptors 0 to 2 are in use
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	limit.Max = before.Max
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	resp := s.get(t, "/ace/table-diff", diffQuery(c, "public.t"))
	if resp.Status != 503 || !strings.Contains(string(resp.Body), "too many open files") {
		t.Errorf("the answer is %d %s, want a 503 with the reason", resp.Status, resp.Body)
	}

	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	if resp := s.get(t, "/ace/table-diff", diffQuery(c, "public.t")); resp.Status != 200 {
		t.Errorf("with file descriptors again, the answer is %d %s", resp.Status, resp.Body)
	}
}
