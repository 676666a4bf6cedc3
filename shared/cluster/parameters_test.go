package cluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ace/shared/cluster"
	"ace/shared/fault"
)

// parameterTable returns the rows of the table of connection parameters as
// docs/CONFIGURATION.md must have them.
func parameterTable() []string {
	code := func(name string) string {
		if name == "" {
			return ""
		}
		return "`" + name + "`"
	}
	var rows []string
	for _, p := range cluster.Parameters() {
		variable := code(p.Variable)
		if p.VariableUsed {
			variable += " (used)"
		}
		cells := []string{code(p.Name), string(p.Use), variable, p.Note}
		rows = append(rows, strings.Join(strings.Fields("| "+strings.Join(cells, " | ")+" |"), " "))
	}
	return rows
}

// Case O-P24, see docs/RELIABILITY.md.
func TestParameters_AreThoseOfTheDocumentation(t *testing.T) {
	raw, err := os.ReadFile("../../docs/CONFIGURATION.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(raw), "\n| parameter | in a definition | variable | |\n|---|---|---|---|\n")
	section, _, _ = strings.Cut(section, "\n\n")
	var got []string
	for row := range strings.Lines(section) {
		got = append(got, strings.Join(strings.Fields(row), " "))
	}
	if diff := cmp.Diff(parameterTable(), got); diff != "" || !found {
		t.Errorf("the table in docs/CONFIGURATION.md (-want +got):\n%s", diff)
	}
}

// inEitherFormat returns the same settings of node n1 as a service file and as a pgEdge
// file.
func inEitherFormat(t *testing.T, settings map[string]string) map[string]string {
	t.Helper()
	service := "[demo.n1]\nhost=h\ndbname=d\nuser=u\npassword=p\n"
	var members string
	for name, value := range settings {
		service += name + "=" + value + "\n"
		members += fmt.Sprintf(", %q: %q", name, value)
	}
	return map[string]string{
		"pg_service.conf": service,
		"demo.json": `{"pgedge": {"databases": [{"db_name": "d", "db_user": "u", "db_password": "p"}]},
			"node_groups": [{"name": "n1", "public_ip": "h"` + members + `}]}`,
	}
}

// Case O-P23, see docs/RELIABILITY.md.
func TestLoad_UsesWhatItSupportsAndNamesWhatItDoesNot(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		want        string // the end of the error
		warns       string // the end of the only warning
	}{
		{name: "application_name", value: "x"},
		{name: "fallback_application_name", value: "x"},
		{name: "connect_timeout", value: "2"},
		{name: "connect_timeout", value: "soon", want: ` is "soon"; it must be a number of seconds from 0 to 600`},
		{name: "hostaddr", value: "10.0.0.1"},
		{name: "hostaddr", value: "db.example.com", want: ` is "db.example.com"; it must be an IP address`},
		{name: "target_session_attrs", value: "primary"},
		{name: "target_session_attrs", value: "master", want: ` is "master"; it must be one of any, read-write, read-only, primary, standby, prefer-standby`},
		{name: "options", value: "-c geqo=off"},
		{name: "sslsni", value: "0"},
		{name: "keepalives", value: "1", warns: "has no effect: ACE sets its own time limits"},
		{name: "tcp_user_timeout", value: "1", warns: "has no effect: ACE sets its own time limits"},
		{name: "client_encoding", value: "LATIN1", warns: "has no effect: texts are always read as UTF-8"},
		{name: "gssencmode", value: "prefer", warns: "has no effect: Kerberos is not supported; require is refused"},
		{name: "gssencmode", value: "require", want: ` is "require"; it must be one of disable, prefer`},
		{name: "sslcrl", value: "/crl", want: " is not supported: revocation lists are not checked"},
		{name: "requirepeer", value: "postgres", want: " is not supported: the owner of a server's socket is not checked"},
		{name: "service", value: "other", want: " is not supported: a definition cannot refer to another one"},
		{name: "sslmod", value: "require", want: "did you mean"},
		{name: "ssl_root_cert", value: "/ca", want: "did you mean"},
		{name: "sslmagic", value: "on", want: "docs/CONFIGURATION.md lists the connection parameters"},
	} {
		for format, content := range inEitherFormat(t, map[string]string{tt.name: tt.value}) {
			c, err := cluster.NewSource(cluster.Options{Path: directory(t, map[string]string{format: content})}).Load(t.Context(), "demo")
			text := fault.PublicMessage(err)
			switch {
			case tt.want != "":
				if fault.CodeOf(err) != fault.Invalid || !strings.Contains(text, tt.want) || !strings.Contains(text, tt.name) || !strings.Contains(text, "n1") {
					t.Errorf("%s: %s=%s returned %v, want %s", format, tt.name, tt.value, err, tt.want)
				}
			case err != nil:
				t.Errorf("%s: %s=%s returned %v", format, tt.name, tt.value, err)
			case tt.warns != "":
				if len(c.Warnings) != 1 || !strings.HasSuffix(c.Warnings[0], tt.warns) || !strings.Contains(c.Warnings[0], tt.name+" of ") {
					t.Errorf("%s: %s=%s warns %v, want %s", format, tt.name, tt.value, c.Warnings, tt.warns)
				}
			default:
				if got := targets(t, c, "")[0].Options[tt.name]; got != tt.value || len(c.Warnings) > 0 {
					t.Errorf("%s: %s is %q, want %q; warnings %v", format, tt.name, got, tt.value, c.Warnings)
				}
			}
		}
	}
}

// Case O-P21, see docs/RELIABILITY.md.
func TestLoad_RefusesMembersThatSeemToBeMisspelledSettings(t *testing.T) {
	file := func(top, pgEdge, database, node string) string {
		return `{` + top + `"pgedge": {` + pgEdge + `"databases": [{` + database + `"db_name": "d", "db_user": "u", "db_password": "p"}]},
			"node_groups": [{` + node + `"name": "n1", "public_ip": "h", "sub_nodes": [{` + node + `"name": "n2", "public_ip": "i"}]}]}`
	}
	for _, tt := range []struct{ name, file, want string }{
		{"a node", file("", "", "", `"ssl_mode": "verify-full", `), `"ssl_mode" of node "n1" is unknown; did you mean "sslmode"?`},
		{"a database", file("", "", `"SSL-Mode": "verify-full", `, ""), `"SSL-Mode" of database "d" is unknown; did you mean "sslmode"?`},
		{"another typo", file("", "", `"sslrootcrt": "/ca", `, ""), `did you mean "sslrootcert"?`},
		{"no parameter", file("", "", "", `"tls": true, `), `setting "tls" of node "n1" is unknown`},
		{"pgedge", file("", `"sslmode": "verify-full", `, "", ""), `"sslmode" of pgedge has no effect there; move it to a database or node`},
		{"the file", file(`"sslmode": "verify-full", `, "", "", ""), `"sslmode" of the file has no effect there`},
		{"a name of libpq", file("", "", `"password": "p", `, ""), `"password" of database "d" is unknown; did you mean "db_password"?`},
		{"a host", file("", "", "", `"host": "x", `), `"host" of node "n1" is unknown; did you mean "public_ip"?`},
		{"a switch", file("", "", "", `"is_activ": "off", `), `"is_activ" of node "n1" is unknown; did you mean "is_active"?`},
		{"sub-nodes", file("", "", "", `"subnodes": [], `), `did you mean "sub_nodes"?`},
		{"a list", file("", "", "", `"options": [], `), `options of node "n1" must be a string, a number, true or false`},
	} {
		_, err := cluster.NewSource(cluster.Options{Path: directory(t, map[string]string{"demo.json": tt.file})}).Load(t.Context(), "demo")
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestLoad_AcceptsWhatPgEdgeWritesAndWarnsOfOtherMembers(t *testing.T) {
	dir := directory(t, map[string]string{"demo.json": `{"json_version": "1.1", "cluster_name": "demo", "log_level": "debug", "update_date": "2026-11-30",
		"pgedge": {"pg_version": "16", "auto_start": "off", "spock": {"spock_version": "4.0.1", "auto_ddl": "on"},
			"databases": [{"db_name": "d", "db_user": "u", "db_password": "p", "colour": "red"}]},
		"node_groups": [{"ssh": {"os_user": "x", "private_key": ""}, "name": "n1", "is_active": "on", "public_ip": "h", "port": "5432",
			"path": "/home/x", "replicas": 0, "backrest": {"stanza": "s"}, "sub_nodes": []}]}`})
	want := []string{filepath.Join(dir, "demo.json") + `: "colour" of database "d" is unknown and has no effect`}
	if diff := cmp.Diff(want, load(t, cluster.Options{Path: dir}, "demo").Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for _, name := range []string{"demo", "branch"} {
		if c := load(t, cluster.Options{Path: "../../testdata/clusters"}, name); len(c.Warnings) > 0 {
			t.Errorf("%s: %v", name, c.Warnings)
		}
	}
}

// closedHome returns the path of a home directory that no process can read, because it is
// a file.
func closedHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "file")
	write(t, home, "")
	return home
}

// Case O-P14, see docs/RELIABILITY.md.
func TestLoad_PassesOverFilesOfAHomeThatCannotBeRead(t *testing.T) {
	home := closedHome(t)
	services := "[demo.n1]\nhost=h\ndbname=d\nuser=u\n"
	dir := directory(t, map[string]string{"pg_service.conf": services})
	opts := cluster.Options{
		Path: dir, ServiceFiles: []cluster.ServiceFile{{Path: filepath.Join(home, ".pg_service.conf")}},
		PasswordFile: filepath.Join(home, ".pgpass"), CertificateDir: filepath.Join(home, ".postgresql"),
	}
	if c := load(t, opts, "demo"); targets(t, c, "")[0].Password != "" {
		t.Error("a password was found")
	}
	_, err := cluster.NewSource(opts).Load(t.Context(), "nope")
	if fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.PublicMessage(err), "the defined clusters are demo") {
		t.Errorf("an unknown cluster returned %v", err)
	}
}

// Case O-P20, see docs/RELIABILITY.md.
func TestLoad_APasswordFileOfTheDefinitionMustExist(t *testing.T) {
	dir := directory(t, map[string]string{"own": "h:5432:d:u:from own\n"})
	settings := func(path string) cluster.Options {
		return cluster.Options{Path: directory(t, map[string]string{
			"pg_service.conf": "[demo.n1]\nhost=h\ndbname=d\nuser=u\npassfile=" + path + "\n",
		}), PasswordFile: filepath.Join(dir, "default")}
	}
	if c := load(t, settings(filepath.Join(dir, "own")), "demo"); targets(t, c, "")[0].Password.Reveal() != "from own" {
		t.Error("the password is not that of passfile")
	}
	missing := filepath.Join(dir, "missing")
	want := "the password file " + missing + ", which the definition of cluster demo names (passfile), does not exist"
	if _, err := cluster.NewSource(settings(missing)).Load(t.Context(), "demo"); fault.PublicMessage(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Case O-P31, see docs/RELIABILITY.md.
func TestTargets_ExplainWhyThereIsNoPassword(t *testing.T) {
	dir := directory(t, map[string]string{
		"pg_service.conf": "[demo.n1]\nhost=h\ndbname=d\nuser=u\n", "pgpass": "other:5432:d:u:p\n",
	})
	for path, want := range map[string]string{
		"":                            "and there is no password file",
		filepath.Join(dir, "missing"): "and the password file " + dir + "/missing does not exist",
		filepath.Join(dir, "pgpass"):  "and the password file " + dir + "/pgpass has no line for h:5432:d:u",
	} {
		if got := targets(t, load(t, cluster.Options{Path: dir, PasswordFile: path}, "demo"), "")[0].NoPassword; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
