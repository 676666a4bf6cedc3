package config

import (
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config is the configuration of the program. The tags of a field contain the name of its
// environment variable, its default, its purpose and its allowed values.
type Config struct {
	Listen       Listen   `env:"ACE_LISTEN" envDefault:"127.0.0.1:5000" usage:"address to listen on" allowed:"host:port with a loopback host, or unix:///path"`
	ListenPublic bool     `env:"ACE_LISTEN_PUBLIC" envDefault:"false" usage:"permit an address that other machines can reach" allowed:"true or false"`
	Hosts        []string `env:"ACE_HOSTS" usage:"host names, in addition to loopback ones, that requests may use" allowed:"host names or addresses, without ports, separated by commas"`
	TokenFile    string   `env:"ACE_TOKEN_FILE" usage:"file with the token that requests must have" allowed:"a file with a token of at least 16 characters"`
	CallersFile  string   `env:"ACE_CALLERS" usage:"the YAML file of callers: their tokens, rights and clusters" allowed:"a YAML file"`

	TLSCert     string `env:"ACE_TLS_CERT" usage:"file with the certificate of the service, which then serves TLS only" allowed:"a file with PEM certificates"`
	TLSKey      string `env:"ACE_TLS_KEY" usage:"file with the key of the certificate" allowed:"a file with a PEM key"`
	TLSClientCA string `env:"ACE_TLS_CLIENT_CA" usage:"file with the authorities whose certificates clients must have" allowed:"a file with PEM certificates"`

	Store     Store  `env:"ACE_STORE" envDefault:"file://./ace-data" usage:"the archive" allowed:"file://directory or s3://bucket/prefix?endpoint=URL&region=NAME"`
	Clusters  string `env:"ACE_CLUSTERS" envDefault:"./clusters" usage:"the cluster definitions" allowed:"a directory, a file, or s3://bucket/prefix?endpoint=URL&region=NAME"`
	Schedules string `env:"ACE_SCHEDULES" usage:"the YAML file of scheduled comparisons" allowed:"a YAML file"`

	MaxTasks       int    `env:"ACE_MAX_TASKS" envDefault:"2" usage:"tasks that run at once" allowed:"a whole number from 1 to 64"`
	MaxQueue       int    `env:"ACE_MAX_QUEUE" envDefault:"1000" usage:"tasks that may wait; further ones are refused" allowed:"a whole number from 1 to 100000"`
	MaxInvocations int    `env:"ACE_MAX_INVOCATIONS" envDefault:"16" usage:"units of one task that run at once if max_cpu_ratio is 1, for functions only" allowed:"a whole number from 1 to 1000"`
	ImportDir      string `env:"ACE_IMPORT_DIR" usage:"directory of files that a diff_file may name by their absolute path, none if empty" allowed:"a directory"`
	MaxImportMB    int    `env:"ACE_MAX_IMPORT_MB" envDefault:"1024" usage:"maximum megabytes of an imported document" allowed:"a whole number from 1 to 65536"`

	StatementTimeout time.Duration `env:"ACE_STATEMENT_TIMEOUT" envDefault:"10m" usage:"time limit of one statement on a node" allowed:"a time from 1s to 24h such as 10m"`
	RepairAnswer     time.Duration `env:"ACE_REPAIR_ANSWER_TIMEOUT" envDefault:"1m" usage:"how long a repair that may hold locks waits for a node that sends nothing" allowed:"a time from 1s to 24h such as 1m"`
	SnapshotMax      time.Duration `env:"ACE_SNAPSHOT_MAX" envDefault:"5m" usage:"how long the units of one pass over a table's pages may share a snapshot" allowed:"a time from 1s to 24h such as 5m"`
	Lease            time.Duration `env:"ACE_LEASE" envDefault:"30s" usage:"time without a renewal after which another process takes over a task, the same for all processes on one store" allowed:"a time from 3s to 10m such as 30s"`
	Patience         time.Duration `env:"ACE_PATIENCE" envDefault:"1m" usage:"how long a task retries a step because a node or the archive cannot be used; ten times as long in a scheduled comparison" allowed:"a time from 1s to 1h such as 1m"`
	UnitTimeout      time.Duration `env:"ACE_UNIT_TIMEOUT" envDefault:"5m" usage:"time limit of one unit of work, for functions only" allowed:"a time from 1s to 15m such as 5m"`
	AuditDays        int           `env:"ACE_AUDIT_RETENTION_DAYS" envDefault:"0" usage:"days until entries of the audit log are deleted, 0 for never" allowed:"a whole number from 0 to 36500"`
	RetentionDays    int           `env:"ACE_RETENTION_DAYS" envDefault:"0" usage:"days until documents and tasks are deleted, 0 for never" allowed:"a whole number from 0 to 36500"`

	WebhookURL        WebhookURL `env:"ACE_WEBHOOK_URL" usage:"address that is called when a task has ended, none if empty" allowed:"an http or https URL without user and fragment"`
	WebhookSecretFile string     `env:"ACE_WEBHOOK_SECRET_FILE" usage:"file with the secrets that sign the requests to the webhook" allowed:"a file with one secret per line, whsec_ and base64"`
	WebhookFormat     string     `env:"ACE_WEBHOOK_FORMAT" envDefault:"standard" usage:"format of the requests to the webhook" allowed:"standard or slack"`
	WebhookEvents     []string   `env:"ACE_WEBHOOK_EVENTS" envDefault:"differs,failed,repaired,undone" usage:"how a task must have ended for the webhook to be called" allowed:"all, or some of differs, matches, repaired, undone, dry_run, completed, failed and cancelled, separated by commas"`
	EventBus          string     `env:"ACE_EVENT_BUS" usage:"event bus of Amazon EventBridge that receives an event for each ended task, none if empty, for functions only" allowed:"the name or ARN of an event bus"`

	Page bool `env:"ACE_PAGE" envDefault:"true" usage:"show the web page at /" allowed:"true or false"`

	Pprof Listen `env:"ACE_PPROF" usage:"address to serve Go's profiles on, none if empty" allowed:"a loopback host:port"`

	Debugger bool `env:"ACE_DEBUGGER" envDefault:"false" usage:"let debuggers and core dumps read the memory of the service, which has passwords" allowed:"true or false"`

	Metrics          bool   `env:"ACE_METRICS" envDefault:"true" usage:"publish metrics: at /metrics, or in functions in the log" allowed:"true or false"`
	MetricsNamespace string `env:"ACE_METRICS_NAMESPACE" envDefault:"ACE" usage:"CloudWatch namespace of the metrics, for functions only" allowed:"a CloudWatch namespace"`

	LogLevel   slog.Level `env:"ACE_LOG_LEVEL" envDefault:"info" usage:"lowest level to log" allowed:"debug, info, warn or error"`
	LogFormat  string     `env:"ACE_LOG_FORMAT" envDefault:"text" usage:"format of the log" allowed:"text or json"`
	RequestLog string     `env:"ACE_REQUEST_LOG" envDefault:"all" usage:"requests that are logged; changes means those that start or change something or fail" allowed:"all, changes or none"`

	TaskRunnerFunction  string `env:"ACE_FUNCTION_TASKRUNNER" usage:"function that runs tasks, for functions only" allowed:"the name of a Lambda function"`
	BlockWorkerFunction string `env:"ACE_FUNCTION_BLOCKWORKER" usage:"function that does units of work, for functions only" allowed:"the name of a Lambda function"`

	// The variables from which the paths of the service files and the password file are
	// determined: those of libpq, ACE_PGSERVICEFILE, and HOME for the default paths.
	// Variables does not return them.
	AceServiceFile string `env:"ACE_PGSERVICEFILE"`
	ServiceFile    string `env:"PGSERVICEFILE"`
	PassFile       string `env:"PGPASSFILE"`
	Home           string `env:"HOME"`

	// Warnings name variables that are unknown and have no effect.
	Warnings []string
}

// AllowedHosts returns the names by which requests may address the service, in addition
// to loopback names. These are the names in ACE_HOSTS and the host in ACE_LISTEN. The
// host in ACE_LISTEN is left out if it stands for all addresses of the machine (such as
// 0.0.0.0).
func (c Config) AllowedHosts() []string {
	var hosts []string
	for _, host := range append([]string{c.Listen.Host()}, c.Hosts...) {
		host = strings.TrimSpace(host)
		if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// ClustersBucket returns the bucket with the cluster definitions. inBucket is false if
// the definitions are in a directory or file of this host.
func (c Config) ClustersBucket() (bucket Store, inBucket bool, err error) {
	if !strings.HasPrefix(c.Clusters, "s3://") {
		return Store{}, false, nil
	}
	bucket, err = parseBucket(c.Clusters)
	bucket.CABundle = c.Store.CABundle
	return bucket, err == nil, err
}

// MaxImport returns the maximum size of an imported document in bytes.
func (c Config) MaxImport() int64 { return int64(c.MaxImportMB) << 20 }

// ServiceFile is the path of a service file of libpq. Named means that an environment
// variable names the file. If it is false, the path is one of the default paths.
type ServiceFile struct {
	Path  string
	Named bool
}

// ServiceFiles returns the service files, in the order in which they are searched. The
// files need not exist.
func (c Config) ServiceFiles() []ServiceFile {
	var files []ServiceFile
	for _, file := range []ServiceFile{
		{c.AceServiceFile, true}, {c.ServiceFile, true},
		{"pg_service.conf", false}, {c.inHome(".pg_service.conf"), false}, {"/etc/pg_service.conf", false},
	} {
		if file.Path != "" {
			files = append(files, file)
		}
	}
	return files
}

// PasswordFile returns the path of libpq's password file, or "" if the home directory is
// unknown. The file need not exist. named reports whether a variable names the file.
func (c Config) PasswordFile() (path string, named bool) {
	if c.PassFile != "" {
		return c.PassFile, true
	}
	return c.inHome(".pgpass"), false
}

// CertificateDir returns the directory with the default certificates of libpq, or "" if
// the home directory is unknown. The directory need not exist.
func (c Config) CertificateDir() string { return c.inHome(".postgresql") }

// inHome returns the path of a file in the home directory, or "" if the home directory is
// unknown. Like libpq, it uses the home directory of the user's account if HOME is not
// set.
func (c Config) inHome(name string) string {
	home := c.Home
	if home == "" {
		if account, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
			home = account.HomeDir
		}
	}
	if home == "" {
		return ""
	}
	return filepath.Join(home, name)
}
