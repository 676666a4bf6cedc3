package pgtest

import "fmt"

// Effect is a table_filter whose evaluation tries to change something that may remain
// after the transaction, such as a setting of the session.
type Effect struct {
	Name   string
	Filter string // an expression that is true for every row
}

// EffectFunctions returns the SQL that creates the functions that the filters of Effects
// call. public.tried runs a statement and ignores its error. public.evaluated makes the
// planner evaluate an expression.
func EffectFunctions() string {
	return `CREATE FUNCTION public.tried(statement text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS
		$$ BEGIN EXECUTE statement; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
	CREATE FUNCTION public.evaluated(expression text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
		$$ DECLARE result boolean; BEGIN EXECUTE 'SELECT ' || expression INTO result; RETURN result; END $$`
}

// Effects returns filters that try to change settings of the session, and filters that
// try to cause effects that a rollback may not undo.
func Effects() []Effect {
	var effects []Effect
	for _, s := range []setting{
		{"DateStyle", "German, DMY"}, {"TimeZone", "Asia/Tokyo"}, {"IntervalStyle", "iso_8601"}, {"extra_float_digits", "-15"},
		{"bytea_output", "escape"}, {"xmlbinary", "hex"}, {"xmloption", "document"}, {"lc_monetary", "C"}, {"lc_time", "POSIX"},
		{"standard_conforming_strings", "off"}, {"escape_string_warning", "off"}, {"backslash_quote", "on"},
		{"transform_null_equals", "on"}, {"row_security", "on"}, {"search_path", "nowhere"}, {"role", "pg_read_all_data"},
		{"statement_timeout", "7min"}, {"lock_timeout", "7min"}, {"idle_in_transaction_session_timeout", "7min"},
		{"synchronous_commit", "off"}, {"session_replication_role", "replica"}, {"default_transaction_isolation", "serializable"},
		{"default_transaction_read_only", "on"}, {"default_transaction_deferrable", "on"}, {"enable_seqscan", "off"},
		{"enable_indexscan", "off"}, {"work_mem", "64kB"}, {"array_nulls", "off"}, {"quote_all_identifiers", "on"},
		{"client_min_messages", "error"}, {"check_function_bodies", "off"}, {"application_name", "somebody"},
		{"constraint_exclusion", "on"}, {"max_parallel_workers_per_gather", "2"}, {"jit", "on"}, {"ace.mark", "1"},
	} {
		effects = append(effects, Effect{"setting " + s.name, fmt.Sprintf("set_config('%s', '%s', false) IS NOT NULL", s.name, s.value)})
	}
	return append(effects,
		Effect{"advisory lock", "pg_advisory_lock(4711)::text IS NOT NULL"},
		Effect{"shared advisory lock", "pg_advisory_lock_shared(4712, 1)::text IS NOT NULL"},
		Effect{"large object", "tried('SELECT lo_create(0)')"},
		Effect{"random seed", "setseed(0.5)::text IS NOT NULL"},
		Effect{"prepared statement", "tried('PREPARE ace_left AS SELECT 1')"},
		Effect{"temporary table", "tried('CREATE TEMPORARY TABLE ace_left ()')"},
		Effect{"writable transaction", "tried('SET transaction_read_only = off') AND tried('CREATE TABLE public.ace_left ()')"},
		Effect{"listening", "tried('LISTEN ace_left')"},
		Effect{"role", "tried('SET SESSION ROLE pg_monitor')"},
		Effect{"session authorization", "tried('SET SESSION AUTHORIZATION DEFAULT; SET ROLE pg_read_all_data')"},
		Effect{"cursor", "tried('DECLARE ace_left CURSOR WITH HOLD FOR SELECT 1')"},
		Effect{"library", "tried('LOAD ''auto_explain''; SET auto_explain.log_min_duration = 0')"},
	)
}
