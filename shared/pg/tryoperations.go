package pg

import (
	"context"
	"fmt"

	"ace/shared/fault"
)

// operationsSQL returns the table as a FROM clause names it, the column with which UPDATE
// is tried, and whether DELETE is tried. The column is one that the role may read and
// update, or empty if there is none. On a server in recovery neither is tried, because
// EXPLAIN cannot lock the table there. If row-level security is active for the role, the
// query returns no row.
const operationsSQL = `
SELECT CASE WHEN c.relkind = 'r' AND EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid) THEN 'ONLY ' ELSE '' END
           || quote_ident(n.nspname) || '.' || quote_ident(c.relname),
       coalesce((SELECT quote_ident(a.attname) FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'
                   AND has_column_privilege(c.oid, a.attnum, 'UPDATE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
                   AND NOT pg_is_in_recovery()
                 ORDER BY a.attnum LIMIT 1), ''),
       has_table_privilege(c.oid, 'DELETE') AND NOT pg_is_in_recovery()
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = $1::oid AND c.relkind IN ('r', 'p') AND NOT row_security_active(c.oid)`

// tryOperations finds out whether the server refuses every UPDATE or DELETE in the table,
// as it does for a published table without a replica identity. It stores the messages in
// UpdateRefused and DeleteRefused. EXPLAIN makes the server check this without writing,
// even in a read-only transaction.
func (w *writing) tryOperations(ctx context.Context) error {
	var relation, column string
	var deletes bool
	err := w.tx.run(ctx, doingWriting, query{sql: operationsSQL, args: [][]byte{w.oid}, row: func(v [][]byte) error {
		relation, column, deletes = string(v[0]), string(v[1]), isTrue(v[2])
		return nil
	}})
	if err != nil {
		return err
	}
	if column != "" {
		if w.d.UpdateRefused, err = w.try(ctx, fmt.Sprintf("UPDATE %s SET %s = %s", relation, column, column)); err != nil {
			return err
		}
	}
	if deletes {
		w.d.DeleteRefused, err = w.try(ctx, "DELETE FROM "+relation)
	}
	return err
}

// try lets the server plan a statement with EXPLAIN, which does not execute it. refused
// is the message of the error with which the server refuses the statement. It is empty if
// the server accepts the statement, or if try cannot find out.
func (w *writing) try(ctx context.Context, sql string) (refused string, err error) {
	var plan []byte
	err = w.tx.run(ctx, doingWriting, query{sql: "SAVEPOINT " + probeMark}, explain(sql, &plan), query{sql: "RELEASE SAVEPOINT " + probeMark})
	if pgErr := serverError(err); pgErr != nil {
		switch pgErr.Code {
		case "55000", invalidReference: // no replica identity; a publication's filter or list of columns
			refused = describe(pgErr)
		case lockNotAvailable: // another session has the lock, so nothing is known
		default: // nothing is known either, for example because a rule replaces the statement
			if fault.Retryable(err) {
				return "", err
			}
		}
		return refused, w.tx.rollbackTo(ctx, probeMark)
	}
	return "", err
}
