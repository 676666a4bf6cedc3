package pg

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ace/shared/table"
)

// idleMargin is added to the statement timeout. The sum is the time for which the server
// keeps a transaction open although it receives nothing from the client. Meanwhile the
// client may be waiting for a statement of another node.
const idleMargin = time.Minute

// unreadMargin is added to the statement timeout. The sum is the longest time for which
// the server waits for the client to accept or acknowledge data. A client that waits for
// a statement of another node reads nothing meanwhile, so the limit must be longer than
// that wait.
const unreadMargin = time.Minute

// lockTimeout is the time limit for a statement to acquire a lock.
const lockTimeout = "10s"

// setting is one configuration parameter, set for the current transaction only.
type setting struct{ name, value string }

// pinned has the settings that decide how values are written as text and which plans the
// planner may choose. They replace the settings of the role and of the database. Every
// role may change these settings, and they end with the transaction, so they do not stay
// in a pooler's session. A test requires a decision on every parameter that a session can
// set: it is pinned here or in guarded, or the test lists it as harmless with the reason.
var pinned = append(textSettings(), []setting{ //nolint:gochecknoglobals // a constant list
	{"gin_fuzzy_search_limit", "0"}, // otherwise a filter may return a random part of its rows
	{"constraint_exclusion", "off"}, // rows are read even if a constraint excludes them
	{"exit_on_error", "off"},        // a refused row does not end the session
	{"row_security", "off"},         // an error is better than silently hidden rows
	{"plan_cache_mode", "auto"},
	{"enable_seqscan", "on"},
	{"enable_indexscan", "on"},
	{"enable_indexonlyscan", "on"},
	{"enable_bitmapscan", "on"},
	{"enable_tidscan", "on"},
	{"enable_nestloop", "on"},
	{"enable_sort", "on"},
	{"enable_hashagg", "on"},
	{"max_parallel_workers_per_gather", "0"},
	{"jit", "off"},
	{"lock_timeout", lockTimeout},
	{"client_min_messages", "error"}, // notices, such as those of a trigger, are not shown
	{"tcp_keepalives_idle", "30"},    // where tcp_user_timeout is not set, a lost client is noticed within a minute
	{"tcp_keepalives_interval", "10"},
	{"tcp_keepalives_count", "3"},
}...)

func textSettings() (list []setting) {
	for _, s := range table.TextSettings() {
		list = append(list, setting{s.Name, s.Value})
	}
	return list
}

// guarded has settings that not every server version has, or that only a superuser may
// change. A transaction changes such a setting only if the setting exists and has another
// value than here. If the role may not change it, the transaction fails. That is better
// than, for example, reading damaged pages as empty (zero_damaged_pages).
var guarded = []setting{ //nolint:gochecknoglobals // a constant list
	{"transaction_timeout", "0"}, // PostgreSQL 17; the statements have their own timeout
	{"composite_type_mismatch", "error"},
	{"zero_damaged_pages", "off"},
	{"ignore_checksum_failure", "off"},
}

// catalogPlans are the planner settings of statements about system catalogs. Such a
// statement joins many small tables, always by the columns of an index. With the default
// settings, planning it takes longer than executing it, and the plan hashes whole
// catalogs to find a few rows.
var catalogPlans = []setting{ //nolint:gochecknoglobals // a constant list
	{"join_collapse_limit", "1"},
	{"from_collapse_limit", "1"},
	{"enable_hashjoin", "off"},
	{"enable_mergejoin", "off"},
	{"enable_material", "off"},
	{"enable_seqscan", "off"},
}

// describingPlans are catalogPlans for transactions whose statements are prepared
// (prepared.go). Their plans are then made once, for any table. Without the table's OID,
// the planner expects millions of rows, and the hash tables of UNION get the size of
// work_mem. Clearing that memory would take longer than the rest of the query.
var describingPlans = append(slices.Clone(catalogPlans), //nolint:gochecknoglobals // a constant list
	setting{"plan_cache_mode", "force_generic_plan"}, setting{"work_mem", "128kB"})

// withPlans returns the settings in pinned and in plans. If both lists have a setting,
// its value is that of plans.
func withPlans(plans []setting) []setting {
	settings := slices.Clone(pinned)
	for _, plan := range plans {
		at := slices.IndexFunc(settings, func(s setting) bool { return s.name == plan.name })
		if at < 0 {
			settings = append(settings, plan)
		} else {
			settings[at] = plan
		}
	}
	return settings
}

// Planner settings of statements that read the table. With rangePlans, the server reads
// key ranges through the key's index. With pagePlans, it groups the rows of page ranges
// by hashing. With scanPlans, it scans the whole table.
var (
	rangePlans = []setting{{"enable_seqscan", "off"}}                                                   //nolint:gochecknoglobals // a constant list
	pagePlans  = []setting{{"enable_sort", "off"}, {"work_mem", "64MB"}}                                //nolint:gochecknoglobals // a constant list
	scanPlans  = []setting{{"enable_seqscan", "on"}, {"enable_indexscan", "off"}, {"work_mem", "64MB"}} //nolint:gochecknoglobals // a constant list
)

// clientEncoding is an expression that sets the encoding in which texts are sent. A
// database with SQL_ASCII stores bytes of unknown encoding. They are sent unchanged,
// because the conversion to UTF-8 would fail for some of them.
const clientEncoding = "pg_catalog.set_config('client_encoding', " +
	"CASE WHEN pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true), "

// settingsQuery returns the query that applies settings for the rest of the transaction.
// The first column of its row is the id of the server process.
func settingsQuery(settings []setting, searchPath, application string, limits timeouts) query {
	var b strings.Builder
	b.WriteString("SELECT pg_catalog.pg_backend_pid(), " + clientEncoding)
	for _, s := range settings {
		fmt.Fprintf(&b, "pg_catalog.set_config('%s', '%s', true), ", s.name, s.value)
	}

	for _, s := range guarded {
		fmt.Fprintf(&b, "CASE WHEN pg_catalog.current_setting('%s', true) OPERATOR(pg_catalog.<>) '%s'::pg_catalog.text THEN pg_catalog.set_config('%s', '%s', true) END, ",
			s.name, s.value, s.name, s.value)
	}

	fmt.Fprintf(&b, "pg_catalog.set_config('statement_timeout', '%d', true), ", limits.statement.Milliseconds())
	fmt.Fprintf(&b, "pg_catalog.set_config('idle_in_transaction_session_timeout', '%d', true), ", limits.idle.Milliseconds())
	fmt.Fprintf(&b, onLinux, "tcp_user_timeout", strconv.FormatInt(limits.unread().Milliseconds(), 10))
	fmt.Fprintf(&b, onLinux, "client_connection_check_interval", clientCheck)
	b.WriteString("pg_catalog.set_config('application_name', $2, true), pg_catalog.set_config('search_path', $1, true)")
	return query{sql: b.String(), args: textArgs(searchPath, application), fixed: true}
}

// timeouts are the times after which a server ends a statement or a transaction.
type timeouts struct {
	statement time.Duration
	idle      time.Duration // the longest time for which the server waits for the next statement
}

// unread returns how long the server waits for the client to accept or acknowledge data.
// In a repair this time is short, because other sessions may wait for the repair's locks.
// It is twice t.idle, because a client that waits for the answer of the source reads
// nothing from the target meanwhile.
func (t timeouts) unread() time.Duration {
	return min(t.statement+unreadMargin, 2*t.idle)
}

// clientCheck is how often a server checks, while a statement runs, that the client has
// not closed the connection.
const clientCheck = "10s"

// onLinux is an expression that sets a parameter only if the server runs on Linux:
// servers on some other platforms reject the parameter. The expression is a format whose
// two arguments are the name and the value of the parameter.
const onLinux = "CASE WHEN pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0 THEN pg_catalog.set_config('%s', '%s', true) END, "

// quote returns an identifier in quotes. Several parts are quoted and joined by dots,
// such as "schema"."name".
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
