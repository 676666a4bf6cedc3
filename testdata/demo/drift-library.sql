-- What went wrong with the schema on n2: a sequence that replication did not advance, a
-- narrower column, a disabled trigger, a lost index, a label that the other nodes lack, and
-- two rows.
ALTER SEQUENCE library.members_id_seq RESTART;
ALTER TABLE library.authors ALTER name TYPE varchar(30);
ALTER TABLE library.members DISABLE TRIGGER check_member;
DROP INDEX library.books_sort_key;
ALTER TYPE library.condition ADD VALUE 'repaired' BEFORE 'lost';
UPDATE library.loans SET returned = lent_on + 7 WHERE book IN (10, 11) AND lent_on < '2025-03-01';
