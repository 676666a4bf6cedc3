-- A schema that has an object of every kind that the package compares. Every statement
-- works on PostgreSQL 14 to 18.
CREATE SCHEMA app;
CREATE SCHEMA "Odd; names";
COMMENT ON SCHEMA app IS 'the application';
CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

CREATE COLLATION app.by_number (provider = icu, locale = 'en-u-kn');
CREATE TYPE app.state AS ENUM ('new', 'paid', 'it''s "sent"', 'closed');
CREATE TYPE app.money_amount AS (amount numeric(12,2), currency char(3));
CREATE TYPE app.period AS RANGE (subtype = timestamptz);
CREATE DOMAIN app.email AS text COLLATE "C" DEFAULT 'nobody@example.com' NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE DOMAIN app.percent AS numeric(5,2) CONSTRAINT in_range CHECK (VALUE BETWEEN 0 AND 100);

CREATE SEQUENCE app.invoice_no AS bigint START 1000 INCREMENT 1 CACHE 1;
CREATE SEQUENCE app.countdown INCREMENT -1 MINVALUE -1000 MAXVALUE -1;

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.changed = now(); RETURN NEW; END$$;
CREATE FUNCTION app.plus_tax(price numeric, rate numeric DEFAULT 0.2) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT price * (1 + rate)';
CREATE FUNCTION app.plus_tax(price integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN price + 1;
CREATE FUNCTION app.unused() RETURNS text LANGUAGE sql STABLE AS $$SELECT 'unused'$$;
CREATE PROCEDURE app.archive(before date) LANGUAGE plpgsql AS $$BEGIN PERFORM before; END$$;
CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');

CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY,
    name varchar(100) NOT NULL,
    mail app.email,
    credit numeric(12,2) DEFAULT 0.00 NOT NULL,
    notes text COLLATE "C",
    attributes public.hstore,
    changed timestamptz DEFAULT now(),
    sort_name text GENERATED ALWAYS AS (lower((name)::text)) STORED,
    CONSTRAINT customers_pkey PRIMARY KEY (id),
    CONSTRAINT customers_name_key UNIQUE (name, mail),
    CONSTRAINT credit_limit CHECK (credit >= (-1000)::numeric)
);
ALTER TABLE app.customers ALTER COLUMN notes SET STORAGE EXTERNAL;
ALTER TABLE app.customers ALTER COLUMN notes SET COMPRESSION pglz;
ALTER TABLE app.customers ALTER COLUMN name SET STATISTICS 500;
ALTER TABLE app.customers SET (fillfactor = 80, autovacuum_enabled = true);
COMMENT ON TABLE app.customers IS 'who buys';
COMMENT ON COLUMN app.customers.credit IS 'in euro';
CREATE INDEX customers_sort ON app.customers USING btree (sort_name COLLATE "C" DESC NULLS LAST) INCLUDE (credit) WHERE (credit > (0)::numeric);
CREATE UNIQUE INDEX customers_mail ON app.customers (lower(mail)) ;
CREATE INDEX customers_attributes ON app.customers USING gin (attributes);
CREATE STATISTICS app.customers_stats (dependencies, ndistinct) ON name, mail FROM app.customers;

CREATE TABLE app.orders (
    id serial,
    customer bigint NOT NULL,
    state app.state DEFAULT 'new'::app.state NOT NULL,
    total app.money_amount,
    discount app.percent,
    invoice bigint DEFAULT nextval('app.invoice_no'),
    valid app.period,
    labels text[] DEFAULT '{}'::text[],
    room integer,
    CONSTRAINT orders_pkey PRIMARY KEY (id),
    CONSTRAINT orders_customer_fkey FOREIGN KEY (customer) REFERENCES app.customers(id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT no_overlap EXCLUDE USING gist (room WITH =, valid WITH &&)
);
ALTER TABLE app.orders ADD CONSTRAINT positive_room CHECK (room > 0) NOT VALID;
CREATE TRIGGER touch_customers BEFORE UPDATE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER always_touch BEFORE INSERT ON app.customers FOR EACH ROW WHEN (NEW.credit > 0) EXECUTE FUNCTION app.touch();
ALTER TABLE app.customers ENABLE ALWAYS TRIGGER always_touch;
CREATE RULE no_delete AS ON DELETE TO app.orders WHERE (old.state = 'closed'::app.state) DO INSTEAD NOTHING;
ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY open_only ON app.orders FOR SELECT TO PUBLIC USING (state <> 'closed'::app.state);
CREATE POLICY no_negative ON app.orders AS RESTRICTIVE FOR INSERT WITH CHECK (room > 0);

CREATE TABLE app.events (
    at timestamptz NOT NULL,
    kind text DEFAULT 'x' NOT NULL,
    payload jsonb
) PARTITION BY RANGE (at);
CREATE TABLE app.events_2025 PARTITION OF app.events FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00');
CREATE TABLE app.events_2026 PARTITION OF app.events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00') PARTITION BY LIST (kind);
CREATE TABLE app.events_2026_x PARTITION OF app.events_2026 FOR VALUES IN ('x', 'y');
CREATE TABLE app.events_rest PARTITION OF app.events DEFAULT;
ALTER TABLE app.events ADD CONSTRAINT events_pkey PRIMARY KEY (at, kind);
CREATE INDEX events_kind ON app.events (kind, lower(kind));
ALTER TABLE app.events_2025 ALTER COLUMN kind SET DEFAULT 'old';

CREATE TABLE app.base_item (code text, price numeric);
CREATE TABLE app.special_item (reason text NOT NULL) INHERITS (app.base_item);
CREATE UNLOGGED TABLE app.scratch (k integer);
CREATE TABLE app.full_identity (k integer, v text);
ALTER TABLE app.full_identity REPLICA IDENTITY FULL;
CREATE TABLE app.index_identity (k integer NOT NULL, v text);
CREATE UNIQUE INDEX index_identity_k ON app.index_identity (k);
ALTER TABLE app.index_identity REPLICA IDENTITY USING INDEX index_identity_k;
CREATE TABLE "Odd; names"."a.b""c" ("from" integer PRIMARY KEY, "x y" text DEFAULT 'it''s', "select" integer);
CREATE INDEX "ON idx" ON "Odd; names"."a.b""c" ("x y", "select");
COMMENT ON COLUMN "Odd; names"."a.b""c"."x y" IS E'line 1\nline ''2''';

CREATE VIEW app.open_orders AS
    SELECT o.id, o.state, count(*) OVER (PARTITION BY o.state) AS n FROM app.orders o WHERE o.state <> 'closed'::app.state;
CREATE VIEW app.customer_orders WITH (security_barrier = true) AS
    SELECT c.id, c.name, (SELECT max(o.id) FROM app.orders o WHERE o.customer = c.id) AS latest, o2.id AS order_id, app.plus_tax(c.credit)
    FROM app.customers c LEFT JOIN app.orders o2 ON o2.customer = c.id
    WHERE c.changed AT TIME ZONE 'UTC' > '2020-01-01' AND c.name = ANY (ARRAY['a', 'b']);
CREATE VIEW app.by_state AS SELECT state, sum(room) AS rooms FROM app.orders GROUP BY state HAVING count(*) > 1 ORDER BY state;
CREATE MATERIALIZED VIEW app.order_totals AS SELECT customer, count(*) AS n FROM app.orders GROUP BY customer WITH DATA;
CREATE UNIQUE INDEX order_totals_customer ON app.order_totals (customer);

CREATE PUBLICATION app_rows FOR TABLE app.customers, app.full_identity;
CREATE PUBLICATION nothing_yet;
