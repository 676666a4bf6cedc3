package cluster

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Use is what ACE does with a connection parameter that a definition contains.
type Use string

// The uses.
const (
	Used    Use = "used"
	Ignored Use = "ignored" // the parameter is accepted but has no effect; a warning names it
	Refused Use = "refused" // a definition with the parameter cannot be used, because it would be unsafe to ignore the parameter
)

// Parameter is a connection parameter of libpq. docs/CONFIGURATION.md has the same table.
type Parameter struct {
	Name     string // the name of the parameter; "" for an environment variable that sets no parameter
	Variable string // the environment variable of libpq that sets the parameter; "" if there is none
	Use      Use    // what ACE does with the parameter in a definition
	// VariableUsed reports whether the environment variable has an effect. A variable
	// without effect is ignored, because what a service connects to must not depend on
	// its environment.
	VariableUsed bool
	Note         string // explains the values of Use and VariableUsed

	allowed []string // the values that are allowed; nil means that any value is
}

// noLimits and noKerberos are the notes that several parameters have in common.
const (
	noLimits   = "ACE sets its own time limits"
	noKerberos = "Kerberos is not supported"
)

// Parameters returns the connection parameters and environment variables of libpq in the
// order of PostgreSQL's manual.
func Parameters() []Parameter {
	return slices.Concat(connectionParameters(), tlsParameters(), otherParameters())
}

func connectionParameters() []Parameter {
	return []Parameter{
		{Name: "host", Variable: "PGHOST", Use: Used, Note: "one name, address or socket directory; `public_ip` or `private_ip` in JSON"},
		{Name: "hostaddr", Variable: "PGHOSTADDR", Use: Used, Note: "the address to connect to; `host` is then only the name in the certificate"},
		{Name: "port", Variable: "PGPORT", Use: Used, Note: "default 5432"},
		{Name: "dbname", Variable: "PGDATABASE", Use: Used, Note: "`db_name` in JSON"},
		{Name: "user", Variable: "PGUSER", Use: Used, Note: "`db_user` in JSON"},
		{Name: "password", Variable: "PGPASSWORD", Use: Used, Note: "`db_password` in JSON"},
		{Name: "passfile", Variable: "PGPASSFILE", Use: Used, VariableUsed: true, Note: "default `~/.pgpass`"},
		{Name: "require_auth", Variable: "PGREQUIREAUTH", Use: Used},
		{Name: "channel_binding", Variable: "PGCHANNELBINDING", Use: Used, allowed: []string{"disable", "prefer", "require"}},
		{Name: "connect_timeout", Variable: "PGCONNECT_TIMEOUT", Use: Used, Note: "seconds, 2 to 600; default 10, also for 0"},
		{Name: "client_encoding", Variable: "PGCLIENTENCODING", Use: Ignored, Note: "texts are always read as UTF-8"},
		{Name: "options", Variable: "PGOPTIONS", Use: Used, Note: "settings that ACE pins take precedence"},
		{Name: "application_name", Variable: "PGAPPNAME", Use: Used, Note: "default `ace`; while the session works for a task, [its id follows](#sessions-on-the-nodes)"},
		{Name: "fallback_application_name", Use: Used, Note: "if `application_name` is not set"},
		{Name: "keepalives", Use: Ignored, Note: noLimits},
		{Name: "keepalives_idle", Use: Ignored, Note: noLimits},
		{Name: "keepalives_interval", Use: Ignored, Note: noLimits},
		{Name: "keepalives_count", Use: Ignored, Note: noLimits},
		{Name: "tcp_user_timeout", Use: Ignored, Note: noLimits},
		{Name: "replication", Use: Refused, Note: "a replication connection cannot read tables"},
		{Name: "gssencmode", Variable: "PGGSSENCMODE", Use: Ignored, Note: noKerberos + "; `require` is refused", allowed: []string{"disable", "prefer"}},
	}
}

func tlsParameters() []Parameter {
	versions := []string{"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}
	return []Parameter{
		{Name: "sslmode", Variable: "PGSSLMODE", Use: Used, Note: "default `prefer`",
			allowed: []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
		{Name: "requiressl", Variable: "PGREQUIRESSL", Use: Refused, Note: "set `sslmode=require`"},
		{Name: "sslnegotiation", Variable: "PGSSLNEGOTIATION", Use: Used, allowed: []string{"postgres", "direct"}},
		{Name: "sslcompression", Variable: "PGSSLCOMPRESSION", Use: Ignored, Note: "connections are not compressed"},
		{Name: "sslcert", Variable: "PGSSLCERT", Use: Used, Note: "default `~/.postgresql/postgresql.crt`"},
		{Name: "sslkey", Variable: "PGSSLKEY", Use: Used, Note: "default `~/.postgresql/postgresql.key`; readable by its owner only"},
		{Name: "sslkeylogfile", Use: Ignored, Note: "keys of connections are not logged"},
		{Name: "sslpassword", Variable: "PGSSLPASSWORD", Use: Used, Note: "for keys in the traditional PEM format, not PKCS #8"},
		{Name: "sslcertmode", Variable: "PGSSLCERTMODE", Use: Used, allowed: []string{"disable", "allow", "require"}},
		{Name: "sslrootcert", Variable: "PGSSLROOTCERT", Use: Used, Note: "default `~/.postgresql/root.crt` if it exists; `system` is allowed"},
		{Name: "sslcrl", Variable: "PGSSLCRL", Use: Refused, Note: "revocation lists are not checked"},
		{Name: "sslcrldir", Variable: "PGSSLCRLDIR", Use: Refused, Note: "revocation lists are not checked"},
		{Name: "sslsni", Variable: "PGSSLSNI", Use: Used, allowed: []string{"0", "1"}},
		{Name: "requirepeer", Variable: "PGREQUIREPEER", Use: Refused, Note: "the owner of a server's socket is not checked"},
		{Name: "ssl_min_protocol_version", Variable: "PGSSLMINPROTOCOLVERSION", Use: Used, Note: "default `TLSv1.2`", allowed: versions},
		{Name: "ssl_max_protocol_version", Variable: "PGSSLMAXPROTOCOLVERSION", Use: Used, allowed: versions},
	}
}

func otherParameters() []Parameter {
	protocols := []string{"3.0", "3.2", "latest"}
	return []Parameter{
		{Name: "min_protocol_version", Variable: "PGMINPROTOCOLVERSION", Use: Used, allowed: protocols},
		{Name: "max_protocol_version", Variable: "PGMAXPROTOCOLVERSION", Use: Used, allowed: protocols},
		{Name: "krbsrvname", Variable: "PGKRBSRVNAME", Use: Ignored, Note: noKerberos},
		{Name: "krbspn", Use: Ignored, Note: noKerberos},
		{Name: "gsslib", Variable: "PGGSSLIB", Use: Ignored, Note: noKerberos},
		{Name: "gssdelegation", Variable: "PGGSSDELEGATION", Use: Ignored, Note: noKerberos},
		{Name: "scram_client_key", Use: Refused, Note: "set a password"},
		{Name: "scram_server_key", Use: Refused, Note: "set a password"},
		{Name: "service", Variable: "PGSERVICE", Use: Refused, Note: "a definition cannot refer to another one"},
		{Name: "servicefile", Variable: "PGSERVICEFILE", Use: Refused, VariableUsed: true, Note: "the variable names a file with definitions"},
		{Name: "target_session_attrs", Variable: "PGTARGETSESSIONATTRS", Use: Used, Note: "a node that does not match is refused",
			allowed: []string{"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
		{Name: "load_balance_hosts", Variable: "PGLOADBALANCEHOSTS", Use: Ignored, Note: "a node is one server"},
		{Name: "oauth_issuer", Use: Refused, Note: "OAuth is not supported"},
		{Name: "oauth_client_id", Use: Refused, Note: "OAuth is not supported"},
		{Name: "oauth_client_secret", Use: Refused, Note: "OAuth is not supported"},
		{Name: "oauth_scope", Use: Refused, Note: "OAuth is not supported"},
		{Variable: "PGDATESTYLE", Note: "ACE pins the setting"},
		{Variable: "PGTZ", Note: "ACE pins the setting"},
		{Variable: "PGGEQO", Note: "use `options`"},
		{Variable: "PGSYSCONFDIR", Note: "set `PGSERVICEFILE`"},
		{Variable: "PGLOCALEDIR"},
		{Variable: "PGOAUTHDEBUG"},
		{Variable: "PGOAUTHCAFILE"},
	}
}

// IgnoredVariables returns the environment variables of libpq that must have no effect on
// a connection. The caller removes them from the environment of the process.
func IgnoredVariables() []string {
	var names []string
	for _, p := range Parameters() {
		if p.Variable != "" && !p.VariableUsed {
			names = append(names, p.Variable)
		}
	}
	return names
}

// parameterOf returns the parameter with the given name. It returns false if libpq has no
// parameter with this name.
func parameterOf(name string) (Parameter, bool) {
	for _, p := range Parameters() {
		if name != "" && p.Name == name {
			return p, true
		}
	}
	return Parameter{}, false
}

// PublicOptions returns those of the options of a database or node whose values cannot be
// secret. It leaves out the option named options: it may set any parameter of the server,
// also one in which an extension stores a secret.
func PublicOptions(options map[string]string) map[string]string {
	public := map[string]string{}
	for name, value := range options {
		if slices.Contains(publicParameters(), name) {
			public[name] = value
		}
	}
	return public
}

// publicParameters returns the parameters whose values are no secret.
func publicParameters() []string {
	return []string{
		"hostaddr", "passfile", "require_auth", "channel_binding", "connect_timeout", "application_name", "fallback_application_name",
		"sslmode", "sslnegotiation", "sslcert", "sslkey", "sslcertmode", "sslrootcert", "sslsni", "ssl_min_protocol_version", "ssl_max_protocol_version",
		"min_protocol_version", "max_protocol_version", "target_session_attrs",
	}
}

// isIdentity reports whether the parameter is host, port, dbname, user or password. A
// Node or Database has a field for each of them, so they are not among its Options.
func (p Parameter) isIdentity() bool {
	return slices.Contains([]string{"host", "port", "dbname", "user", "password"}, p.Name)
}

// problem returns what is wrong with a value of the parameter, or "" if the value is
// allowed. The text is the end of a sentence that begins with the name of the parameter.
func (p Parameter) problem(value string) string {
	switch {
	case p.Use == Refused:
		return "is not supported: " + strings.ReplaceAll(p.Note, "`", "")
	case p.allowed != nil && !slices.Contains(p.allowed, value):
		return "is " + strconv.Quote(value[:min(len(value), 100)]) + "; it must be one of " + strings.Join(p.allowed, ", ")
	case p.Name == "connect_timeout":
		if _, ok := connectTimeout(value); !ok {
			return "is " + strconv.Quote(value[:min(len(value), 100)]) + "; it must be a number of seconds from 0 to 600"
		}
	}
	return ""
}

// connectTimeout converts a connect_timeout. It returns false if the value is not a
// number of seconds from 0 to 600. As in libpq, 1 means 2 seconds. 0 means that the
// default of ACE applies, because a connection must not wait forever.
func connectTimeout(value string) (time.Duration, bool) {
	const longest = 600
	seconds, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || seconds < 0 || seconds > longest {
		return 0, false
	}
	if seconds == 1 {
		seconds = 2
	}
	return time.Duration(seconds) * time.Second, true
}

// ConnectTimeout returns the time limit for opening a connection. 0 means that the
// default of ACE applies.
func (t Target) ConnectTimeout() time.Duration {
	limit, _ := connectTimeout(t.Options["connect_timeout"])
	return limit
}
