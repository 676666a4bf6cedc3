package config

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole configuration. Each field names its variable, its default and, for errors, what is allowed.
type Config struct {
	Listen       Listen   `env:"ACE_LISTEN" envDefault:"127.0.0.1:5000" allowed:"host:port with a loopback host, or unix:///path"`
	ListenPublic bool     `env:"ACE_LISTEN_PUBLIC" envDefault:"false" allowed:"true or false"`
	Hosts        []string `env:"ACE_HOSTS" allowed:"host names separated by commas"` // names that requests may address us by, besides loopback ones
	TokenFile    string   `env:"ACE_TOKEN_FILE" allowed:"a file with a token of at least 16 characters"`

	Store     Store  `env:"ACE_STORE" envDefault:"file://./ace-data" allowed:"file://directory or s3://bucket/prefix?endpoint=URL&region=NAME"`
	Clusters  string `env:"ACE_CLUSTERS" envDefault:"./clusters" allowed:"a directory or a file"`
	Schedules string `env:"ACE_SCHEDULES" allowed:"a YAML file"`

	MaxTasks       int `env:"ACE_MAX_TASKS" envDefault:"2" allowed:"a whole number from 1 to 64"`
	MaxQueue       int `env:"ACE_MAX_QUEUE" envDefault:"1000" allowed:"a whole number from 1 to 100000"`
	MaxInvocations int `env:"ACE_MAX_INVOCATIONS" envDefault:"16" allowed:"a whole number from 1 to 1000"` // functions at once, the source of max_cpu_ratio there

	StatementTimeout time.Duration `env:"ACE_STATEMENT_TIMEOUT" envDefault:"10m" allowed:"a time from 1s to 24h such as 10m"`
	SnapshotMax      time.Duration `env:"ACE_SNAPSHOT_MAX" envDefault:"5m" allowed:"a time from 1s to 24h such as 5m"`
	RetentionDays    int           `env:"ACE_RETENTION_DAYS" envDefault:"0" allowed:"a whole number from 0 to 36500"` // 0 keeps documents for ever

	Pprof Listen `env:"ACE_PPROF" allowed:"a loopback host:port to serve Go profiles on, empty for none"`

	LogLevel  slog.Level `env:"ACE_LOG_LEVEL" envDefault:"info" allowed:"debug, info, warn or error"`
	LogFormat string     `env:"ACE_LOG_FORMAT" envDefault:"text" allowed:"text or json"`

	TaskRunnerFunction  string `env:"ACE_FUNCTION_TASKRUNNER" allowed:"the name of a Lambda function"`
	BlockWorkerFunction string `env:"ACE_FUNCTION_BLOCKWORKER" allowed:"the name of a Lambda function"`

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
