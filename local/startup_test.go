//go:build !unit

package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
	"ace/shared/api"
	"ace/shared/config"
)

// exitConfig is EX_CONFIG of sysexits.h: starting again does not help.
const exitConfig = 78

func TestCommand_ReportsEveryMistakeInTheConfigurationAtOnce(t *testing.T) {
	t.Parallel()
	wrong := settings{
		"ACE_LISTEN": "0.0.0.0:5000", "ACE_STORE": "s3://key:hunter2@bucket", "ACE_MAX_TASKS": "none",
		"ACE_LOG_FORMAT": "xml", "ACE_TOKEN_FILE": "/nowhere", "ACE_CLUSTERS": "s3://bucket/clusters?zone=a", "PGPASSWORD": "hunter2",
	}
	for _, command := range []string{"serve", "doctor", "config"} {
		dir := t.TempDir()
		code, text := run(t, dir, wrong, command, "--max-queue", "0")
		if code != exitConfig || strings.Contains(text, "hunter2") || !strings.HasPrefix(text, "ace: the configuration is wrong:\n") {
			t.Errorf("%s: exit code %d:\n%s", command, code, text)
		}
		for _, name := range []string{"ACE_LISTEN", "ACE_STORE", "ACE_MAX_TASKS", "ACE_MAX_QUEUE", "ACE_LOG_FORMAT", "ACE_TOKEN_FILE", "ACE_CLUSTERS"} {
			if !strings.Contains(text, "\n  "+name+" is ") {
				t.Errorf("%s: %s is not reported:\n%s", command, name, text)
			}
		}
		if exists(t, filepath.Join(dir, "ace-data")) {
			t.Errorf("%s: a data directory was made", command)
		}
	}
}

func TestCommand_RefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"serve", "now"}, `unexpected argument "now"`},
		{[]string{"serve", "--lisen", "127.0.0.1:0"}, "flag provided but not defined: -lisen"},
		{[]string{"server"}, `there is no command "server"`},
		{[]string{"--listen", "127.0.0.1:0", "serve"}, "flag provided but not defined: -listen"},
	} {
		if code, text := run(t, t.TempDir(), nil, tt.args...); code != exitConfig || !strings.Contains(text, tt.want) {
			t.Errorf("%v: exit code %d, want %d and %q:\n%s", tt.args, code, exitConfig, tt.want, text)
		}
	}
}

func TestServe_HelpSaysWhatEachFlagIsFor(t *testing.T) {
	t.Parallel()
	code, text := run(t, t.TempDir(), nil, "serve", "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, v := range config.Variables() {
		line := regexp.MustCompile(`(?m)^ +--` + v.Flag() + ` string +(.*)$`).FindStringSubmatch(text)
		if line == nil || !strings.HasPrefix(line[1], v.Usage+": "+v.Allowed) || !strings.Contains(line[1], "$"+v.Name) {
			t.Errorf("--%s is explained as %q in\n%s", v.Flag(), line, text)
		}
	}
}

func TestConfig_ShowsWhatWouldBeUsedFlagsBeforeTheEnvironment(t *testing.T) {
	t.Parallel()
	env := settings{"ACE_MAX_TASKS": "3", "ACE_MAX_QUEUE": "7", "AWS_SECRET_ACCESS_KEY": "hunter2", "ACE_LISTEN": ""}
	code, text := run(t, t.TempDir(), env, "config", "--max-tasks", "5")
	if code != 0 || strings.Contains(text, "hunter2") {
		t.Errorf("exit code %d:\n%s", code, text)
	}
	for line, origin := range map[string]string{
		"ACE_LISTEN=127.0.0.1:5000": "default", "ACE_STORE=file://./ace-data": "default", "ACE_CLUSTERS=./clusters": "default",
		"ACE_MAX_TASKS=5": "flag", "ACE_MAX_QUEUE=7": "environment", "ACE_STATEMENT_TIMEOUT=10m0s": "default", "ACE_LOG_LEVEL=INFO": "default",
	} {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(line) + ` +# ` + origin + `$`).MatchString(text) {
			t.Errorf("%s of the %s is missing in\n%s", line, origin, text)
		}
	}
}

func TestConfig_NamesFilesAndVariablesWithoutEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, text := run(t, dir, settings{"PGPASSFILE": "/nowhere/pgpass", "PGSSLMODE": "verify-full", "ACE_SERVICE_HOST": "10.0.0.1"}, "config")
	for _, want := range []string{
		"# service file   " + dir + "/.pg_service.conf (default, not found)\n", "# password file  /nowhere/pgpass (environment, not found)\n",
		"# no effect      PGSSLMODE: ", "# warning        the variable ACE_SERVICE_HOST is unknown and has no effect\n",
	} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("exit code %d, want %q:\n%s", code, want, text)
		}
	}
}

// Case O-P28, see docs/RELIABILITY.md.
func TestVersion_IsThatOfTheBuild(t *testing.T) {
	t.Parallel()
	want := regexp.MustCompile(`^ace \S+ \(commit [^)]+\), go1\.\S+\n$`)
	for _, arg := range []string{"version", "--version"} {
		if code, text := run(t, t.TempDir(), nil, arg); code != 0 || !want.MatchString(text) {
			t.Errorf("%s: exit code %d: %q", arg, code, text)
		}
	}
	code, text := run(t, t.TempDir(), settings{"ACE_RETENTION_DAY": "30"}, "serve")
	if code != exitConfig || !strings.Contains(text, "ACE_RETENTION_DAY is unknown; did you mean ACE_RETENTION_DAYS?") {
		t.Errorf("exit code %d: %s", code, text)
	}
}

// Case O-P22, see docs/RELIABILITY.md.
func TestServe_VariablesOfLibpqDoNotChangeConnections(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	c.ExecAll(t, `CREATE TABLE t (id int PRIMARY KEY)`)
	hostile := settings{
		"PGSERVICE": "nope", "PGSSLROOTCERT": "/nope", "PGSSLMODE": "bogus", "PGOPTIONS": "-c no_such_setting=1", "PGTARGETSESSIONATTRS": "standby",
		"PGREQUIREAUTH": "none", "PGCONNECT_TIMEOUT": "soon", "PGSSLCERT": "/nope", "PGHOST": "/nope", "PGPORT": "1", "PGPASSWORD": "nope", "PGTZ": "nowhere",
	}
	s := newHome(t, c).serve(t, hostile)
	if got := s.end(t, s.submit(t, c, "public.t")); got.Status != api.StatusCompleted {
		t.Errorf("the task is %s: %s", got.Status, got.Error)
	}
	for name := range hostile {
		if !strings.Contains(s.output.String(), name) {
			t.Errorf("no warning names %s", name)
		}
	}
	if version := s.logged(t, "serving", "version"); !strings.Contains(version, "ace ") {
		t.Errorf("the log has the version %q", version)
	}
}

// refused runs `ace serve`, which must end with this code before it comes up, and returns
// its output.
func refused(t *testing.T, dir string, env settings, wantCode int) string {
	t.Helper()
	code, text := run(t, dir, env, "serve")
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestServe_SaysWhyItCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		name string
		env  settings
		code int
		want string
	}{
		{"the address is in use", settings{"ACE_LISTEN": taken.Addr().String()}, 1,
			"ace: cannot listen on " + taken.Addr().String() + " (ACE_LISTEN)"},
		{"the address of the profiles is in use", settings{"ACE_PPROF": taken.Addr().String()}, 1,
			"ace: cannot listen on " + taken.Addr().String() + " (ACE_PPROF)"},
		{"the data directory cannot be made", settings{"ACE_STORE": "file://" + file + "/data"}, exitConfig,
			"ace: the data directory cannot be used: " + file + "/data cannot be used: not a directory"},
		{"the data directory is a file", settings{"ACE_STORE": "file://" + file}, exitConfig,
			"ace: the data directory cannot be used: " + file + " (owner "},
		{"the socket is a file", settings{"ACE_LISTEN": "unix://" + file}, exitConfig,
			"ace: ACE_LISTEN is unix://" + file + ", which cannot be used: " + file + " (owner "},
		{"the socket's directory is missing", settings{"ACE_LISTEN": "unix://" + dir + "/none/ace.sock"}, 1,
			"ace: cannot listen on unix://" + dir + "/none/ace.sock (ACE_LISTEN)"},
		{"no server answers at the bucket of the definitions", settings{
			"ACE_CLUSTERS": "s3://bucket/clusters?endpoint=http://127.0.0.1:1&region=us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hunter2",
		}, 1, "ace: the archive (bucket bucket at http://127.0.0.1:1) cannot be opened"},
		{"no server answers at the store", settings{
			"ACE_STORE": "s3://bucket?endpoint=http://127.0.0.1:1&region=us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "hunter2",
		}, 1, "ace: the archive (bucket bucket at http://127.0.0.1:1) cannot be opened"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := settings{"ACE_LISTEN": "127.0.0.1:0", "ACE_STORE": "file://./data"}
			for name, value := range tt.env {
				env[name] = value
			}
			got := refused(t, t.TempDir(), env, tt.code)
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "hunter2") {
				t.Errorf("it says\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if !exists(t, file) {
		t.Error("the file in the socket's place was removed")
	}
}

func TestServe_LogsItsAddressAndTheDirectoryOfItsData(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	s := h.serve(t, settings{"ACE_PPROF": "127.0.0.1:0", "ACE_STORE": "file://./ace-data", "ACE_CLUSTERS": "clusters"})
	for field, want := range map[string]string{"archive": "file://" + h.data(), "clusters": h.clusters(), "address": s.host} {
		if got := s.logged(t, "serving", field); got != want {
			t.Errorf("%s is logged as %s, want %s", field, got, want)
		}
	}
	resp, err := s.client.Get("http://" + s.logged(t, "serving profiles", "address") + "/debug/pprof/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("the profiles are answered with %s", resp.Status)
	}
}

func TestServe_LocksItsDataDirectory(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	s := h.serve(t, nil)
	want := "ace: the data directory " + h.data() + " is in use: another ace serve is running on it (process " + strconv.Itoa(s.cmd.Process.Pid) + ")"
	if got := refused(t, h.dir, settings{"ACE_LISTEN": "127.0.0.1:0"}, 1); got != want {
		t.Errorf("the second says\n%s\nwant\n%s", got, want)
	}
	s.read(t, "/healthz", "", new(any))
	if code, _ := s.terminate(t, 10*time.Second); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	h.serve(t, nil).read(t, "/healthz", "", new(any))
	for path, want := range map[string]os.FileMode{h.data(): 0o700, filepath.Join(h.data(), "lock"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info.Mode(), err, want)
		}
	}
}

func TestServe_OnAUnixSocket(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	dir, err := os.MkdirTemp("", "ace") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "ace.sock")
	env := settings{"ACE_LISTEN": "unix://" + socket}

	first := h.serve(t, env)
	first.read(t, "/healthz", "", new(any))
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket: %v, %v, want mode 660", info.Mode(), err)
	}
	want := "ace: another process listens on " + socket + " (ACE_LISTEN)"
	if got := refused(t, t.TempDir(), env, 1); got != want {
		t.Errorf("another service on the socket says\n%s\nwant\n%s", got, want)
	}
	first.read(t, "/healthz", "", new(any))

	first.kill()
	if !exists(t, socket) {
		t.Fatal("kill -9 left no socket: what follows would show nothing")
	}
	second := h.serve(t, env)
	second.read(t, "/healthz", "", new(any))
	if code, _ := second.terminate(t, 10*time.Second); code != 0 || exists(t, socket) {
		t.Errorf("after SIGTERM: exit code %d, socket left: %v", code, exists(t, socket))
	}
}

func TestServe_FindsEveryRelativePath(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	tiny(t, c)
	h := newHome(t, c)
	h.define(t, "../pg_service.conf", "[elsewhere]\ndbname=d\nuser=u\n[elsewhere.n1]\nhost=a\n")
	h.define(t, "../token", "a-token-of-24-characters\n")
	s := h.serve(t, settings{"ACE_TOKEN_FILE": "token", "ACE_CLUSTERS": "clusters"})
	if resp := s.get(t, "/ace/tasks", ""); resp.Status != 401 || resp.Header["Www-Authenticate"] != `Bearer realm="ace"` && resp.Header["WWW-Authenticate"] != `Bearer realm="ace"` {
		t.Errorf("without the token: %d %v", resp.Status, resp.Header)
	}
	if resp := s.get(t, "/healthz", ""); resp.Status != 200 {
		t.Errorf("the health without the token: %d", resp.Status)
	}
	s.client.Transport = withToken{s.client.Transport, "a-token-of-24-characters"}
	if result := s.completed(t, s.submit(t, c, "public.tiny")); result.Verdict != "match" {
		t.Errorf("the verdict is %s", result.Verdict)
	}
	resp := s.get(t, "/ace/table-diff", "cluster_name=nope&table_name=a.b")
	if want := `{"error":"there is no cluster nope; the defined clusters are elsewhere, ` + c.Name + `"}` + "\n"; resp.Status != 404 || string(resp.Body) != want {
		t.Errorf("got %d %swant 404 %s", resp.Status, resp.Body, want)
	}
	checkSecret(t, "the log", s.output.String(), "a-token-of-24-characters")
}

func TestServe_WarnsWhenThereAreNoDefinitionsWhereItLooks(t *testing.T) {
	t.Parallel()
	h := newHome(t, pgtest.NewCluster(t))
	const warning = "ACE_CLUSTERS names nothing that exists: clusters are known from pg_service.conf files only"
	found := h.serve(t, settings{"ACE_CLUSTERS": "clusters"})
	found.kill()
	if text := found.output.String(); strings.Contains(text, warning) {
		t.Errorf("it warns of a directory that is there:\n%s", text)
	}
	missing := h.serve(t, settings{"ACE_CLUSTERS": "nowhere"})
	if got, want := missing.logged(t, warning, "path"), filepath.Join(h.dir, "nowhere"); got != want {
		t.Errorf("the path is logged as %s, want %s", got, want)
	}
	if level := missing.logged(t, warning, "level"); level != "WARN" {
		t.Errorf("the level is %s", level)
	}
}
