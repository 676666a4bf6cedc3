package config

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole configuration. Each field names its variable, its default, what it is for and what is allowed.
type Config struct {
	Listen       Listen   `env:"ACE_LISTEN" envDefault:"127.0.0.1:5000" usage:"where to answer" allowed:"host:port with a loopback host, or unix:///path"`
	ListenPublic bool     `env:"ACE_LISTEN_PUBLIC" envDefault:"false" usage:"permits an address that others can reach" allowed:"true or false"`
	Hosts        []string `env:"ACE_HOSTS" usage:"names besides loopback ones that requests may address the service by" allowed:"host names or addresses, without ports, separated by commas"`
	TokenFile    string   `env:"ACE_TOKEN_FILE" usage:"the token that requests must carry" allowed:"a file with a token of at least 16 characters"`

	Store     Store  `env:"ACE_STORE" envDefault:"file://./ace-data" usage:"where everything is kept" allowed:"file://directory or s3://bucket/prefix?endpoint=URL&region=NAME"`
	Clusters  string `env:"ACE_CLUSTERS" envDefault:"./clusters" usage:"the cluster definitions" allowed:"a directory, a file, or s3://bucket/prefix?endpoint=URL&region=NAME"`
	Schedules string `env:"ACE_SCHEDULES" usage:"the YAML file of scheduled comparisons" allowed:"a YAML file"`

	MaxTasks       int `env:"ACE_MAX_TASKS" envDefault:"2" usage:"tasks that run at once" allowed:"a whole number from 1 to 64"`
	MaxQueue       int `env:"ACE_MAX_QUEUE" envDefault:"1000" usage:"tasks that may wait, more are refused" allowed:"a whole number from 1 to 100000"`
	MaxInvocations int `env:"ACE_MAX_INVOCATIONS" envDefault:"16" usage:"units of one task at once, of which max_cpu_ratio is a share, for functions only" allowed:"a whole number from 1 to 1000"`
	MaxImportMB    int `env:"ACE_MAX_IMPORT_MB" envDefault:"1024" usage:"megabytes that an imported document may have" allowed:"a whole number from 1 to 65536"`

	StatementTimeout time.Duration `env:"ACE_STATEMENT_TIMEOUT" envDefault:"10m" usage:"how long one statement on a node may take" allowed:"a time from 1s to 24h such as 10m"`
	SnapshotMax      time.Duration `env:"ACE_SNAPSHOT_MAX" envDefault:"5m" usage:"how long the units of one pass over a table's pages may share a snapshot" allowed:"a time from 1s to 24h such as 5m"`
	Lease            time.Duration `env:"ACE_LEASE" envDefault:"30s" usage:"how long a task may go without a sign of life before another process takes it, the same for all on one store" allowed:"a time from 3s to 10m such as 30s"`
	UnitTimeout      time.Duration `env:"ACE_UNIT_TIMEOUT" envDefault:"5m" usage:"how long one unit of work may take, for functions only" allowed:"a time from 1s to 15m such as 5m"`
	RetentionDays    int           `env:"ACE_RETENTION_DAYS" envDefault:"0" usage:"days that documents and tasks are kept, 0 for ever" allowed:"a whole number from 0 to 36500"`

	Pprof Listen `env:"ACE_PPROF" usage:"where to serve Go's profiles, nowhere if empty" allowed:"a loopback host:port"`

	LogLevel  slog.Level `env:"ACE_LOG_LEVEL" envDefault:"info" usage:"the least important lines to log" allowed:"debug, info, warn or error"`
	LogFormat string     `env:"ACE_LOG_FORMAT" envDefault:"text" usage:"the form of the log" allowed:"text or json"`

	TaskRunnerFunction  string `env:"ACE_FUNCTION_TASKRUNNER" usage:"what runs tasks, for functions only" allowed:"the name of a Lambda function"`
	BlockWorkerFunction string `env:"ACE_FUNCTION_BLOCKWORKER" usage:"what does units of work, for functions only" allowed:"the name of a Lambda function"`

	// Where libpq and the peer look for service and password files. Not ours, hence not in Variables.
	AceServiceFile string `env:"ACE_PGSERVICEFILE"`
	ServiceFile    string `env:"PGSERVICEFILE"`
	PassFile       string `env:"PGPASSFILE"`
	Home           string `env:"HOME"`
}

// AllowedHosts gives the names besides loopback ones that requests may address us by: ACE_HOSTS, and the host listened
// on if it is a particular one.
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

// ClustersBucket gives the bucket with the cluster definitions, if they lie in one.
func (c Config) ClustersBucket() (bucket Store, inBucket bool, err error) {
	if !strings.HasPrefix(c.Clusters, "s3://") {
		return Store{}, false, nil
	}
	bucket, err = parseBucket(c.Clusters)
	return bucket, err == nil, err
}

// MaxImport is the bytes that an imported document may have.
func (c Config) MaxImport() int64 { return int64(c.MaxImportMB) << 20 }

// ServiceFiles gives the pg_service.conf files to look at, in order. They need not exist.
func (c Config) ServiceFiles() []string {
	var files []string
	for _, path := range []string{c.AceServiceFile, c.ServiceFile, "pg_service.conf", c.inHome(".pg_service.conf"), "/etc/pg_service.conf"} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}

// PasswordFile gives libpq's password file, "" if there can be none. It need not exist.
func (c Config) PasswordFile() string {
	if c.PassFile != "" {
		return c.PassFile
	}
	return c.inHome(".pgpass")
}

func (c Config) inHome(name string) string {
	if c.Home == "" {
		return ""
	}
	return filepath.Join(c.Home, name)
}
