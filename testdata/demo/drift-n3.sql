-- What went wrong on n3: a row written there alone.
INSERT INTO customers VALUES (200001, 'Customer 200001', 'customer200001@example.com', 'Osaka', 12.50, NULL);
