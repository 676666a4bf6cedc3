-- Creates the two roles of ACE on one node: one that can only compare tables, and one that
-- can also repair them. Each has exactly the privileges that it needs.
--
-- Run it with psql on every node, in the database of the tables, as a role that owns the
-- tables and may create roles (or as a superuser). It can be run again, for further tables.
--
--   psql -X -d shop -v schema=app -f infra/roles.sql                    # all tables of the schema
--   psql -X -d shop -v schema=app -v table=users -f infra/roles.sql     # one table
--   psql -d shop -c '\password ace' -c '\password ace_repair'
--
-- Variables, all optional: schema (public), table (all tables that exist now), check_role
-- (ace), repair_role (ace_repair).
--
-- Two privileges are not granted here, because few need them:
--
-- * BYPASSRLS, if row-level security is enabled on a table.
-- * EXECUTE on pg_replication_origin_oid(text), pg_replication_origin_create(text) and
--   pg_replication_origin_session_setup(text) for the repair role, if subscriptions with
--   origin = none must not pass the rows of a repair on.

\set ON_ERROR_STOP on
\if :{?schema} \else \set schema public \endif
\if :{?check_role} \else \set check_role ace \endif
\if :{?repair_role} \else \set repair_role ace_repair \endif
\if :{?table}
  \set tables 'TABLE ' :"schema" . :"table"
\else
  \set table ''
  \set tables 'ALL TABLES IN SCHEMA ' :"schema"
\endif

SET search_path = pg_catalog, pg_temp;

SELECT format('CREATE ROLE %I LOGIN', role) FROM (VALUES (:'check_role'), (:'repair_role')) wanted(role)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

BEGIN;

-- Both roles: read the tables.
GRANT USAGE ON SCHEMA :"schema" TO :"check_role", :"repair_role";
GRANT SELECT ON :tables TO :"check_role", :"repair_role";

-- Both roles: name the types of the columns, which may be in other schemas.
WITH RECURSIVE used(oid) AS (
    SELECT a.atttypid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = quote_ident(:'schema')::regnamespace AND :'table' IN ('', c.relname) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
  UNION
    SELECT t.typbasetype FROM used JOIN pg_type t ON t.oid = used.oid WHERE t.typtype = 'd')
SELECT DISTINCT format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, role)
FROM used JOIN pg_type t ON t.oid = used.oid JOIN pg_namespace n ON n.oid = t.typnamespace
CROSS JOIN (VALUES (:'check_role'), (:'repair_role')) roles(role)
WHERE NOT has_schema_privilege(role, n.oid, 'USAGE') \gexec

-- Both roles: read the sequences of the columns, to warn of one that does not follow a
-- repair.
WITH used(seq) AS (
    SELECT d.objid FROM pg_class c
    JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.deptype IN ('a', 'i')
    WHERE c.relnamespace = quote_ident(:'schema')::regnamespace AND :'table' IN ('', c.relname) AND c.relkind IN ('r', 'p')
  UNION
    SELECT d.refobjid FROM pg_class c JOIN pg_attrdef ad ON ad.adrelid = c.oid
    JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid AND d.refclassid = 'pg_class'::regclass
    WHERE c.relnamespace = quote_ident(:'schema')::regnamespace AND :'table' IN ('', c.relname) AND c.relkind IN ('r', 'p'))
SELECT format('GRANT SELECT ON SEQUENCE %I.%I TO %I, %I', n.nspname, c.relname, :'check_role', :'repair_role')
FROM used JOIN pg_class c ON c.oid = used.seq AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace \gexec

-- The repair role: write the tables.
GRANT INSERT, UPDATE, DELETE ON :tables TO :"repair_role";

-- The repair role: write rows without firing triggers and foreign keys. Before PostgreSQL
-- 15 only a superuser may do that; such a role repairs with fire_triggers=true.
SELECT format('GRANT SET ON PARAMETER session_replication_role TO %I', :'repair_role')
WHERE current_setting('server_version_num')::int >= 150000 \gexec

-- The repair role: name the server in the record of a repair. Every role may do that,
-- unless EXECUTE was revoked.
SELECT format('GRANT EXECUTE ON FUNCTION pg_control_system() TO %I', :'repair_role')
WHERE NOT has_function_privilege(:'repair_role', 'pg_control_system()', 'EXECUTE') \gexec

COMMIT;
