//go:build !unit

package main_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ace/infra/testkit/pgtest"
)

func TestDoctor_ChecksTheArchive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	code, text := run(t, dir, settings{"PGSSLMODE": "require", "ACE_SERVICE_HOST": "10.0.0.1"}, "doctor")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it created %v, %v", left, err)
	}
	for _, want := range []string{
		"archive file://./ace-data\n  note     the directory does not exist yet: ace serve creates it\n",
		"  warning  the variable PGSSLMODE has no effect\n", "  warning  the variable ACE_SERVICE_HOST is unknown and has no effect\n",
		"clusters in ./clusters\n  warning  no cluster is defined there or in a pg_service.conf\n", "\nno errors, 3 warnings\n",
	} {
		if code != 0 || !strings.Contains(text, want) {
			t.Errorf("exit code %d, want 0 and %s:\n%s", code, want, text)
		}
	}
	bucket := settings{"ACE_STORE": "s3://bucket?endpoint=http://127.0.0.1:1&region=r", "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
	code, text = run(t, t.TempDir(), bucket, "doctor")
	if want := "archive s3://bucket/?endpoint=http%3A%2F%2F127.0.0.1%3A1&region=r\n  error    it cannot be used: "; code != 1 || !strings.Contains(text, want) {
		t.Errorf("exit code %d: %s", code, text)
	}
}

func TestDoctor_NextToARunningServiceChecksTheRest(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	s := h.serve(t, nil)
	want := "  ok       the data directory " + h.data() + " is in use: another ace serve is running on it (process " + strconv.Itoa(s.cmd.Process.Pid) + "); it has checked the archive itself\n\n" +
		"cluster " + c.Name + "\n"
	if code, text := run(t, h.dir, nil, "doctor"); code != 0 || !strings.Contains(text, want) || strings.Count(text, ": PostgreSQL ") != len(c.Nodes) {
		t.Errorf("exit code %d, want 0:\n%swant\n%s", code, text, want)
	}
	s.read(t, "/healthz", "", new(any))
}

func TestDoctor_NamesEveryDefinitionThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	h := newHome(t, c)
	h.define(t, "broken.json", "{")
	h.define(t, "empty.json", `{"pgedge": {"databases": []}}`)
	code, text := run(t, h.dir, nil, "doctor")
	for _, want := range []string{
		"does not exist yet: ace serve creates it\n", "cluster " + c.Name + "\n  ok       the definition: nodes n1, n2; databases " + c.DB + "\n",
		"cluster broken\n  error    clusters/broken.json", "cluster empty\n  error    clusters/empty.json", "\nace: 2 errors, ",
	} {
		if code != exitConfig || !strings.Contains(text, want) {
			t.Errorf("exit code %d, want %d and %q:\n%s", code, exitConfig, want, text)
		}
	}
}

// asRole returns the cluster as a new role that may log in and nothing else.
func asRole(t *testing.T, c *pgtest.Cluster) *pgtest.Cluster {
	t.Helper()
	role := "role_of_" + c.Name[:min(len(c.Name), 40)]
	c.ExecAll(t, "CREATE ROLE "+role+" LOGIN PASSWORD 'plain-password'")
	t.Cleanup(func() { c.ExecAll(t, "DROP ROLE "+role) })
	plain := *c
	plain.User, plain.Password = role, "plain-password"
	return &plain
}

// closedPort returns a port of 127.0.0.1 on which nothing listens.
func closedPort(t *testing.T) int {
	t.Helper()
	listener := listenSilently(t)
	at, _ := listener.Addr().(*net.TCPAddr)
	_ = listener.Close()
	return at.Port
}

// listenSilently returns a listener that accepts connections and never answers.
func listenSilently(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func TestDoctor_ConnectsToEveryNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	plain := asRole(t, c)
	line := func(c *pgtest.Cluster, node int) string {
		n := c.Nodes[node]
		return fmt.Sprintf("  node %s, database %s\n    ok       %s:%d/%s: PostgreSQL %d", n.Name, c.DB, n.Host, n.Port, c.DB, n.Major)
	}
	broken := *plain
	broken.Nodes = slices.Clone(c.Nodes)
	broken.Nodes[1].Port = closedPort(t)
	wrong := *plain
	wrong.Password = "not-the-password"
	wrong.Nodes = c.Nodes[:1]
	twice := *plain
	twice.Nodes = slices.Clone(c.Nodes)
	twice.Nodes[1].Port = c.Nodes[0].Port

	for name, tt := range map[string]struct {
		c         *pgtest.Cluster
		code      int
		want      []string
		superuser int // number of warnings about a superuser
	}{
		"plain role":   {plain, 0, []string{line(plain, 0), line(plain, 1), `, role "` + plain.User + "\"\n", "\nno errors, "}, 0},
		"superuser":    {c, 0, []string{line(c, 0), line(c, 1), `    warning  role "postgres" is a superuser: `, "GRANT SELECT ON TABLE"}, 2},
		"unreachable":  {&broken, 1, []string{line(plain, 0), fmt.Sprintf("    error    node \"n2\" (127.0.0.1:%d/%s) is unreachable: connection refused\n", broken.Nodes[1].Port, c.DB), "check that the server runs", "\nace: 1 error, "}, 0},
		"password":     {&wrong, exitConfig, []string{`error    node "n1" (`, "refused the connection: password authentication failed for user"}, 0},
		"one database": {&twice, exitConfig, []string{line(plain, 0), `error    nodes "n1" (`, "are the same database of the same server"}, 0},
	} {
		h := newHome(t, tt.c)
		code, text := run(t, h.dir, nil, "doctor")
		for _, want := range tt.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %q:\n%s", name, want, text)
			}
		}
		if code != tt.code || strings.Count(text, "is a superuser") != tt.superuser {
			t.Errorf("%s: exit code %d, want %d and %d warnings:\n%s", name, code, tt.code, tt.superuser, text)
		}
		checkSecret(t, "the output", text, tt.c.Password)
	}
}

var (
	versionsInOutput = regexp.MustCompile(`PostgreSQL [^,]+|is version [^ ]+ now`)
	addressInOutput  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	runsInOutput     = regexp.MustCompile(`next run [^\n]+`)
)

// What affects comparisons is named together with what to do, and nothing is created.
func TestDoctor_NamesWhatAffectsComparisonsAndJobs(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	plain := asRole(t, c)
	c.ExecAll(t, "CREATE TABLE good (id int PRIMARY KEY)", "CREATE TABLE keyless (id int)", "CREATE SCHEMA app",
		`CREATE TABLE app."Secret" (id int PRIMARY KEY)`, "CREATE TABLE hidden (id int PRIMARY KEY)", "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
		"CREATE COLLATION x (provider = icu, locale = 'en')", "CREATE TABLE words (w text COLLATE x PRIMARY KEY)", "UPDATE pg_collation SET collversion = '1-old' WHERE collname = 'x'",
		"GRANT SELECT ON good, keyless, hidden, words TO "+plain.User)
	c.Exec(t, 0, "CREATE TABLE first_only (id int PRIMARY KEY)", "GRANT SELECT ON first_only TO "+plain.User)
	subscription := "off_" + c.Name
	c.Exec(t, 1, "CREATE SUBSCRIPTION "+subscription+" CONNECTION 'host=none.invalid' PUBLICATION p WITH (connect = false, slot_name = NONE)")
	t.Cleanup(func() { c.Exec(t, 1, "DROP SUBSCRIPTION "+subscription); c.ExecAll(t, "DROP OWNED BY "+plain.User) })

	h := newHome(t, plain)
	job := func(name, cluster, table, more string) string {
		return "  - {name: " + name + ", cluster_name: " + cluster + ", table_name: " + table + ", crontab_schedule: 0 2 * * *" + more + "}\n"
	}
	schedules := "jobs:\n" + job("good", c.Name, "public.good", "") + job("all", c.Name, "public.*", "") + job("paused", c.Name, "public.gone", ", enabled: false") + job("closed", c.Name, "app.*", "") +
		job("nowhere", "nowhere", "public.good", "") + job("no-table", c.Name, "public.missing", "") + job("one-node", c.Name, "public.first_only", "") +
		job("no-key", c.Name, "public.keyless", "") + job("no-schema", c.Name, "missing.*", "") + job("no-node", c.Name, "public.good", ", args: {nodes: 'n1,n7'}")
	if err := os.WriteFile(filepath.Join(h.dir, "schedules.yaml"), []byte(schedules), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.data(), 0o700); err != nil {
		t.Fatal(err)
	}

	code, text := run(t, h.dir, settings{"ACE_SCHEDULES": "schedules.yaml"}, "doctor")
	if left, err := os.ReadDir(h.data()); code != exitConfig || err != nil || len(left) > 0 {
		t.Errorf("exit code %d, want %d; it created %v, %v", code, exitConfig, left, err)
	}
	checkSecret(t, "the output", text, plain.Password)
	text = strings.NewReplacer(subscription, "SUBSCRIPTION", plain.User, "ROLE", c.Name, "DEMO").Replace(text)
	text = addressInOutput.ReplaceAllString(versionsInOutput.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "is version") {
			return "is version NEW now"
		}
		return "PostgreSQL VERSION"
	}), "ADDRESS")
	checkGolden(t, "doctor.txt", runsInOutput.ReplaceAllString(text, "next run TIME"))
}

func TestServe_WarnsOfSuperusersAndWaitsForNoNode(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t)
	plain := asRole(t, c)
	h := newHome(t, c)
	silent := *plain
	silent.Name = "a_silent" // the service checks it first
	silent.Nodes = slices.Clone(c.Nodes)
	at, _ := listenSilently(t).Addr().(*net.TCPAddr)
	silent.Nodes[0].Port, silent.Nodes[1].Port = at.Port, closedPort(t)
	silent.WriteDefinition(t, h.clusters())
	plain.Name = "b_plain"
	plain.WriteDefinition(t, h.clusters())

	const warning = "the role is a superuser"
	s := h.serve(t, nil)
	s.read(t, "/healthz", "", new(any))
	eventually(t, startTimeout, "a warning for each node", func() bool { return strings.Count(s.output.String(), warning) >= len(c.Nodes) })
	if got := s.logged(t, warning, "cluster") + " " + s.logged(t, warning, "node") + " " + s.logged(t, warning, "role") + " " + s.logged(t, warning, "level"); got != c.Name+" n1 postgres WARN" {
		t.Errorf("the warning is of %s", got)
	}
	if code, _ := s.terminate(t, 10*time.Second); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if text := s.output.String(); strings.Count(text, warning) != len(c.Nodes) || strings.Contains(text, silent.Name) || strings.Contains(text, plain.Name) {
		t.Errorf("want a warning for each node of %s and nothing else of any node:\n%s", c.Name, text)
	}

	h = newHome(t, &silent)
	for range 4 { // the doctor waits up to 5 seconds for each
		silent.Name += "_again"
		silent.WriteDefinition(t, h.clusters())
	}
	s = h.serve(t, nil)
	if code, took := s.terminate(t, 15*time.Second); code != 0 {
		t.Errorf("with a silent node it ended with %d after %s", code, took)
	}
}
