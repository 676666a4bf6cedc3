//go:build !unit

package app_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ace/infra/testkit/apptest"
	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/infra/testkit/rowcases"
	"ace/infra/testkit/soak"
	"ace/shared/api"
)

// parameter is a configuration parameter that a session can set, with values other than
// the default.
type parameter struct {
	name   string
	values []string
}

// unusual has values of text parameters, and of parameters whose least or greatest value
// ends every session.
var unusual = map[string][]string{
	"DateStyle": {"German, DMY", "SQL, MDY"}, "TimeZone": {"America/St_Johns", "Asia/Kathmandu"}, "application_name": {"other"},
	"backtrace_functions": {"int4in"}, "client_encoding": {"LATIN1", "SJIS"}, "createrole_self_grant": {"set, inherit"},
	"default_table_access_method": nil, "default_tablespace": {"pg_default"}, "default_text_search_config": {"pg_catalog.french"},
	"lc_messages": {"C"}, "lc_monetary": {"C"}, "lc_numeric": {"C"}, "lc_time": {"C"}, "restrict_nonsystem_relation_kind": {"view, foreign-table"},
	"search_path": {"", "pg_catalog, public, pg_temp"}, "temp_tablespaces": {"pg_default"}, "timezone_abbreviations": {"Australia", "India"},
	"wal_consistency_checking": {"all"},

	"idle_in_transaction_session_timeout": {"50ms"}, "idle_session_timeout": {"2s"}, "statement_timeout": {"500ms"}, "lock_timeout": {"1ms"},
	"transaction_timeout": {"100ms"}, "tcp_user_timeout": {"5s"}, "client_connection_check_interval": {"10ms"}, "temp_file_limit": {"64MB"},
	"log_error_verbosity": {"verbose"}, "exit_on_error": {"on"}, "commit_delay": {"1000"}, "default_statistics_target": {"1"},

	"max_stack_depth": {"500kB"}, "work_mem": {"64kB", "256MB"}, "hash_mem_multiplier": {"1", "4"}, "geqo_pool_size": {"2", "1000"}, "geqo_generations": {"1", "100"},
	"join_collapse_limit": {"1", "12"}, "from_collapse_limit": {"1", "12"}, "geqo_threshold": {"2", "12"},

	// A node with this setting is not repaired, see TestServers_AReadOnlyNodeIsNotRepaired.
	"default_transaction_read_only": nil,

	// These parameters load code into the server, apply to one transaction, or cause
	// megabytes of messages.
	"dynamic_library_path": nil, "output_plugin_libraries": nil, "extension_control_path": nil, "extension_destdir": nil, "local_preload_libraries": nil,
	"session_preload_libraries": nil, "transaction_isolation": nil, "transaction_read_only": nil, "transaction_deferrable": nil,
	"client_min_messages": {"log"}, "log_min_messages": nil, "log_statement": nil, "debug_print_parse": nil, "debug_print_plan": nil,
	"debug_print_rewritten": nil, "log_min_duration_statement": nil, "log_parser_stats": nil, "log_planner_stats": nil,
	"log_executor_stats": nil, "log_statement_stats": nil, "log_duration": nil, "trace_sort": nil, "log_min_error_statement": nil,
	"jit_dump_bitcode": nil, "track_activities": nil,
}

// settableOf asks a node for what a session can set.
func settableOf(t *testing.T, c *pgtest.Cluster) (found []parameter) {
	t.Helper()
	rows := c.QueryStrings(t, 0, `SELECT name, vartype, setting, coalesce(array_to_string(enumvals, '|'), ''), coalesce(min_val, ''), coalesce(max_val, '')
		FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name`)
	for _, row := range rows {
		values, listed := unusual[row[0]]
		if !listed {
			switch row[1] {
			case "bool":
				values = []string{map[string]string{"on": "off", "off": "on"}[row[2]]}
			case "enum":
				values = strings.Split(row[3], "|")
			case "integer", "real":
				values = []string{row[4], strings.Replace(row[5], "1.79769e+308", "1000", 1)}
			default:
				t.Errorf("%s is a text: list a value for it", row[0])
			}
		}
		values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == row[2] })
		if len(values) > 0 {
			found = append(found, parameter{name: row[0], values: values})
		}
	}
	return found
}

// pick returns a statement for each parameter that sets it to the value with the index
// round, or to its last value if it has fewer.
func pick(parameters []parameter, round int) []string {
	var sql []string
	for _, p := range parameters {
		sql = append(sql, alterDatabase(p, min(round, len(p.values)-1)))
	}
	return sql
}

func alterDatabase(p parameter, value int) string {
	quoted := "'" + p.values[value] + "'"
	if p.name == "search_path" && p.values[value] != "" { // a list, not one name
		quoted = p.values[value]
	}
	return fmt.Sprintf("ALTER DATABASE %%s SET %s = %s", p.name, quoted)
}

// Case T-F7, T-P4, O-P26, see docs/RELIABILITY.md.
func TestIdentity_SettingsOfOneNodeDoNotChangeTheResult(t *testing.T) {
	t.Parallel()
	for _, installation := range pgserver.Installations() {
		t.Run(strconv.Itoa(installation.Major), func(t *testing.T) {
			t.Parallel()
			c := pgtest.NewCluster(t, pgtest.Majors(installation.Major, installation.Major))
			cases := onePerType()
			c.ExecAll(t, cases.create("t", 0)...)
			for node := range c.Nodes {
				c.Exec(t, node, cases.insert("t", node, 2)...)
			}
			all := settableOf(t, c)
			for round := range 2 {
				t.Run("all at once "+strconv.Itoa(round), func(t *testing.T) { cases.underSettings(t, c, pick(all, round)) })
			}
			tried := 2
			alone := soak.Rounds(t, 0, len(all))
			for i, p := range all {
				if i*alone/len(all) == (i+1)*alone/len(all) {
					continue
				}
				for value := range p.values {
					t.Run(p.name+" "+p.values[value], func(t *testing.T) { cases.underSettings(t, c, []string{alterDatabase(p, value)}) })
					tried++
				}
			}
			soak.Report(t, "%d settings of a node tried, each with a comparison, a rerun, a repair and an undo", tried)
		})
	}
}

// onePerType returns one pair of unequal values of every type.
func onePerType() (cases caseTable) {
	seen := map[string]bool{}
	for _, c := range rowcases.All() {
		if _, column := c.OnNode(0); !c.Equal && common(c) && !huge(c) && !seen[column] {
			seen[column] = true
			cases = append(cases, c)
		}
	}
	return cases
}

// underSettings changes the settings of the second node for new sessions and runs every
// operation on the table.
func (cases caseTable) underSettings(t *testing.T, c *pgtest.Cluster, sql []string) {
	t.Helper()
	elsewhere := *c
	elsewhere.DB = "postgres" // where the settings do not apply
	for i := range sql {
		sql[i] = fmt.Sprintf(sql[i], c.DB)
	}
	elsewhere.Exec(t, 1, sql...)
	defer elsewhere.Exec(t, 1, "ALTER DATABASE "+c.DB+" RESET ALL")
	s := apptest.New(t, c, apptest.Options{})
	d := s.Diff(t, "public.t")
	var unequal int64
	for i, one := range cases {
		want := int64(0)
		if !one.Equal {
			unequal++
			want = 1
		}
		if got := d.Summary.Pairs[0].Columns[fmt.Sprintf("c%d", i)]; got != want {
			t.Errorf("%s: reported as different %d times, want %d", one.Name, got, want)
		}
	}
	if d.Result.MismatchedRows != unequal || d.Summary.ResolvedRows != 0 {
		t.Fatalf("%d rows differ and %d are resolved, want %d and 0", d.Result.MismatchedRows, d.Summary.ResolvedRows, unequal)
	}
	if again := s.Rerun(t, d.TaskID, "public.t"); again.Result.MismatchedRows != unequal {
		t.Errorf("a rerun finds %d rows that differ, want %d", again.Result.MismatchedRows, unequal)
	}
	r := repair(t, s, d.TaskID, "n1", nil)
	if n := r.Nodes["n2"]; r.Status != api.StatusCompleted || n.Updated != unequal || n.Unchanged != 0 {
		t.Errorf("the repair ended %s %s: %+v, want %d updates", r.Status, r.Error, n, unequal)
	}
	if after := s.Diff(t, "public.t", "checksum", "sha256"); after.Result.MismatchedRows != 0 {
		t.Errorf("after the repair %d rows differ: %v", after.Result.MismatchedRows, after.Rows[:min(2, len(after.Rows))])
	}
	u := undo(t, s, r.TaskID, nil)
	if n := u.Nodes["n2"]; u.Status != api.StatusCompleted || n.Updated != unequal {
		t.Errorf("the undo ended %s %s: %+v, want %d updates", u.Status, u.Error, n, unequal)
	}
}
