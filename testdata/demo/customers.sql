-- The same on every node: a table that replication is supposed to keep equal.
CREATE TABLE customers (
    id         bigint PRIMARY KEY,
    name       text NOT NULL,
    email      text NOT NULL,
    city       text,
    credit     numeric(12, 2) NOT NULL,
    subscribed timestamptz
);
INSERT INTO customers
SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', (ARRAY['Lisbon', 'Osaka', 'Quito', 'Tromsø'])[1 + i % 4],
       (i * 7919 % 1000000) / 100.0, timestamptz '2020-01-01 00:00+00' + i * interval '11 min'
FROM generate_series(1, 200000) i;
VACUUM ANALYZE customers;
