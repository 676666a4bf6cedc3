package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// directory writes files to a new directory.
func directory(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, filepath.Join(dir, name), content)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// small returns a definition with one node at an address.
func small(host string) string {
	return `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password": "p"}]}, "node_groups": [{"name": "n1", "public_ip": "` + host + `"}]}`
}

func TestLoad_SearchesEveryPlaceInOrder(t *testing.T) {
	dir := directory(t, map[string]string{
		"plain.json":         small("plain"),
		"nested/nested.json": small("nested"),
		"both.json":          small("plain"),
		"both/both.json":     small("nested"),
		"pg_service.conf":    "[near.n1]\nhost=near\ndbname=d\nuser=u\n[both.n1]\nhost=service\ndbname=d\nuser=u\n",
		"README.md":          "not a cluster",
	})
	far := filepath.Join(directory(t, map[string]string{
		"pg_service.conf": "[near.n1]\nhost=far\ndbname=d\nuser=u\n[far.n1]\nhost=far\ndbname=d\nuser=u\n",
	}), "pg_service.conf")
	source := cluster.NewSource(cluster.Options{Path: dir, ServiceFiles: []cluster.ServiceFile{{Path: filepath.Join(dir, "missing.conf"), Named: true}, {Path: far}}})
	for name, host := range map[string]string{"plain": "plain", "nested": "nested", "both": "plain", "near": "near", "far": "far"} {
		c, err := source.Load(t.Context(), name)
		if err != nil || c.Name != name || c.Nodes[0].Host != host {
			t.Errorf("Load(%s) = %+v, %v, want host %s", name, c, err, host)
		}
	}
	names, err := source.Names(t.Context())
	if got := strings.Join(names, " "); err != nil || got != "both far near nested plain" {
		t.Errorf("Names() = %s, %v", got, err)
	}
	_, err = source.Load(t.Context(), "nope")
	if want := "there is no cluster nope; the defined clusters are both, far, near, nested, plain"; fault.CodeOf(err) != fault.NotFound || fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoad_AcceptsOneFileOfEitherKind(t *testing.T) {
	dir := directory(t, map[string]string{"demo.json": small("a"), "services": "[demo.n1]\nhost=b\ndbname=d\nuser=u\n"})
	for file, host := range map[string]string{"demo.json": "a", "services": "b"} {
		if c := load(t, cluster.Options{Path: filepath.Join(dir, file)}, "demo"); c.Nodes[0].Host != host {
			t.Errorf("%s: host is %s", file, c.Nodes[0].Host)
		}
	}
}

func TestLoad_ReadsAChangedFileAtOnce(t *testing.T) {
	dir := directory(t, map[string]string{"demo.json": small("before")})
	source := cluster.NewSource(cluster.Options{Path: dir})
	for _, host := range []string{"before", "after"} {
		write(t, filepath.Join(dir, "demo.json"), small(host))
		if c, err := source.Load(t.Context(), "demo"); err != nil || c.Nodes[0].Host != host {
			t.Errorf("got %+v, %v, want host %s", c, err, host)
		}
	}
}

func TestLoad_NeverLeavesTheDirectory(t *testing.T) {
	dir := directory(t, map[string]string{"secret.json": small("x"), "clusters/demo.json": small("a")})
	source := cluster.NewSource(cluster.Options{Path: filepath.Join(dir, "clusters")})
	for _, name := range []string{"../secret", "..", ".", "", "a/../../secret", "/etc/passwd", "demo\x00", `..\secret`, strings.Repeat("a", 64)} {
		if _, err := source.Load(t.Context(), name); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("Load(%q) returned %v, want a fault with code invalid", name, err)
		}
	}
}

func TestLoad_ReportsWhereItSearched(t *testing.T) {
	_, err := cluster.NewSource(cluster.Options{Path: "./nowhere"}).Load(t.Context(), "demo")
	if want := "there is no cluster demo: no cluster is defined in ./nowhere or a pg_service.conf"; fault.CodeOf(err) != fault.NotFound || fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoad_ReportsWhichFileItCannotReadAndWhy(t *testing.T) {
	dir := directory(t, map[string]string{"definition/demo.json/file": "", "services/pg_service.conf/file": ""})
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "definition"): "definition/demo.json cannot be read: is a directory",
		filepath.Join(dir, "services"):   "services/pg_service.conf cannot be read: is a directory",
		loop:                             "loop cannot be read: too many levels of symbolic links",
	} {
		_, err := cluster.NewSource(cluster.Options{Path: path}).Load(t.Context(), "demo")
		if want = "the cluster definitions at " + dir + "/" + want; fault.CodeOf(err) != fault.Invalid || fault.PublicMessage(err) != want {
			t.Errorf("got %v (%s), want %s", err, fault.CodeOf(err), want)
		}
	}
}

func TestLoad_ReadsMissingPasswordsFromThePasswordFile(t *testing.T) {
	dir := directory(t, map[string]string{
		"pg_service.conf": "[demo]\ndbname=d\nuser=u\n[demo.n1]\nhost=h1\n[demo.n2]\nhost=/run/postgresql\nport=6543\n[demo.n3]\nhost=h3\npassword=own\n",
		"pgpass":          "# ours\nh1:5432:d:u:from\\:file\nlocalhost:6543:*:u:socket\n*:*:*:*:any\n",
	})
	opts := cluster.Options{Path: dir, PasswordFile: filepath.Join(dir, "pgpass")}
	none := map[string]string{}
	want := []cluster.Target{
		{Node: "n1", Host: "h1", Port: 5432, Database: "d", User: "u", Login: cluster.Login{Password: "from:file"}, Options: none},
		{Node: "n2", Host: "/run/postgresql", Port: 6543, Database: "d", User: "u", Login: cluster.Login{Password: "socket"}, Options: none},
		{Node: "n3", Host: "h3", Port: 5432, Database: "d", User: "u", Login: cluster.Login{Password: "own"}, Options: none},
	}
	checkTargets(t, targets(t, load(t, opts, "demo"), ""), want)

	if err := os.Chmod(opts.PasswordFile, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := cluster.NewSource(opts).Load(t.Context(), "demo")
	if fault.CodeOf(err) != fault.Invalid || !strings.HasSuffix(fault.PublicMessage(err), "has mode 0644; it must be 0600 or less: run chmod 600 '"+opts.PasswordFile+"'") {
		t.Errorf("a password file open to every user returned %v", err)
	}

	opts.PasswordFile = filepath.Join(dir, "missing")
	want[0].Password, want[1].Password = "", ""
	checkTargets(t, targets(t, load(t, opts, "demo"), ""), want)
}
