//go:build !unit

package pg

import (
	"maps"
	"slices"
	"testing"

	"ace/infra/testkit/pgserver"
	"ace/infra/testkit/pgtest"
	"ace/shared/table"
)

// Reasons why a configuration parameter need not be pinned.
const (
	each     = "set for every transaction, to a value of its own"
	logs     = "only decides what is logged, reported or measured"
	plans    = "only the planner's choice between plans of one meaning"
	memory   = "only memory, disk and other resources; too little is an error"
	writes   = "only how changes are written to disk"
	vacuums  = "only VACUUM and ANALYZE"
	defines  = "only the definition of objects, of which ACE creates none"
	explicit = "every BEGIN of ours names it"
	replays  = "only replication"
	loads    = "only where the server finds code, before any statement of ours"
	ends     = "ends a connection that is idle or dead; the pool makes another"
	loud     = "only refuses statements, with an error that says so"
)

// harmless lists the parameters that a session can set and that do not change the outcome
// of a task.
var harmless = map[string]string{
	"statement_timeout": each, "idle_in_transaction_session_timeout": each, "search_path": each,

	"allow_in_place_tablespaces": defines, "check_function_bodies": defines, "createrole_self_grant": defines,
	"default_table_access_method": defines, "default_tablespace": defines, "default_toast_compression": defines,
	"event_triggers": defines, "file_copy_method": defines, "icu_validation_level": defines,
	"max_parallel_maintenance_workers": defines, "password_encryption": defines, "scram_iterations": defines,
	"allow_system_table_mods": "ACE alters no table",

	"application_name": logs, "backtrace_functions": logs, "compute_query_id": logs,
	"debug_pretty_print": logs, "debug_print_parse": logs, "debug_print_plan": logs, "debug_print_rewritten": logs,
	"escape_string_warning": logs, "jit_dump_bitcode": logs, "log_duration": logs, "log_error_verbosity": logs,
	"log_executor_stats": logs, "log_lock_failures": logs, "log_lock_waits": logs, "log_min_duration_sample": logs,
	"log_min_duration_statement": logs, "log_min_error_statement": logs, "log_min_messages": logs,
	"log_parameter_max_length": logs, "log_parameter_max_length_on_error": "only the CONTEXT of errors, which is not shown",
	"log_parser_stats": logs, "log_planner_stats": logs, "log_replication_commands": logs, "log_statement": logs,
	"log_statement_sample_rate": logs, "log_statement_stats": logs, "log_temp_files": logs,
	"log_transaction_sample_rate": logs, "md5_password_warnings": logs, "trace_notify": logs, "trace_sort": logs,
	"track_activities": logs, "track_cost_delay_timing": logs, "track_functions": logs, "track_io_timing": logs,
	"track_wal_io_timing": logs, "update_process_title": logs,
	"lc_messages":             "only the language of messages: errors are distinguished by SQLSTATE",
	"track_counts":            "only chooses the way of an incremental comparison, never its result",
	"stats_fetch_consistency": "the statistics that are read only choose a way",

	"cpu_index_tuple_cost": plans, "cpu_operator_cost": plans, "cpu_tuple_cost": plans, "cursor_tuple_fraction": plans,
	"debug_parallel_query": plans, "effective_cache_size": plans, "enable_async_append": plans,
	"enable_distinct_reordering": plans, "enable_gathermerge": plans, "enable_group_by_reordering": plans,
	"enable_hashjoin": plans, "enable_incremental_sort": plans, "enable_material": plans, "enable_memoize": plans,
	"enable_mergejoin": plans, "enable_parallel_append": plans, "enable_parallel_hash": plans,
	"enable_partition_pruning": plans, "enable_partitionwise_aggregate": plans, "enable_partitionwise_join": plans,
	"enable_presorted_aggregate": plans, "enable_self_join_elimination": plans, "force_parallel_mode": plans,
	"from_collapse_limit": plans, "geqo": plans, "geqo_effort": plans, "geqo_generations": plans, "geqo_pool_size": plans,
	"geqo_seed": plans, "geqo_selection_bias": plans, "geqo_threshold": plans, "jit_above_cost": plans,
	"jit_expressions": plans, "jit_inline_above_cost": plans, "jit_optimize_above_cost": plans,
	"jit_tuple_deforming": plans, "join_collapse_limit": plans, "max_parallel_workers": plans,
	"min_parallel_index_scan_size": plans, "min_parallel_table_scan_size": plans, "parallel_leader_participation": plans,
	"parallel_setup_cost": plans, "parallel_tuple_cost": plans, "random_page_cost": plans,
	"recursive_worktable_factor": plans, "seq_page_cost": plans,
	"synchronize_seqscans": "no statement of ours relies on an order that it does not ask for",

	"backend_flush_after": memory, "debug_discard_caches": memory, "effective_io_concurrency": memory,
	"gin_pending_list_limit": memory, "hash_mem_multiplier": memory, "io_combine_limit": memory,
	"logical_decoding_work_mem": memory, "maintenance_io_concurrency": memory, "maintenance_work_mem": memory,
	"max_stack_depth": memory, "temp_buffers": memory, "temp_file_limit": memory, "temp_tablespaces": memory,
	"work_mem": memory,

	"commit_delay": writes, "commit_siblings": writes, "wal_compression": writes, "wal_consistency_checking": writes,
	"wal_init_zero": writes, "wal_recycle": writes, "wal_skip_threshold": writes,
	"synchronous_commit": "a repair raises off to local; comparisons write nothing",

	"default_statistics_target": vacuums, "vacuum_buffer_usage_limit": vacuums, "vacuum_cost_delay": vacuums,
	"vacuum_cost_limit": vacuums, "vacuum_cost_page_dirty": vacuums, "vacuum_cost_page_hit": vacuums,
	"vacuum_cost_page_miss": vacuums, "vacuum_failsafe_age": vacuums, "vacuum_freeze_min_age": vacuums,
	"vacuum_freeze_table_age": vacuums, "vacuum_max_eager_freeze_failure_rate": vacuums,
	"vacuum_multixact_failsafe_age": vacuums, "vacuum_multixact_freeze_min_age": vacuums,
	"vacuum_multixact_freeze_table_age": vacuums, "vacuum_truncate": vacuums,

	"default_transaction_deferrable": explicit, "default_transaction_isolation": explicit,
	"default_transaction_read_only": explicit, "transaction_deferrable": explicit, "transaction_isolation": explicit,
	"transaction_read_only": explicit,

	"debug_logical_replication_streaming": replays, "output_plugin_libraries": replays, "wal_sender_timeout": replays,

	"dynamic_library_path": loads, "extension_control_path": loads, "extension_destdir": loads,
	"local_preload_libraries": loads, "session_preload_libraries": loads,

	"client_connection_check_interval": each, "idle_session_timeout": ends, "tcp_user_timeout": each,
	"deadlock_timeout": "only when a deadlock is found", "lo_compat_privileges": "ACE reads no large object",

	"backslash_quote": loud, "restrict_nonsystem_relation_kind": loud,

	"default_text_search_config": "no output function reads it; to_tsvector without one in a filter or trigger means the node's",
	"lc_numeric":                 "only to_char, which a filter or trigger means as the node does",
	"lc_time":                    "only to_char, which a filter or trigger means as the node does",
	"timezone_abbreviations":     "texts under the pinned settings have none",
	"session_replication_role":   "a repair sets it; a reading transaction fires no trigger",
}

// Case T-F7, see docs/RELIABILITY.md.
func TestSettings_EveryOneIsPinnedOrHarmless(t *testing.T) {
	t.Parallel()
	decided := maps.Clone(harmless)
	decided["client_encoding"] = clientEncoding
	for _, s := range slices.Concat(pinned, guarded) {
		if reason, both := harmless[s.name]; both {
			t.Errorf("%s is pinned, and called harmless: %s", s.name, reason)
		}
		decided[s.name] = "pinned"
	}
	for _, installation := range pgserver.EveryMajor() {
		c := pgtest.NewCluster(t, pgtest.Majors(installation.Major))
		settable := c.QueryStrings(t, 0, `SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') ORDER BY name`)
		if len(settable) < 150 {
			t.Errorf("PostgreSQL %d: only %d parameters can be set", installation.Major, len(settable))
		}
		for _, row := range settable {
			if _, ok := decided[row[0]]; !ok {
				t.Errorf("PostgreSQL %d lets a session set %q: pin it in settings.go, or list it here with the reason why it is harmless", installation.Major, row[0])
			}
		}
	}
}

// Case T-F7, see docs/RELIABILITY.md.
func TestSettings_FilterOnAGinIndexFindsAllRows(t *testing.T) {
	t.Parallel()
	c := pgtest.NewCluster(t, pgtest.Nodes(1), pgtest.DatabaseSetting(0, "gin_fuzzy_search_limit", "10"))
	c.Exec(t, 0, `CREATE TABLE t (id int, tags int[]); INSERT INTO t SELECT i, ARRAY[i % 5] FROM generate_series(1, 50000) i`, `CREATE INDEX ON t USING gin (tags)`)
	const count = `SELECT count(*) FROM t WHERE tags @> '{3}'`
	tx, err := nodeOf(t, c, 0).Begin(t.Context(), table.Access{SearchPath: "pg_catalog, public"})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	var found string
	err = tx.run(t.Context(), "counting", append(settings(rangePlans), query{sql: count, row: func(v [][]byte) error { found = string(v[0]); return nil }})...)
	if err != nil || found != "10000" {
		t.Errorf("%s rows are found, want 10000: %v", found, err)
	}
	if limited := c.QueryStrings(t, 0, count+` AND set_config('enable_seqscan', 'off', false) <> ''`)[0][0]; limited == "10000" {
		t.Error("the index returns all rows under the database's own setting too: the test shows nothing")
	}
}
