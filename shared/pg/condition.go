package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ace/shared/table"
)

// Condition reads from the system catalog what affects comparisons and repairs on the
// node, and compares the node's clock with this host's. No answer within 5 seconds is an
// error.
func (n *Node) Condition(ctx context.Context) (table.Condition, error) {
	return inTime(ctx, n, "did not answer", n.condition)
}

func (n *Node) condition(ctx context.Context) (found table.Condition, err error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return found, err
	}
	defer tx.Close()

	const doing = "reading the condition of the node"
	version := 0
	err = tx.run(ctx, doing, query{sql: serverSQL, row: func(v [][]byte) (err error) {
		found.Standby, found.CommitTimestamps = isTrue(v[1]), isTrue(v[2])
		version, err = strconv.Atoi(string(v[0]))
		return err
	}})
	if err == nil {
		found.ClockSkew, found.ClockError, err = tx.measureClock(ctx)
	}
	if err != nil {
		return found, err
	}
	return found, tx.call(ctx, doing, table.EndTransaction, usabilityQuery(&found), collationsQuery(version, &found), subscriptionsQuery(version, &found))
}

const serverSQL = `
SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('track_commit_timestamp') = 'on'`

const clockSQL = `SELECT (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000)::pg_catalog.int8`

// measureClock returns the node's clock minus this host's (skew), and the maximum error
// of this difference (within). It assumes that the node reads its clock in the middle of
// a round trip. The caller must have run an earlier statement in the transaction.
// Otherwise the round trip would include the beginning of the transaction.
func (t *Tx) measureClock(ctx context.Context) (skew, within time.Duration, err error) {
	sent := time.Now()
	var clock int64
	err = t.run(ctx, "reading the clock", query{sql: clockSQL, row: func(v [][]byte) (err error) {
		clock, err = strconv.ParseInt(string(v[0]), 10, 64)
		return err
	}})

	half := time.Since(sent) / 2
	return time.UnixMicro(clock).Sub(sent.Add(half).Round(0)), half, err
}

// hasKey is the condition that a table c has an index that can serve as the key. An index
// that can serve only after a REINDEX counts too. The condition is less strict than
// readIndex: it may be true although readIndex rejects every index of the table, but it
// is never false if readIndex accepts one of them.
const hasKey = `EXISTS (
    SELECT FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = ic.relam
    WHERE i.indrelid = c.oid AND i.indisunique AND am.amname = 'btree' AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (i.indisprimary OR i.indimmediate)
      AND NOT EXISTS (
        SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) k
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[k]
        WHERE NOT a.attnotnull))`

// usabilitySQL returns every table and partitioned table except those of the system, and
// what decides whether the table can be compared (table.Usability).
const usabilitySQL = `
SELECT n.nspname, c.relname, ` + hasKey + `,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
         AND (pg_catalog.has_table_privilege(c.oid, 'SELECT') OR NOT EXISTS (
           SELECT FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))),
       pg_catalog.row_security_active(c.oid), c.relispartition,
       EXISTS (SELECT FROM pg_catalog.pg_depend d
               WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_')
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

func usabilityQuery(found *table.Condition) query {
	return query{sql: usabilitySQL, row: func(v [][]byte) error {
		found.Tables = append(found.Tables, table.Usability{
			Schema: string(v[0]), Name: string(v[1]), HasKey: isTrue(v[2]), Readable: isTrue(v[3]), Hidden: isTrue(v[4]),
			Partition: isTrue(v[5]), Extension: isTrue(v[6]),
		})
		return nil
	}}
}

// collationsSQL returns the query for the collations that indexes use and that now have
// another version than the server has recorded. The query checks the database's default
// collation even if no index uses it. Before PostgreSQL 15, the server does not record
// the version of the default collation, so the query does not return it.
func collationsSQL(version int) string {
	return strings.Replace(`
WITH versions AS (
    SELECT co.oid, co.collprovider = 'd' AS is_default,
           CASE WHEN co.collprovider <> 'd' THEN pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS name,
           pg_catalog.quote_ident(db.datname) AS database,
           CASE WHEN co.collprovider = 'd' THEN pg_catalog.to_jsonb(db)->>'datcollversion' ELSE co.collversion END AS recorded,
           CASE WHEN co.collprovider = 'd' THEN $ACTUAL ELSE pg_catalog.pg_collation_actual_version(co.oid) END AS actual
    FROM pg_catalog.pg_collation co
    JOIN pg_catalog.pg_namespace n ON n.oid = co.collnamespace
    JOIN pg_catalog.pg_database db ON db.datname = pg_catalog.current_database()
    WHERE co.collprovider = 'd' OR co.oid IN (SELECT pg_catalog.unnest(i.indcollation) FROM pg_catalog.pg_index i)),
indexes AS (
    SELECT DISTINCT u.coll, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
    FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL pg_catalog.unnest(i.indcollation) u(coll)
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND NOT c.relispartition
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE u.coll <> 0)
SELECT v.name, v.database, v.recorded, v.actual, pg_catalog.count(i.name),
       pg_catalog.to_json((pg_catalog.array_agg(i.name ORDER BY i.name COLLATE "C") FILTER (WHERE i.name IS NOT NULL))[1:3])
FROM versions v LEFT JOIN indexes i ON i.coll = v.oid
WHERE v.recorded <> v.actual
GROUP BY v.is_default, v.name, v.database, v.recorded, v.actual
ORDER BY v.is_default DESC, v.name COLLATE "C"`, "$ACTUAL", databaseCollationVersion(version), 1)
}

func collationsQuery(version int, found *table.Condition) query {
	return query{sql: collationsSQL(version), row: func(v [][]byte) error {
		stale := table.StaleCollation{Name: string(v[0]), Database: string(v[1]), Recorded: string(v[2]), Actual: string(v[3])}
		var err error
		if stale.Indexes, err = strconv.Atoi(string(v[4])); err == nil && v[5] != nil {
			err = json.Unmarshal(v[5], &stale.First)
		}
		found.Collations = append(found.Collations, stale)
		return err
	}}
}

// allSubscriptionsSQL returns the query for the subscriptions of the database.
func allSubscriptionsSQL(version int) string {
	return strings.Replace(`
SELECT s.subname, s.subenabled,
       `+subscriptionRuns+`,
       coalesce($ERRORS, 0)
FROM pg_catalog.pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
ORDER BY s.subname COLLATE "C"`, "$ERRORS", subscriptionErrors(version), 1)
}

func subscriptionsQuery(version int, found *table.Condition) query {
	return query{sql: allSubscriptionsSQL(version), row: func(v [][]byte) error {
		s := table.Subscription{Name: string(v[0]), Enabled: isTrue(v[1]), Running: isTrue(v[2])}
		_, err := fmt.Sscan(string(v[3]), &s.Errors)
		found.Subscriptions = append(found.Subscriptions, s)
		return err
	}}
}
