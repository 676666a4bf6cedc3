-- What went wrong on n2: two updates and an insert that never arrived, and a delete that was lost.
UPDATE customers SET credit = credit + 100 WHERE id IN (4711, 123456);
UPDATE customers SET city = NULL WHERE id = 77;
DELETE FROM customers WHERE id = 150000;
