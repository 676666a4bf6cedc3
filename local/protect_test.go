//go:build !unit

package main_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
)

// The kernel makes the files of a process whose memory is protected root's, so that
// neither a debugger nor a core dump of the user can read it.
func TestServe_MemoryIsReadableForADebuggerOnlyIfAllowed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		allowed string
		owner   uint32
	}{{"false", 0}, {"true", stranger.Uid}} {
		dir := dirOf(t, int(stranger.Uid))
		p := startAs(t, &stranger, dir, settings{"ACE_LISTEN": "unix://" + dir + "/ace.sock", "ACE_LOG_FORMAT": "json", "ACE_DEBUGGER": tt.allowed}, "serve")
		p.logged(t, "serving", "address")

		info, err := os.Stat("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/environ")
		if err != nil {
			t.Fatal(err)
		}
		owner, _ := info.Sys().(*syscall.Stat_t)
		if owner.Uid != tt.owner || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("ACE_DEBUGGER=%s: the owner of environ is %d with mode %v, want %d and no access for others", tt.allowed, owner.Uid, info.Mode(), tt.owner)
		}
	}
}

// A dump of all goroutines, such as that of a crash, has addresses and names of
// functions, but no value. The arguments of the process have no secret.
func TestServe_DumpsAndArgumentsHaveNoSecret(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		c := pgtest.NewCluster(t)
		c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'the planted value of a row')`)
		h := newHome(t, c)
		const token = "planted-token-0123456789abcdef"
		secrets := []string{c.Password, token, "the planted value of a row"}
		path := h.dir + "/token"
		try(t, os.WriteFile(path, []byte(token+"\n"), 0o600))
		s := h.serve(t, settings{"ACE_TOKEN_FILE": path, "GOTRACEBACK": "system"})
		s.client.Transport = bearing{s.client.Transport, token}

		// A statement waits while the dump is made, so that passwords and texts are in use.
		c.ExecAll(t, `CREATE VIEW slow AS SELECT pg_sleep(600) IS NULL AS x`, `GRANT SELECT ON slow TO public`)
		id := s.submit(t, c, "public.t", "table_filter", "(SELECT count(x) FROM slow) = 1")
		eventually(t, time.Minute, "the comparison runs", func() bool { return s.status(t, id).Status == api.StatusRunning })

		arguments, err := os.ReadFile("/proc/" + strconv.Itoa(s.cmd.Process.Pid) + "/cmdline")
		if err != nil || len(arguments) == 0 {
			t.Fatalf("%q, %v", arguments, err)
		}
		try(t, s.cmd.Process.Signal(signal))
		s.wait(t, startTimeout)
		dump := s.output.String()
		if !strings.Contains(dump, "goroutine ") || !strings.Contains(dump, "ace/local") {
			t.Errorf("%s: there is no dump:\n%s", signal, dump)
		}
		for _, secret := range secrets {
			checkSecret(t, "the dump after "+signal.String(), dump, secret)
			checkSecret(t, "the command line", string(arguments), secret)
		}
	}
}

// bearing adds a token to each request.
type bearing struct {
	http.RoundTripper
	token string
}

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}

func TestServe_ProfilesNeedTheToken(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	path := h.dir + "/token"
	try(t, os.WriteFile(path, []byte("0123456789abcdef\n"), 0o600))
	s := h.serve(t, settings{"ACE_TOKEN_FILE": path, "ACE_PPROF": "127.0.0.1:0"})
	address := s.logged(t, "serving profiles", "address")
	for token, want := range map[string]int{"": 401, "wrong": 401, "0123456789abcdef": 200} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/debug/pprof/cmdline", nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := s.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("with the token %q the answer is %s, want %d", token, resp.Status, want)
		}
	}
}
