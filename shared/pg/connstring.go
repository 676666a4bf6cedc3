package pg

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/shared/cluster"
)

// connString returns a target as a libpq keyword/value string, without its password. The
// string has only the parameters that pgconn implements; applyOptions applies the others.
// The string sets sslcert, sslkey and sslrootcert even if they are empty, because pgconn
// would otherwise use the files in the home directory.
func connString(t cluster.Target) string {
	settings := map[string]string{"sslcert": "", "sslkey": "", "sslrootcert": "", "sslmode": "prefer"}
	maps.Copy(settings, t.Options)
	maps.DeleteFunc(settings, func(name, _ string) bool { return slices.Contains(appliedHere(), name) })
	if settings["sslmode"] == "disable" {
		settings["sslcert"], settings["sslkey"], settings["sslrootcert"] = "", "", ""
	}

	settings["host"] = t.Host
	settings["port"] = strconv.Itoa(int(t.Port))
	settings["dbname"] = t.Database
	settings["user"] = t.User
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&b, "%s='%s' ", name, escape(settings[name]))
	}

	return b.String()
}

// escape escapes a value for a keyword/value string.
func escape(value string) string { return strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) }

// poolKey returns a string that is different for targets that must not share a pool of
// connections. The string contains the password, so it must not be logged and must not
// leave the process.
func poolKey(t cluster.Target) string {
	return fmt.Sprintf("%s\x00%s\x00%q\x00%s\x00%s\x00%s\x00%t", t.Node, connString(t), t.Options,
		t.Password.Reveal(), t.KeyPassword.Reveal(), t.PasswordSecret, t.RDSIAM)
}

// connectLimit returns the time limit for opening a connection to a target.
func connectLimit(t cluster.Target) time.Duration { return cmp.Or(t.ConnectTimeout(), connectTimeout) }

// appliedHere returns the parameters that connString omits. applyOptions applies most of
// them, because pgconn does not know them, or does not apply them as ACE does. The caller
// of applyOptions sets password. The parameters service and servicefile never occur,
// because a cluster definition with one of them is refused.
func appliedHere() []string {
	return []string{
		"application_name", "connect_timeout", "fallback_application_name", "hostaddr", "password", "service", "servicefile",
		"ssl_max_protocol_version", "ssl_min_protocol_version",
	}
}

// applyOptions applies the parameters that connString omits. The caller sets the
// password.
func applyOptions(config *pgx.ConnConfig, t cluster.Target) {
	config.ConnectTimeout = connectLimit(t)
	maps.DeleteFunc(config.RuntimeParams, func(name, _ string) bool { return t.Options[name] == "" })
	config.RuntimeParams["application_name"] = sessionName(t)
	if hostaddr := t.Options["hostaddr"]; hostaddr != "" {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{hostaddr}, nil }
	}

	ways := []*tls.Config{config.TLSConfig}
	for _, fallback := range config.Fallbacks {
		ways = append(ways, fallback.TLSConfig)
	}
	for _, way := range ways {
		if way != nil {
			way.MinVersion = cmp.Or(tlsVersion(t.Options["ssl_min_protocol_version"]), tls.VersionTLS12)
			way.MaxVersion = tlsVersion(t.Options["ssl_max_protocol_version"])
		}
	}
}

// tlsVersion returns the number of a protocol version that libpq names, such as TLSv1.2.
// It returns 0 for an empty name.
func tlsVersion(name string) uint16 {
	return map[string]uint16{
		"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13,
	}[name]
}

// address returns host, port and database for messages.
func address(t cluster.Target) string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port))) + "/" + t.Database
}
