package config_test

import (
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ace/shared/caller"
	"ace/shared/config"
	"ace/shared/fault"
)

func load(t *testing.T, environ map[string]string) config.Config {
	t.Helper()
	c, err := config.Load(environ)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tokenFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad_ReturnsTheDefaults(t *testing.T) {
	t.Setenv("ACE_MAX_TASKS", "63") // Load must ignore the environment of the process
	want := config.Config{
		Listen:           config.Listen{Network: "tcp", Address: "127.0.0.1:5000"},
		Store:            config.Store{Embedded: true, Dir: "./ace-data"},
		Clusters:         "./clusters",
		MaxTasks:         2,
		MaxQueue:         1000,
		MaxInvocations:   16,
		MaxImportMB:      1024,
		StatementTimeout: 10 * time.Minute,
		RepairAnswer:     time.Minute,
		SnapshotMax:      5 * time.Minute,
		Lease:            30 * time.Second,
		Patience:         time.Minute,
		UnitTimeout:      5 * time.Minute,
		WebhookFormat:    config.WebhookStandard,
		WebhookEvents:    []string{"differs", "failed", "repaired", "undone"},
		Page:             true,
		Metrics:          true,
		MetricsNamespace: "ACE",
		LogLevel:         slog.LevelInfo,
		LogFormat:        "text",
		RequestLog:       "all",
	}
	for name, environ := range map[string]map[string]string{"nil": nil, "empty": {}, "empty values": {"ACE_MAX_TASKS": "", "ACE_HOSTS": "", "ACE_STORE": ""}} {
		got := load(t, environ)
		if len(got.Hosts) == 0 {
			got.Hosts = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestLoad_ReadsEveryVariable(t *testing.T) {
	token := tokenFile(t, "0123456789abcdef\n")
	secret := tokenFile(t, webhookSecret+"\n")
	callers := tokenFile(t, callersFile)
	got := load(t, map[string]string{
		"ACE_LISTEN": "0.0.0.0:5001", "ACE_LISTEN_PUBLIC": "true", "ACE_HOSTS": "ace.example.com, 10.0.0.5", "ACE_TOKEN_FILE": token, "ACE_CALLERS": callers,
		"ACE_TLS_CERT": "/tls/crt", "ACE_TLS_KEY": "/tls/key", "ACE_TLS_CLIENT_CA": "/tls/ca",
		"ACE_STORE":    "s3://bucket/some/prefix/?endpoint=http://127.0.0.1:9000&region=us-east-1",
		"ACE_CLUSTERS": "/etc/ace/clusters", "ACE_SCHEDULES": "/etc/ace/schedules.yaml",
		"ACE_MAX_TASKS": "4", "ACE_MAX_QUEUE": "10", "ACE_MAX_INVOCATIONS": "100", "ACE_MAX_IMPORT_MB": "7", "ACE_IMPORT_DIR": "/",
		"ACE_STATEMENT_TIMEOUT": "90s", "ACE_SNAPSHOT_MAX": "1m", "ACE_RETENTION_DAYS": "30", "ACE_AUDIT_RETENTION_DAYS": "365",
		"ACE_LEASE": "1m", "ACE_PATIENCE": "2m", "ACE_UNIT_TIMEOUT": "2m",
		"ACE_WEBHOOK_URL": "https://hooks.example.com", "ACE_WEBHOOK_SECRET_FILE": secret, "ACE_WEBHOOK_FORMAT": "slack", "ACE_WEBHOOK_EVENTS": "all", "ACE_EVENT_BUS": "default",
		"ACE_PAGE": "false", "ACE_PPROF": "127.0.0.1:6060", "ACE_DEBUGGER": "true",
		"ACE_METRICS": "false", "ACE_METRICS_NAMESPACE": "ace-stack",
		"ACE_LOG_LEVEL": "debug", "ACE_LOG_FORMAT": "json", "ACE_REQUEST_LOG": "changes",
		"ACE_FUNCTION_TASKRUNNER": "runner", "ACE_FUNCTION_BLOCKWORKER": "worker",
	})
	want := strings.Join([]string{
		"ACE_LISTEN=0.0.0.0:5001", "ACE_LISTEN_PUBLIC=true", "ACE_HOSTS=ace.example.com, 10.0.0.5", "ACE_TOKEN_FILE=" + token, "ACE_CALLERS=" + callers,
		"ACE_TLS_CERT=/tls/crt", "ACE_TLS_KEY=/tls/key", "ACE_TLS_CLIENT_CA=/tls/ca",
		"ACE_STORE=s3://bucket/some/prefix?endpoint=http%3A%2F%2F127.0.0.1%3A9000&region=us-east-1",
		"ACE_CLUSTERS=/etc/ace/clusters", "ACE_SCHEDULES=/etc/ace/schedules.yaml",
		"ACE_MAX_TASKS=4", "ACE_MAX_QUEUE=10", "ACE_MAX_INVOCATIONS=100", "ACE_IMPORT_DIR=/", "ACE_MAX_IMPORT_MB=7",
		"ACE_STATEMENT_TIMEOUT=1m30s", "ACE_REPAIR_ANSWER_TIMEOUT=1m0s", "ACE_SNAPSHOT_MAX=1m0s", "ACE_LEASE=1m0s", "ACE_PATIENCE=2m0s", "ACE_UNIT_TIMEOUT=2m0s", "ACE_AUDIT_RETENTION_DAYS=365", "ACE_RETENTION_DAYS=30",
		"ACE_WEBHOOK_URL=https://hooks.example.com", "ACE_WEBHOOK_SECRET_FILE=" + secret, "ACE_WEBHOOK_FORMAT=slack", "ACE_WEBHOOK_EVENTS=all", "ACE_EVENT_BUS=default",
		"ACE_PAGE=false", "ACE_PPROF=127.0.0.1:6060", "ACE_DEBUGGER=true", "ACE_METRICS=false", "ACE_METRICS_NAMESPACE=ace-stack",
		"ACE_LOG_LEVEL=DEBUG", "ACE_LOG_FORMAT=json", "ACE_REQUEST_LOG=changes",
		"ACE_FUNCTION_TASKRUNNER=runner", "ACE_FUNCTION_BLOCKWORKER=worker", "",
	}, "\n")
	if diff := cmp.Diff(want, got.Dump()); diff != "" {
		t.Errorf("dump (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ace.example.com", "10.0.0.5"}, got.AllowedHosts()); diff != "" {
		t.Errorf("allowed hosts (-want +got):\n%s", diff)
	}
	if entries, err := got.ReadCallers(); err != nil || len(entries) != 2 || entries[0].Name != "ci" || entries[1].Name != "token" {
		t.Errorf("the callers are %+v, %v", entries, err)
	}
	if text, err := got.ReadToken(); err != nil || text != "0123456789abcdef" {
		t.Errorf("the token is %q, %v", text, err)
	}
	if again := load(t, dumped(got)); !cmp.Equal(got, again) {
		t.Errorf("the dump is read as something else:\n%s", cmp.Diff(got, again))
	}
}

const callersFile = `callers:
  - {name: ci, token_sha256: 1111111111111111111111111111111111111111111111111111111111111111, rights: [read], clusters: [demo]}
`

func TestCallers_ProtectAPublicAddressAsATokenDoes(t *testing.T) {
	callers := tokenFile(t, callersFile)
	load(t, map[string]string{"ACE_LISTEN": "10.0.0.5:5000", "ACE_LISTEN_PUBLIC": "true", "ACE_CALLERS": callers})
	if err := os.Chmod(callers, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, says string }{
		"a file that others read": {callers, "ACE_CALLERS is refused"},
		"no file":                 {callers + ".no", "which cannot be read"},
		"a file of another kind":  {tokenFile(t, "callers: 1"), "line 1: callers must be a list"},
	} {
		if _, err := config.Load(map[string]string{"ACE_CALLERS": tt.path}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// dumped converts a dump to variables.
func dumped(c config.Config) map[string]string {
	environ := make(map[string]string)
	for line := range strings.Lines(c.Dump()) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		environ[name] = value
	}
	return environ
}

func TestLoad_ReportsEverythingAtOnce(t *testing.T) {
	token := tokenFile(t, "short")
	_, err := config.Load(map[string]string{
		"ACE_LISTEN": "nowhere", "ACE_LISTEN_PUBLIC": "perhaps", "ACE_TOKEN_FILE": token, "ACE_STORE": "/var/lib/ace",
		"ACE_MAX_TASKS": "0", "ACE_MAX_QUEUE": "many", "ACE_STATEMENT_TIMEOUT": "10", "ACE_SNAPSHOT_MAX": "-1s",
		"ACE_RETENTION_DAYS": "-1", "ACE_LOG_LEVEL": "INFO+2", "ACE_LOG_FORMAT": "xml", "ACE_MAX_INVOCATIONS": "1.5", "ACE_HOSTS": "a,,b",
		"ACE_CLUSTERS": "s3://bucket/clusters?zone=a", "ACE_LEASE": "1s", "ACE_UNIT_TIMEOUT": "16m",
	})
	message := strings.ReplaceAll(fault.PublicMessage(err), token, "FILE")
	want := `the configuration is wrong:
  ACE_CLUSTERS is "s3://bucket/clusters?zone=a": only endpoint and region may follow the question mark, each once; it must be a directory, a file, or s3://bucket/prefix?endpoint=URL&region=NAME
  ACE_HOSTS is "a,,b"; it must be host names or addresses, without ports, separated by commas
  ACE_LEASE is "1s"; it must be a time from 3s to 10m such as 30s
  ACE_LISTEN is "nowhere"; it must be host:port with a loopback host, or unix:///path
  ACE_LISTEN_PUBLIC is "perhaps"; it must be true or false
  ACE_LOG_FORMAT is "xml"; it must be text or json
  ACE_LOG_LEVEL is "INFO+2"; it must be debug, info, warn or error
  ACE_MAX_INVOCATIONS is "1.5"; it must be a whole number from 1 to 1000
  ACE_MAX_QUEUE is "many"; it must be a whole number from 1 to 100000
  ACE_MAX_TASKS is "0"; it must be a whole number from 1 to 64
  ACE_RETENTION_DAYS is "-1"; it must be a whole number from 0 to 36500
  ACE_SNAPSHOT_MAX is "-1s"; it must be a time from 1s to 24h such as 5m
  ACE_STATEMENT_TIMEOUT is "10"; it must be a time from 1s to 24h such as 10m
  ACE_STORE is "/var/lib/ace": it begins neither with file:// nor with s3://; it must be file://directory or s3://bucket/prefix?endpoint=URL&region=NAME
  ACE_TOKEN_FILE is "FILE", which must contain one token of at least 16 characters
  ACE_UNIT_TIMEOUT is "16m"; it must be a time from 1s to 15m such as 5m`
	if fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the code is %s", fault.CodeOf(err))
	}
	if diff := cmp.Diff(want, message); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHosts_AreNamesAndAddresses(t *testing.T) {
	for hosts, ok := range map[string]bool{
		"ace.test": true, "ACE_1.test, 10.0.0.5, [fd00::1], fd00::2": true, "ace.test:5000": false, "http://ace.test": false, "*": false,
		"*.test": false, "evil@ace.test": false, "[fd00::1]:5000": false, "fe80::1%eth0": false, "a b": false, "ace/": false, ",": false,
	} {
		if _, err := config.Load(map[string]string{"ACE_HOSTS": hosts}); (err == nil) != ok {
			t.Errorf("%q returned %v", hosts, err)
		}
	}
}

func TestListen_APublicAddressNeedsPermissionAndAToken(t *testing.T) {
	token := tokenFile(t, "0123456789abcdef")
	tests := []struct {
		listen string
		public string
		token  string
		ok     bool
	}{
		{"127.0.0.1:5000", "", "", true},
		{"localhost:5000", "", "", true},
		{"[::1]:0", "", "", true},
		{"127.1.2.3:80", "", token, true},
		{"unix:///run/ace/ace.sock", "", "", true},
		{":5000", "", "", false},
		{"0.0.0.0:5000", "", "", false},
		{"[::]:5000", "true", "", false},
		{"10.0.0.5:5000", "", token, false},
		{"10.0.0.5:5000", "false", token, false},
		{"10.0.0.5:5000", "true", token, true},
		{"ace.example.com:5000", "", "", false},
		{"127.0.0.1", "", "", false},
		{"127.0.0.1:http", "", "", false},
		{"127.0.0.1:65536", "", "", false},
		{"unix://ace.sock", "", "", false},
		{"unix:///", "", "", false},
	}
	for _, tt := range tests {
		environ := map[string]string{"ACE_LISTEN": tt.listen, "ACE_LISTEN_PUBLIC": tt.public, "ACE_TOKEN_FILE": tt.token}
		c, err := config.Load(environ)
		if (err == nil) != tt.ok {
			t.Errorf("%+v returned %v", tt, err)
		}
		if err == nil && c.Listen.String() != tt.listen {
			t.Errorf("%s is written as %s", tt.listen, c.Listen)
		}
	}
}

// Case O-P27, see docs/RELIABILITY.md.
func TestStore_Forms(t *testing.T) {
	tests := []struct {
		text string
		want config.Store
	}{
		{"file:///var/lib/ace", config.Store{Embedded: true, Dir: "/var/lib/ace"}},
		{"file://./ace data", config.Store{Embedded: true, Dir: "./ace data"}},
		{"s3://bucket", config.Store{Bucket: "bucket"}},
		{"s3://my-bucket.x/a/b/", config.Store{Bucket: "my-bucket.x", Prefix: "a/b"}},
		{"s3://bucket?region=eu-west-1", config.Store{Bucket: "bucket", Region: "eu-west-1"}},
		{"s3://bucket?endpoint=https://minio.example:9000/", config.Store{Bucket: "bucket", Endpoint: "https://minio.example:9000"}},
	}
	for _, tt := range tests {
		got := load(t, map[string]string{"ACE_STORE": tt.text}).Store
		if got != tt.want {
			t.Errorf("%s returned %+v", tt.text, got)
		}
		if again := load(t, map[string]string{"ACE_STORE": got.String()}).Store; again != got {
			t.Errorf("%+v is written as %s and read as %+v", got, got, again)
		}
	}
	for bad, reason := range map[string]string{
		"file://":                                 "the directory is missing",
		"s3://":                                   "the name of a bucket has",
		"s3:///prefix":                            "the name of a bucket has",
		"s3://B":                                  "the name of a bucket has",
		"s3://bucket?endpoint=minio:9000":         "the endpoint must begin with http:// or https://, such as endpoint=http://host:9000",
		"s3://bucket?endpoint=10.0.0.1:9000":      "the endpoint must begin with http:// or https://, such as endpoint=http://host:9000",
		"s3://bucket?endpoint=http://":            "the endpoint has no host",
		"s3://bucket?endpoint=http://h/path":      "the endpoint must not have a path; a prefix follows the bucket, as in s3://bucket/prefix?endpoint=http://host:9000",
		"s3://bucket?endpoint=http://bucket.s3.x": "the endpoint must not begin with the name of the bucket, which follows s3://",
		"s3://bucket?endpoint=http://h%3Fa=b":     "the endpoint must not have a query",
		"s3://bucket?region=a&region=b":           "only endpoint and region may follow the question mark, each once",
		"s3://bucket?zone=a":                      "only endpoint and region may follow the question mark, each once",
		"http://bucket":                           "it begins neither with file:// nor with s3://",
		"./ace-data":                              "it begins neither with file:// nor with s3://",
		"s3://bucket#x":                           "it has a fragment (#)",
		"s3://bucket?%zz":                         "what follows the question mark is not a query",
		"s3://k:p@bucket":                         "credentials are not allowed here; they come from the standard AWS chain",
		"s3://bucket?endpoint=http://k:p@h":       "the endpoint must not contain credentials; they come from the standard AWS chain",
	} {
		if _, err := config.Load(map[string]string{"ACE_STORE": bad}); err == nil || !strings.Contains(err.Error(), ": "+reason) {
			t.Errorf("%s: %v, want %s", bad, err, reason)
		}
	}
}

func TestLoad_DoesNotRepeatCredentials(t *testing.T) {
	for _, store := range []string{
		"s3://key:hunter2@bucket", "s3://bucket?endpoint=http://key:hunter2@host:9000", "s3://bucket?endpoint=http%3A%2F%2Fkey%3Ahunter2%40host",
	} {
		_, err := config.Load(map[string]string{"ACE_STORE": store})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s returned %v", store, err)
		}
	}
}

// Case O-P30, see docs/RELIABILITY.md.
func TestServiceAndPasswordFiles_AreThoseOfLibpqAndThePeer(t *testing.T) {
	account, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil {
		t.Fatal(err)
	}
	all := load(t, map[string]string{"ACE_PGSERVICEFILE": "/a", "PGSERVICEFILE": "/b", "HOME": "/home/u", "PGPASSFILE": "/p"})
	without := load(t, nil) // libpq uses the home directory of the account then
	for _, tt := range []struct {
		c        config.Config
		named    []string
		home     string
		password string
	}{{all, []string{"/a", "/b"}, "/home/u", "/p"}, {without, nil, account.HomeDir, account.HomeDir + "/.pgpass"}} {
		var want []config.ServiceFile
		for _, path := range tt.named {
			want = append(want, config.ServiceFile{Path: path, Named: true})
		}
		want = append(want, config.ServiceFile{Path: "pg_service.conf"},
			config.ServiceFile{Path: tt.home + "/.pg_service.conf"}, config.ServiceFile{Path: "/etc/pg_service.conf"})
		if diff := cmp.Diff(want, tt.c.ServiceFiles()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if path, named := tt.c.PasswordFile(); path != tt.password || named != (tt.named != nil) {
			t.Errorf("the password file is %q, %t, want %q", path, named, tt.password)
		}
		if dir := tt.c.CertificateDir(); dir != tt.home+"/.postgresql" {
			t.Errorf("the certificates are in %q", dir)
		}
	}
}

// Case O-P28, see docs/RELIABILITY.md.
func TestLoad_NamesUnknownVariables(t *testing.T) {
	for name, want := range map[string]string{
		"ACE_RETENTION_DAY":  "ACE_RETENTION_DAY is unknown; did you mean ACE_RETENTION_DAYS?",
		"ACE_TOKENFILE":      "ACE_TOKENFILE is unknown; did you mean ACE_TOKEN_FILE?",
		"ACE_PGSERVICE_FILE": "ACE_PGSERVICE_FILE is unknown; did you mean ACE_PGSERVICEFILE?",
	} {
		if _, err := config.Load(map[string]string{name: "30"}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// Kubernetes sets variables like these for a service that is named ace.
	others := map[string]string{"ACE_SERVICE_HOST": "10.0.0.1", "ACE_PORT_5000_TCP_ADDR": "10.0.0.1", "ACE_PORT": "tcp://10.0.0.1:5000", "ACEX": "1", "FACE_STORE": "x"}
	want := []string{
		"the variable ACE_PORT is unknown and has no effect", "the variable ACE_PORT_5000_TCP_ADDR is unknown and has no effect",
		"the variable ACE_SERVICE_HOST is unknown and has no effect",
	}
	if diff := cmp.Diff(want, load(t, others).Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestVariables_EachHasAFlag(t *testing.T) {
	flags := make(map[string]string)
	for _, v := range config.Variables() {
		if v.Usage == "" || v.Allowed == "" || !strings.HasPrefix(v.Name, "ACE_") {
			t.Errorf("%+v lacks a name or a description", v)
		}
		flags[v.Flag()] = v.Name
	}
	if flags["listen-public"] != "ACE_LISTEN_PUBLIC" || flags["max-tasks"] != "ACE_MAX_TASKS" || len(flags) != len(config.Variables()) {
		t.Errorf("the flags are %v", flags)
	}
}

func FuzzStore(f *testing.F) {
	for _, seed := range []string{"file:///a", "s3://bucket/p?endpoint=http://h:9000&region=r", "s3://bucket?x", "file://", "s3://u:p@bucket", "s3://bucket/%2f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var store, again config.Store
		if store.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(store.String())); err != nil || again != store {
			t.Fatalf("%q returned %+v, written as %s, read as %+v, %v", text, store, store, again, err)
		}
	})
}

func TestCallers_NoneHasTheTokenThatMayDoEverything(t *testing.T) {
	const token = "0123456789abcdef"
	callers := tokenFile(t, strings.Replace(callersFile, strings.Repeat("1", 64), caller.HashOf(token).String(), 1))
	_, err := config.Load(map[string]string{"ACE_CALLERS": callers, "ACE_TOKEN_FILE": tokenFile(t, token)})
	if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.PublicMessage(err), "the caller ci of ACE_CALLERS has too") {
		t.Errorf("got %v", err)
	}
}
