package config

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"ace/shared/api"
	"ace/shared/fault"
)

// prefix is the beginning of the names of ACE's environment variables.
const prefix = "ACE_"

const day = 24 * time.Hour

// Environ converts NAME=value entries, as returned by os.Environ, to the map that Load
// accepts.
func Environ(entries []string) map[string]string {
	variables := make(map[string]string, len(entries))
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		variables[name] = value
	}
	return variables
}

// Load converts environ, a map from the names of variables to their values, to a Config.
// A variable that is missing or empty has its default. The error is one fault with code
// Invalid whose message has a line for each problem.
func Load(environ map[string]string) (Config, error) {
	var c Config
	environ = maps.Clone(environ)
	if environ == nil {
		environ = map[string]string{} // if the map is nil, package env reads the environment of the process
	}

	bad := make(map[string]string)
	addParseErrors(env.ParseWithOptions(&c, env.Options{Environment: environ}), environ, bad)
	c.Store.CABundle = environ["AWS_CA_BUNDLE"]
	c.check(environ, bad)
	c.Warnings = addUnknown(environ, bad)
	if len(bad) == 0 {
		return c, nil
	}

	lines := []string{"the configuration is wrong:"}
	for _, name := range slices.Sorted(maps.Keys(bad)) {
		lines = append(lines, "  "+bad[name])
	}
	return Config{}, fault.New(fault.Invalid, "%s", strings.Join(lines, "\n"))
}

// addParseErrors adds to bad, a map from variable to message, the variables that package
// env could not convert.
func addParseErrors(err error, environ, bad map[string]string) {
	var all env.AggregateError
	if !errors.As(err, &all) {
		return
	}

	for _, one := range all.Errors {
		var parse env.ParseError
		if !errors.As(one, &parse) {
			bad[one.Error()] = one.Error()
			continue
		}
		field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
		name := field.Tag.Get("env")
		bad[name] = notAllowed(name, environ[name])
		if name == "ACE_STORE" {
			bad[name] = invalidStore(name, environ[name], parse.Err)
		}
	}
}

// addUnknown adds to bad, a map from variable to message, the unknown variables that are
// similar to a known one. They must not be ignored: with ACE_TOKEN_FIL the service would
// require no token, and with ACE_RETENTION_DAY it would delete nothing. addUnknown
// returns warnings about the other unknown variables, which another program may have set.
func addUnknown(environ, bad map[string]string) []string {
	// The commands in local/client read these; Config has no fields for them.
	known := []string{"ace_server", "ace_ca", "ace_client_cert", "ace_client_key"}
	for field := range fields() {
		known = append(known, strings.ToLower(field.Tag.Get("env")))
	}

	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(name, prefix) || slices.Contains(known, lower) {
			continue
		}
		if near := api.Nearest(lower, known); near != "" {
			bad[name] = fmt.Sprintf("%s is unknown; did you mean %s?", name, strings.ToUpper(near))
			continue
		}
		warnings = append(warnings, fmt.Sprintf("the variable %.100s is unknown and has no effect", name))
	}
	return warnings
}

// check adds to bad, a map from variable to message, the variables whose values are not
// allowed.
func (c Config) check(environ, bad map[string]string) {
	note := func(ok bool, name, text string) {
		if _, noted := bad[name]; !ok && !noted {
			bad[name] = text
		}
	}

	within := func(name string, value, from, to int) {
		note(value >= from && value <= to, name, notAllowed(name, environ[name]))
	}

	within("ACE_MAX_TASKS", c.MaxTasks, 1, 64)
	within("ACE_MAX_QUEUE", c.MaxQueue, 1, 100_000)
	within("ACE_MAX_INVOCATIONS", c.MaxInvocations, 1, 1000)
	within("ACE_MAX_IMPORT_MB", c.MaxImportMB, 1, 65_536)
	within("ACE_RETENTION_DAYS", c.RetentionDays, 0, 36_500)
	within("ACE_AUDIT_RETENTION_DAYS", c.AuditDays, 0, 36_500)
	within("ACE_STATEMENT_TIMEOUT", int(c.StatementTimeout), int(time.Second), int(day))
	within("ACE_PATIENCE", int(c.Patience), int(time.Second), int(time.Hour))
	within("ACE_REPAIR_ANSWER_TIMEOUT", int(c.RepairAnswer), int(time.Second), int(day))
	within("ACE_LEASE", int(c.Lease), int(3*time.Second), int(10*time.Minute))
	within("ACE_UNIT_TIMEOUT", int(c.UnitTimeout), int(time.Second), int(15*time.Minute))
	within("ACE_SNAPSHOT_MAX", int(c.SnapshotMax), int(time.Second), int(day))
	note(c.LogFormat == "text" || c.LogFormat == "json", "ACE_LOG_FORMAT", notAllowed("ACE_LOG_FORMAT", c.LogFormat))
	note(slices.Contains([]string{"all", "changes", "none"}, c.RequestLog), "ACE_REQUEST_LOG", notAllowed("ACE_REQUEST_LOG", c.RequestLog))
	note(slices.Contains(levels(), c.LogLevel.Level().String()), "ACE_LOG_LEVEL", notAllowed("ACE_LOG_LEVEL", environ["ACE_LOG_LEVEL"]))
	note(!slices.ContainsFunc(c.Hosts, isNoHost), "ACE_HOSTS", notAllowed("ACE_HOSTS", environ["ACE_HOSTS"]))
	_, _, err := c.ClustersBucket()
	note(err == nil, "ACE_CLUSTERS", invalidStore("ACE_CLUSTERS", c.Clusters, err))
	note(c.Pprof == (Listen{}) || c.Pprof.Network == "tcp" && c.Pprof.Loopback(), "ACE_PPROF", notAllowed("ACE_PPROF", environ["ACE_PPROF"]))
	if c.ImportDir != "" {
		info, err := os.Stat(c.ImportDir)
		note(err == nil && info.IsDir(), "ACE_IMPORT_DIR", notAllowed("ACE_IMPORT_DIR", c.ImportDir))
	}
	if c.TokenFile != "" {
		_, err := c.ReadToken()
		note(err == nil, "ACE_TOKEN_FILE", fault.PublicMessage(err))
	}

	if c.CallersFile != "" {
		_, err := c.ReadCallers()
		note(err == nil, "ACE_CALLERS", fault.PublicMessage(err))
	}

	c.checkWebhook(environ, note)
	c.checkTLS(note)
	note(c.Listen.Loopback() || (c.ListenPublic && c.NeedsToken()), "ACE_LISTEN", fmt.Sprintf(
		"ACE_LISTEN is %q, which other machines can reach: set ACE_LISTEN_PUBLIC=true and ACE_TOKEN_FILE or ACE_CALLERS, or use %s",
		c.Listen, allowed("ACE_LISTEN")))
}

// checkTLS checks that the variables of TLS fit together. The service checks the files
// when it starts.
func (c Config) checkTLS(note func(ok bool, name, text string)) {
	note(c.TLSKey != "" || c.TLSCert == "", "ACE_TLS_KEY", "ACE_TLS_CERT is set, so ACE_TLS_KEY must name the file with the key")
	note(c.TLSCert != "" || c.TLSKey == "", "ACE_TLS_CERT", "ACE_TLS_KEY is set, so ACE_TLS_CERT must name the file with the certificate")
	note(c.TLSCert != "" || c.TLSClientCA == "", "ACE_TLS_CLIENT_CA", "ACE_TLS_CLIENT_CA needs ACE_TLS_CERT and ACE_TLS_KEY, because only TLS has client certificates")
	note(c.TLSCert == "" || c.Listen.Network == "tcp", "ACE_LISTEN", "ACE_LISTEN is a Unix socket, which has no TLS: unset ACE_TLS_CERT, or use host:port")
}

// isNoHost reports whether text is neither a host name nor an address. It returns true
// for a URL, a name with a port and a wildcard, because these would never be equal to the
// host name in a request.
func isNoHost(text string) bool {
	text = strings.TrimSpace(text)
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return ip.Zone() != ""
	}
	return text == "" || strings.ContainsFunc(strings.ToLower(text), func(c rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-_", c)
	})
}

func levels() []string { return []string{"DEBUG", "INFO", "WARN", "ERROR"} }

// invalidStore returns the message for a variable that names a store, with the reason why
// its value is not allowed.
func invalidStore(name, value string, reason error) string {
	return fmt.Sprintf("%s is %s: %v; it must be %s", name, display(name, value), reason, allowed(name))
}

// notAllowed returns the message for a variable whose value is not allowed.
func notAllowed(name, value string) string {
	return fmt.Sprintf("%s is %s; it must be %s", name, display(name, value), allowed(name))
}

// display returns the value of a variable for a message. If the value is the URL of a
// webhook or seems to contain credentials, display returns a note instead of the value.
func display(name, value string) string {
	if name == "ACE_WEBHOOK_URL" {
		return "not shown here (its path may be a secret)"
	}
	if (name == "ACE_STORE" || name == "ACE_CLUSTERS") && (strings.Contains(value, "@") || strings.Contains(value, "%40")) {
		return "not shown here (it seems to hold credentials; those come from the standard AWS chain)"
	}
	return strconv.Quote(value)
}

// allowed returns the description of a variable's allowed values.
func allowed(name string) string {
	for field := range fields() {
		if field.Tag.Get("env") == name {
			return field.Tag.Get("allowed")
		}
	}
	return ""
}
