package pgtest

import "strings"

// AttackTables creates what the attacks of Attacks aim at: a table that no other role may
// read, a sequence, and a secret of the superuser's sessions.
const AttackTables = `CREATE TABLE victim (id int, secret text); INSERT INTO victim VALUES (1, 'the planted secret');
CREATE SEQUENCE moved; CREATE SEQUENCE granted; GRANT ALL ON SEQUENCE granted TO public;
CREATE FUNCTION writes() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.open VALUES (1); RETURN true; END $$;
CREATE TABLE open (id int); GRANT ALL ON open TO public`

// Secret is the text in the table victim that no attack may show.
const Secret = "the planted secret"

// Unharmed returns what an attack could have changed in the database of a node: rows,
// sequences, large objects, advisory locks, roles, settings, relations.
const Unharmed = `SELECT (SELECT count(*) FROM victim), (SELECT count(*) FROM open), (SELECT last_value || ' ' || is_called FROM moved),
	(SELECT last_value || ' ' || is_called FROM granted), (SELECT count(*) FROM pg_largeobject_metadata),
	(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
	(SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace WHERE nspname NOT LIKE 'pg_%temp%'),
	(SELECT md5(string_agg(x::text, ' ' ORDER BY x.setdatabase, x.setrole)) FROM pg_db_role_setting x WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())),
	(SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database())`

// Attacks returns hostile expressions over an integer column. Each is refused, or has no
// effect, if the role has only the privileges of infra/roles.sql. Those in refused can
// never be evaluated to their end.
func Attacks(column string) (refused, others []string) {
	return expressions(refusedAttacks, column), expressions(otherAttacks, column)
}

func expressions(text, column string) []string {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, strings.ReplaceAll(line, "COL", column))
		}
	}
	return list
}

// Statements, comments, quotes, and functions that the role may not call.
const refusedAttacks = `
true); SET ROLE postgres; --
true); RESET ROLE; DELETE FROM public.victim; --
true; COPY public.victim TO '/tmp/ace-attack'
true); COPY (SELECT 1) TO PROGRAM 'touch /tmp/ace-attack'; --
true /* ) */ ) -- */
true /* /* */ ) OR (true
true $$) OR (true$$
$a$) OR (true) --$b$ = 'x'
E'\'') OR (true) --' = 'x'
E'\x27) OR (true' = 'x' OR (
U&'\0027) OR (true' = 'x') OR (true
U&"\0069d) OR (true
U&'!0027' UESCAPE '!') OR (true
U&'\d83d' = 'x'
((COL > 0)
(COL > 0))
[COL > 0]
"COL" > 0) UNION ALL SELECT (true
COL > 0; BEGIN; COMMIT
COL > 0 RETURNING 1
COL > 0 INTO OUTFILE
COL > 0 \gset
COL > 0 \! touch /tmp/ace-attack
current_setting('no.such_secret') = 'x'
pg_read_file('/etc/passwd') IS NOT NULL
pg_read_file('postgresql.conf') IS NOT NULL
pg_read_binary_file('/etc/passwd') IS NOT NULL
pg_stat_file('/etc/passwd') IS NOT NULL
EXISTS (SELECT pg_ls_dir('.'))
EXISTS (SELECT * FROM pg_ls_logdir())
lo_import('/etc/passwd') > 0
lo_export(1, '/tmp/ace-attack') > 0
nextval('public.moved') > 0
nextval('public.granted') > 0
setval('public.granted', 99) > 0
public.writes()
dblink('dbname=postgres', 'DELETE FROM victim') IS NOT NULL
EXISTS (SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS x(a int))
pg_sleep(600) IS NULL
EXISTS (SELECT secret FROM public.victim WHERE secret LIKE 'the%')
(SELECT secret FROM public.victim LIMIT 1)::int > 0
query_to_xml('DELETE FROM public.open', true, false, '') IS NOT NULL
query_to_xml('SELECT secret FROM public.victim', true, false, '') IS NOT NULL
table_to_xml('public.victim'::regclass, true, false, '') IS NOT NULL
cursor_to_xml('none', 1, true, false, '') IS NOT NULL
EXISTS (SELECT rolpassword FROM pg_authid)
EXISTS (SELECT * FROM pg_hba_file_rules)
EXISTS (SELECT * FROM pg_user_mapping)
set_config('role', 'postgres', false) = 'x'
set_config('session_authorization', 'postgres', false) = 'x'
pg_reload_conf()
pg_rotate_logfile()
pg_switch_wal() IS NOT NULL
pg_create_restore_point('x') IS NOT NULL
pg_promote()
pg_stat_reset() IS NULL
pg_replication_origin_create('attack') > 0
pg_create_logical_replication_slot('attack', 'pgoutput') IS NOT NULL
pg_logical_slot_get_changes('attack', NULL, NULL) IS NOT NULL
pg_current_logfile() IS NOT NULL
generate_series(1, 1000000000) > 0
unnest(ARRAY[true, false])
sum(COL) OVER () > 0
1 / (COL - COL) > 0
COL > 0 AND COL IN (INSERT INTO public.open VALUES (1) RETURNING 1)
COL IN (WITH x AS (UPDATE public.open SET id = 2 RETURNING 1) SELECT 1 FROM x)
COL > 0 FOR UPDATE OF victim
`

// Functions that the role may call, and whose effects end with the task.
const otherAttacks = `
pg_advisory_lock(42) IS NULL
pg_try_advisory_lock_shared(43)
pg_advisory_xact_lock(44) IS NULL
set_config('session_replication_role', 'replica', false) = 'x'
set_config('transaction_read_only', 'off', false) = 'x'
set_config('search_path', 'public', false) = 'x'
set_config('statement_timeout', '0', false) = 'x'
set_config('default_transaction_read_only', 'off', false) = 'x'
lo_create(4711) > 0
lo_from_bytea(0, '\x00') > 0
lo_unlink(1) > 0
pg_notify('attack', 'x') IS NULL
pg_logical_emit_message(true, 'attack', 'x') IS NOT NULL
pg_export_snapshot() IS NOT NULL
pg_backend_pid() = 0 AND pg_cancel_backend(pg_backend_pid())
current_setting('config_file', true) IS NOT NULL
EXISTS (SELECT 1 FROM pg_stat_activity WHERE query LIKE '%secret%')
repeat('a', 30) ~ '^(a+)+$' AND repeat('a', 30) || 'b' ~ '^(a|a)*$'
repeat('(', 20000) ~ repeat('\(', 20000)
xmlparse(DOCUMENT '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>') IS NULL
xmlparse(DOCUMENT '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><x>&b;</x>') IS NULL
length(repeat('x', 100000000)) > 0
jsonb_build_object('a', repeat('[', 100))::text::jsonb IS NULL
convert_from('\xff', 'UTF8') IS NULL
COL > 0 AND txid_current() > 0
`
