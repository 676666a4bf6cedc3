//go:build !unit

package pgserver_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"ace/infra/testkit/pgserver"
)

const password = "p'w\\%d"

func TestMain(m *testing.M) {
	if os.Getenv("PGSERVER_TEST_CHILD") != "" {
		startAndHang()
	}
	goleak.VerifyTestMain(m)
}

// startAndHang is the process that TestServer_DiesWithTheProcessThatStartedIt kills.
func startAndHang() {
	s, err := pgserver.Start(context.Background(), pgserver.Options{Installation: pgserver.Installations()[0]})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("%d %s\n", s.Port(), s.SocketDir())
	time.Sleep(time.Hour)
}

func start(t *testing.T, o pgserver.Options) *pgserver.Server {
	t.Helper()
	s, err := pgserver.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// anyInstallation returns the installation of the lowest major version.
func anyInstallation(t *testing.T) pgserver.Installation {
	t.Helper()
	all := pgserver.Installations()
	if len(all) == 0 {
		t.Fatal("no PostgreSQL found: run `make deps`")
	}
	return all[0]
}

// query runs one statement over TCP with the password and returns its only value.
func query(s *pgserver.Server, pw, statement string) (string, error) {
	dsn := url.URL{
		Scheme: "postgres", User: url.UserPassword(pgserver.Superuser, pw), Path: "postgres",
		Host: pgserver.Host + ":" + strconv.Itoa(s.Port()), RawQuery: "sslmode=disable",
	}
	conn, err := pgx.Connect(context.Background(), dsn.String())
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	var value string
	err = conn.QueryRow(context.Background(), statement).Scan(&value)
	return value, err
}

func mustQuery(t *testing.T, s *pgserver.Server, statement string) string {
	t.Helper()
	value, err := query(s, password, statement)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestStart_EveryInstallationServesWithItsSettings(t *testing.T) {
	anyInstallation(t)
	for _, in := range pgserver.Installations() {
		t.Run(strconv.Itoa(in.Major), func(t *testing.T) {
			s := start(t, pgserver.Options{
				Installation: in,
				Password:     password,
				Settings:     map[string]string{"application_name": `it's a \ test`},
				InitdbArgs:   []string{"--encoding=SQL_ASCII"},
			})
			got := mustQuery(t, s, "SELECT concat_ws('|', current_setting('server_version_num')::int / 10000,"+
				" current_setting('fsync'), current_setting('server_encoding'), current_user)")
			want := fmt.Sprintf("%d|off|SQL_ASCII|postgres", in.Major)
			if got != want {
				t.Errorf("server says %q, want %q", got, want)
			}
			if got := mustQuery(t, s, "SELECT reset_val FROM pg_settings WHERE name = 'application_name'"); got != `it's a \ test` {
				t.Errorf("application_name = %q", got)
			}
			if _, err := os.Stat(filepath.Join(s.SocketDir(), ".s.PGSQL."+strconv.Itoa(s.Port()))); err != nil {
				t.Errorf("no Unix socket: %v", err)
			}
		})
	}
}

func TestStart_WrongPasswordIsRefused(t *testing.T) {
	s := start(t, pgserver.Options{Installation: anyInstallation(t), Password: password})
	if _, err := query(s, "wrong", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("error = %v, want a failed password authentication", err)
	}
}

func TestStart_FailuresSayWhy(t *testing.T) {
	in := anyInstallation(t)
	running := start(t, pgserver.Options{Installation: in})
	tests := []struct {
		name string
		o    pgserver.Options
		want string
	}{
		{"an unknown setting", pgserver.Options{Installation: in, Settings: map[string]string{"no_such": "1"}}, "no_such"},
		{"a port in use", pgserver.Options{Installation: in, Port: running.Port()}, strconv.Itoa(running.Port())},
		{"an unknown initdb option", pgserver.Options{Installation: in, InitdbArgs: []string{"--no-such"}}, "no-such"},
		{"no installation", pgserver.Options{Installation: pgserver.Installation{Major: 3, BinDir: "/nowhere"}}, "/nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := pgserver.Start(t.Context(), tt.o)
			if err == nil {
				_ = s.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %q, want one that names %q", err, tt.want)
			}
		})
	}
}

func TestStart_CancelledContextLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "server")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pgserver.Start(ctx, pgserver.Options{Installation: anyInstallation(t), Dir: dir, Port: 11999}); err == nil {
		t.Fatal("started under a cancelled context")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
}

func TestRestart_KeepsPortAndCommittedRows(t *testing.T) {
	s := start(t, pgserver.Options{Installation: anyInstallation(t), Password: password})
	mustQuery(t, s, "SELECT lo_from_bytea(4242, 'kept')::text")
	port := s.Port()
	stops := map[string]func() error{
		"stop": func() error { return s.Stop(t.Context()) },
		"kill": s.Kill,
		"none": func() error { return nil },
	}
	for name, stop := range stops {
		if err := stop(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := query(s, password, "SELECT 1"); err == nil && name != "none" {
			t.Fatalf("the server answers after %s", name)
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatalf("restart after %s: %v", name, err)
		}
		if s.Port() != port {
			t.Errorf("port %d became %d", port, s.Port())
		}
		if got := mustQuery(t, s, "SELECT encode(lo_get(4242), 'escape')"); got != "kept" {
			t.Errorf("after %s: the row is %q", name, got)
		}
	}
}

func TestKill_EndsBusyBackendsToo(t *testing.T) {
	s := start(t, pgserver.Options{Installation: anyInstallation(t), Password: password})
	ended := make(chan error, 1)
	go func() {
		_, err := query(s, password, "SELECT count(*)::text FROM generate_series(1, 1e15)")
		ended <- err
	}()
	for mustQuery(t, s, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%1e15)' AND state = 'active'") != "1" {
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the statement succeeded")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Errorf("no restart right after the kill: %v", err)
	}
}

func TestClose_RemovesTheFilesAndTheSharedMemory(t *testing.T) {
	s := start(t, pgserver.Options{Installation: anyInstallation(t)})
	dir := s.SocketDir()
	pidFile, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	segment := strings.Fields(strings.Split(string(pidFile), "\n")[6])[1]
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", dir, err)
	}
	segments, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(segments)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == segment {
			t.Errorf("shared memory segment %s is left", segment)
		}
	}
}

func TestServer_DiesWithTheProcessThatStartedIt(t *testing.T) {
	anyInstallation(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "PGSERVER_TEST_CHILD=1")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var port int
	var dir string
	_, scanErr := fmt.Fscan(out, &port, &dir)
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	if scanErr != nil {
		t.Fatalf("the child started no server: %v", scanErr)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	pidFile := filepath.Join(dir, "data", "postmaster.pid") // removed at the end of an immediate shutdown
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(pidFile); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server in %s still runs", dir)
		}
	}
}

func TestFind_NamesTheRemedyForAMissingMajor(t *testing.T) {
	if _, err := pgserver.Find(7); err == nil || !strings.Contains(err.Error(), "make deps") {
		t.Errorf("error = %v", err)
	}
}
