package pg

import (
	"context"

	"ace/shared/fault"
	"ace/shared/table"
)

// filesSQL returns the OID of a table, and a digest of the filenodes of the table and its
// partitions. It uses only functions that need no privilege on the table and that read
// the current state of the catalogs, not the state in the transaction's snapshot. So it
// also detects a rewrite after the snapshot was taken.
const filesSQL = `
WITH root AS (SELECT pg_catalog.to_regclass($1::pg_catalog.text)::pg_catalog.oid AS oid)
SELECT (SELECT oid FROM root),
       pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.string_agg(
           pg_catalog.format('%s %s', f.oid, pg_catalog.pg_relation_filenode(f.oid)), ',' ORDER BY f.oid), 'UTF8')), 'hex')
FROM (SELECT oid FROM root
      UNION
      SELECT p.relid::pg_catalog.oid FROM root CROSS JOIN LATERAL pg_catalog.pg_partition_tree(root.oid) p) f`

// filesQuery returns the query that reads the files of a table. Its row handler passes
// the files to found. relation is the table as a FROM clause names it, such as ONLY
// "public"."users".
func filesQuery(relation string, found func(table.Files) error) query {
	return query{fixed: true, sql: filesSQL, args: textArgs(table.WithoutOnly(relation)), row: func(v [][]byte) error {
		return found(table.Files{OID: string(v[0]), Digest: string(v[1])})
	}}
}

// checkFiles returns the query that checks that a table still has the files that the plan
// recorded. The caller must send the query after the statements that read the table, in
// the same transaction. The locks of these statements prevent a rewrite between them and
// the check.
func (t *Tx) checkFiles(relation string, planned table.Files) query {
	return filesQuery(relation, func(now table.Files) error {
		if now == planned {
			return nil
		}
		return fault.New(fault.Conflict, "node %q: %s was altered since this was planned: it was rewritten or replaced (ALTER TABLE, VACUUM FULL, CLUSTER, TRUNCATE, pg_repack), or a partition was attached or detached: start it again",
			t.node.name, table.WithoutOnly(relation))
	})
}

// Hold locks the table until the transaction ends, so that it cannot be rewritten, and
// checks that its files are still those in s.Files. It skips the check if s.Files is
// zero. If the role may not LOCK the table, a SELECT of no rows acquires the same lock.
func (r *RepairTx) Hold(ctx context.Context, s table.Source) error {
	lock := query{sql: "SELECT FROM " + s.Relation + " LIMIT 0"}
	if s.Lockable {
		lock.sql = lockSQL(s.Relation)
	}
	queries := []query{lock}
	if !s.Files.IsZero() {
		queries = append(queries, r.tx.checkFiles(s.Relation, s.Files))
	}
	return r.tx.run(ctx, "locking the table", queries...)
}

// lockSQL returns the statement that locks a table until the transaction ends, so that
// the table cannot be rewritten. The statement takes no snapshot.
func lockSQL(relation string) string { return "LOCK TABLE " + relation + " IN ACCESS SHARE MODE" }
