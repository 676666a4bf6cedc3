-- The benchmark's tables: deterministic, so that every node built from this file is equal to the others.
CREATE TABLE customers (
    index bigint PRIMARY KEY, customer_id text, first_name text, last_name text, company text, city text, country text,
    phone_1 text, phone_2 text, email text, subscription_date timestamptz, website text);
INSERT INTO customers
SELECT i, md5(i::text), 'first' || (i % 5003), 'last' || (i % 7001), 'Company ' || md5((i % 977)::text),
       'City ' || (i % 4999), 'Country ' || (i % 193),
       '+1-' || (i::bigint * 7919 % 10000000000)::text, '+44-' || (i::bigint * 104729 % 10000000000)::text,
       'user' || i || '@example.com', timestamptz '2020-01-01 00:00+00' + (i % 100000) * interval '37 min',
       'https://site' || (i % 10007) || '.example.com/path'
FROM generate_series(1, :rows) i;

-- A random uuid key: rows lie in no order at all.
CREATE TABLE ledger (
    id uuid PRIMARY KEY, account int NOT NULL, amount numeric(14, 2), currency char(3), memo text, meta jsonb,
    created timestamptz, flag boolean, score double precision);
INSERT INTO ledger
SELECT md5('u' || i)::uuid, i % 100000, ((i::bigint * 7919) % 100000000) / 100.0, (ARRAY['USD', 'EUR', 'GBP'])[1 + i % 3],
       CASE WHEN i % 10 = 0 THEN NULL ELSE 'memo ' || i END, jsonb_build_object('k', i % 17, 's', 'x' || i),
       timestamptz '2020-01-01 00:00+00' + i * interval '1 sec', i % 2 = 0, i * 1.1
FROM generate_series(1, :rows / 2) i;

-- Wide rows whose text lies out of line.
CREATE TABLE wide (id bigint PRIMARY KEY, note text);
ALTER TABLE wide ALTER note SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, repeat(md5(i::text), 256) FROM generate_series(1, :rows / 100) i;

-- A part of customers, for the cases that write much of it.
CREATE TABLE hundred (LIKE customers INCLUDING ALL);
INSERT INTO hundred SELECT * FROM customers WHERE index <= :rows / 20;

CREATE TABLE million (LIKE customers INCLUDING ALL);
INSERT INTO million SELECT * FROM customers WHERE index <= :rows / 2;

-- A random text key.
CREATE TABLE accounts (name text PRIMARY KEY, owner text, balance numeric(14, 2), opened date, notes text);
INSERT INTO accounts
SELECT md5('a' || i), 'owner ' || (i % 7919), ((i::bigint * 7919) % 100000000) / 100.0, date '2020-01-01' + i % 2000, 'note ' || i
FROM generate_series(1, :rows / 4) i;

-- Four fifths of the rows were deleted, and their space was not given back.
CREATE TABLE bloated (LIKE customers INCLUDING ALL);
INSERT INTO bloated SELECT * FROM customers WHERE index <= :rows / 2;
DELETE FROM bloated WHERE index % 5 <> 0;

VACUUM ANALYZE;
