package pg

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// subscriptionsSQL returns the query for the subscriptions to the table, to a partitioned
// table of which it is a partition, or to its partitions. An older server lacks some
// columns of pg_subscription. The relation older (see the FROM clause) has columns with
// the same names, and with the values that apply to such a server. Each of these columns
// is selected in a subquery. In the subquery, its name means the column of
// pg_subscription if there is one, and otherwise the column of older.
func subscriptionsSQL(version int) string {
	return strings.Replace(`
SELECT DISTINCT s.subname, coalesce(s.subslotname, ''), s.subenabled,
       (SELECT suborigin FROM pg_subscription o WHERE o.oid = s.oid) = 'none',
       bool_and(r.srsubstate IN ('s', 'r')) OVER (PARTITION BY s.oid),
       `+subscriptionRuns+`,
       coalesce($ERRORS, 0),
       (SELECT nullif(subskiplsn::pg_lsn, '0/0') FROM pg_subscription o WHERE o.oid = s.oid),
       (SELECT subdisableonerr FROM pg_subscription o WHERE o.oid = s.oid)
FROM pg_subscription s
CROSS JOIN (VALUES ('any', '0/0', false)) older (suborigin, subskiplsn, subdisableonerr)
JOIN pg_subscription_rel r ON r.srsubid = s.oid
JOIN pg_class c ON c.relname = $2
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (r.srrelid = c.oid OR r.srrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid))
       OR r.srrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
ORDER BY s.subname`, "$ERRORS", subscriptionErrors(version), 1)
}

// subscriptionRuns is the condition that a subscription s has an apply worker. Workers
// that only copy a table do not count; they have a relid.
const subscriptionRuns = "EXISTS (SELECT FROM pg_catalog.pg_stat_subscription w WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL)"

// subscriptionErrors returns an expression for the number of errors of subscription s. It
// is 0 before PostgreSQL 15, because older servers do not count errors.
func subscriptionErrors(version int) string {
	if version < 150000 {
		return "0"
	}
	return "(SELECT e.apply_error_count + e.sync_error_count FROM pg_catalog.pg_stat_subscription_stats e WHERE e.subid = s.oid)"
}

// Subscriptions returns this node's subscriptions to the table.
func (n *Node) Subscriptions(ctx context.Context, schema, name string) ([]table.Subscription, error) {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	version := 0
	err = tx.run(ctx, doingSubscriptions, query{sql: "SELECT current_setting('server_version_num')", row: func(v [][]byte) (err error) {
		version, err = strconv.Atoi(string(v[0]))
		return err
	}})
	if err != nil {
		return nil, err
	}

	var found []table.Subscription
	return found, tx.call(ctx, doingSubscriptions, table.EndTransaction, query{sql: subscriptionsSQL(version), args: textArgs(schema, name), row: func(v [][]byte) error {
		s := table.Subscription{Name: string(v[0]), Slot: string(v[1]), Enabled: isTrue(v[2]), LocalOnly: isTrue(v[3]), Copied: isTrue(v[4]), Running: isTrue(v[5]), SkipLSN: string(v[7]), DisableOnError: isTrue(v[8])}
		found = append(found, s)
		_, err := fmt.Sscan(string(v[6]), &found[len(found)-1].Errors)
		return err
	}})
}

const doingSubscriptions = "looking for subscriptions"

// logEnd is an expression for the end of the write-ahead log. The last records before it,
// such as those of asynchronous commits, may not be on disk yet, and subscribers receive
// only records that are on disk. Subscribers reach this position after the next commit,
// or when the server writes its running transactions to the log, which it does every 15
// seconds.
const logEnd = "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END"

const doingPosition = "reading the position of the log"

// Position returns the current end of the node's log. Everything that the returned
// snapshot sees is before this position.
func (n *Node) Position(ctx context.Context) (at table.Position, err error) {
	return at, n.ask(ctx, doingPosition, query{sql: "SELECT pg_catalog.pg_current_snapshot(), " + logEnd, row: func(v [][]byte) error {
		at.Snapshot, at.LSN = string(v[0]), string(v[1])
		return nil
	}})
}

// Position returns the current end of the node's log. Everything that this transaction
// has seen is before this position.
func (r *RepairTx) Position(ctx context.Context) (lsn string, err error) {
	return lsn, r.tx.run(ctx, doingPosition, query{sql: "SELECT " + logEnd, row: func(v [][]byte) error { lsn = string(v[0]); return nil }})
}

// FlushLog flushes the node's log to disk by committing an empty logical message, which
// PostgreSQL's own subscriptions ignore. Subscribers receive only what is on disk.
// Without FlushLog, they would wait until another transaction commits. On a standby,
// FlushLog does nothing.
func (n *Node) FlushLog(ctx context.Context) error {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	tx.commits = true // a transaction that is rolled back writes no message
	return tx.call(ctx, "flushing the log", table.EndTransaction, query{sql: "SET LOCAL synchronous_commit = local"},
		query{sql: "SELECT pg_catalog.pg_logical_emit_message(true, 'ace', ''::pg_catalog.text) WHERE NOT pg_catalog.pg_is_in_recovery()"})
}

// writtenSince is an expression that is true if a snapshot does not see the transaction
// that wrote a row. The row's xmin has only the lower 32 bits of that transaction's id.
// The expression adds the upper bits: of the ids with these lower bits, it chooses the
// greatest that is not above the xmax of the current snapshot. The arguments of the
// format are a unique name, the alias of the table, and the number of the parameter that
// has the snapshot.
const writtenSince = `(SELECT NOT pg_catalog.pg_visible_in_snapshot(
		(%[1]s.xid OPERATOR(pg_catalog.-) ((%[1]s.xid OPERATOR(pg_catalog.-) %[2]s.xmin::pg_catalog.text::bigint) OPERATOR(pg_catalog.&) 4294967295))::pg_catalog.text::pg_catalog.xid8,
		$%[3]d::pg_catalog.pg_snapshot)
	FROM (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::bigint AS xid) %[1]s)`

// WrittenSince reports for each key whether its row was written by a transaction that
// snapshot, an earlier snapshot of this node, does not see. For a key without a row, it
// reports true, because the row may have been deleted since.
func (t *Tx) WrittenSince(ctx context.Context, s table.Source, keys []table.Key, snapshot string) ([]bool, error) {
	since := make([]bool, len(keys))
	for i := range since {
		since[i] = true
	}

	q := byKey(s, keys, fmt.Sprintf(writtenSince, uniqueName(s, "newest"), s.Alias, len(s.Key)+1), "")
	q.args = append(q.args, []byte(snapshot))
	q.row = func(v [][]byte) error {
		i, err := place(v[0], len(keys))
		if err == nil {
			since[i] = isTrue(v[1])
		}
		return err
	}

	return since, t.run(ctx, "reading when rows were written", append(settings(rangePlans), q)...)
}

// SlotLag returns the lag of the subscriber that uses a slot of this node: the number of
// bytes of this node's log, up to the position lsn, that the subscriber has not yet
// confirmed. found is false if this node has no such slot. Then another node is the
// publisher of the subscription.
func (n *Node) SlotLag(ctx context.Context, slot, lsn string) (bytes int64, found bool, err error) {
	err = n.ask(ctx, doingSlotLag, slotLagQuery(slot, lsn, &bytes, &found))
	return bytes, found, err
}

// SlotLag is like Node.SlotLag, in this transaction.
func (r *RepairTx) SlotLag(ctx context.Context, slot, lsn string) (bytes int64, found bool, err error) {
	err = r.tx.run(ctx, doingSlotLag, slotLagQuery(slot, lsn, &bytes, &found))
	return bytes, found, err
}

const doingSlotLag = "reading the confirmed position of a subscriber"

func slotLagQuery(slot, lsn string, bytes *int64, found *bool) query {
	return query{
		sql: `SELECT greatest(0, pg_catalog.pg_wal_lsn_diff($2::pg_catalog.pg_lsn, coalesce(confirmed_flush_lsn, '0/0')))::bigint
			FROM pg_catalog.pg_replication_slots
			WHERE slot_name OPERATOR(pg_catalog.=) $1::pg_catalog.name AND slot_type OPERATOR(pg_catalog.=) 'logical'
			  AND database OPERATOR(pg_catalog.=) pg_catalog.current_database()`,
		args: textArgs(slot, lsn),
		row: func(v [][]byte) (err error) {
			*found = true
			*bytes, err = strconv.ParseInt(string(v[0]), 10, 64)
			return err
		},
	}
}

// ask runs catalog queries in a transaction of their own.
func (n *Node) ask(ctx context.Context, doing string, queries ...query) error {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	return tx.call(ctx, doing, table.EndTransaction, queries...)
}

// originsSQL returns four conditions: changes can be replicated from this node, the role
// may set a replication origin, the server's settings permit replication origins, and
// Spock is installed. A function spock.repair_mode counts only if it belongs to the
// extension, because any role that may create schemas can create a schema with this name.
const originsSQL = `
SELECT pg_catalog.current_setting('wal_level') OPERATOR(pg_catalog.=) 'logical',
       (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(f, 'EXECUTE'))
        FROM pg_catalog.unnest(ARRAY['pg_catalog.pg_replication_origin_oid(pg_catalog.text)', 'pg_catalog.pg_replication_origin_create(pg_catalog.text)',
                                     'pg_catalog.pg_replication_origin_session_setup(pg_catalog.text)']::pg_catalog.regprocedure[]) f),
       coalesce(pg_catalog.current_setting('max_active_replication_origins', true), pg_catalog.current_setting('max_replication_slots'))::int OPERATOR(pg_catalog.>) 0,
       ` + table.HasSpock

// origins is the result of originsSQL. Its fields are the columns of the query, in the
// same order.
type origins struct{ logical, granted, room, spock bool }

func (o *origins) query() query {
	return query{sql: originsSQL, row: func(v [][]byte) error {
		o.logical, o.granted, o.room, o.spock = isTrue(v[0]), isTrue(v[1]), isTrue(v[2]), isTrue(v[3])
		return nil
	}}
}

// unmarked returns the reason why the changes of a repair cannot have a replication
// origin. It returns "" if they can, if Spock's repair mode replaces the origin, or if
// nothing is replicated from this node.
func (o *origins) unmarked() string {
	switch {
	case o.spock || !o.logical:
		return ""
	case !o.granted:
		return "the role may not set a replication origin (GRANT EXECUTE ON FUNCTION pg_replication_origin_oid(text), pg_replication_origin_create(text), pg_replication_origin_session_setup(text)), so subscribers get the repair like any other change"
	case !o.room:
		return "the server allows no replication origins (max_replication_slots is 0), so subscribers get the repair like any other change"
	}
	return ""
}

// KeepLocal marks the changes of this transaction so that subscribers of this node do not
// apply them. It must be the first call, because it may commit. With Spock, it uses
// Spock's repair mode. Otherwise it sets a replication origin ("ace_repair_1" and so on).
// Subscriptions with origin = none skip the changes of a replication origin. reason
// explains to the user why the changes could not be marked. An empty reason means that
// they are marked, or that nothing is replicated from this node.
//
// An origin is set for the session, so it remains set after a commit. KeepLocal sets it
// in a short transaction of its own. As long as a transaction that has created an origin
// is open, other sessions of the server that create an origin must wait, for example in
// CREATE SUBSCRIPTION.
func (r *RepairTx) KeepLocal(ctx context.Context) (reason string, err error) {
	if r.tx.state != stateUnbegun {
		return "", fault.New(fault.Internal, "node %q: the origin of a repair is set before its first statement", r.tx.node.name)
	}

	var o origins
	err = r.tx.run(ctx, "looking for replication", o.query())
	reason = o.unmarked()
	switch {
	case err != nil:
		return "", err
	case o.spock:
		return "", r.tx.run(ctx, "entering Spock's repair mode", query{sql: "SELECT spock.repair_mode(true)"})
	case !o.logical || reason != "":
		return reason, nil
	}

	if pooled, err := r.isPooled(ctx); err != nil || pooled {
		return "the connection goes through a pooler, through which no replication origin can be set, so subscribers get the repair like any other change", err
	}

	if reason, err = r.setOrigin(ctx); err != nil {
		return "", err
	}
	return reason, r.tx.finish(ctx, doingOrigin, commit)
}

const doingOrigin = "setting a replication origin"

// setOrigin sets the first of the repair origins that no other session uses. It creates
// the origin if it does not exist. If no origin can be used, reason explains why to the
// user.
func (r *RepairTx) setOrigin(ctx context.Context) (reason string, err error) {
	for i := range table.RepairOrigins {
		name := textArgs(table.RepairOrigin + strconv.Itoa(i+1))
		err = r.tx.run(ctx, doingOrigin,
			query{sql: "SET LOCAL synchronous_commit = local"}, // creating an origin waits for no standby
			query{sql: "SAVEPOINT ace_write"},
			query{sql: "SELECT CASE WHEN pg_catalog.pg_replication_origin_oid($1) IS NULL THEN pg_catalog.pg_replication_origin_create($1) END", args: name},
			query{sql: "SELECT pg_catalog.pg_replication_origin_session_setup($1)", args: name},
			query{sql: "RELEASE SAVEPOINT ace_write"})
		switch sqlState(err) {
		case "55006", "23505": // another session uses the origin, or creates it at this moment
			if back := r.tx.rollbackTo(ctx, writeMark); back != nil {
				return "", back
			}
		case "53400":
			return "the server has no replication origin to spare (max_replication_slots, since PostgreSQL 18 max_active_replication_origins), so subscribers get the repair like any other change", r.tx.rollbackTo(ctx, writeMark)
		default:
			return "", err
		}
	}
	return fmt.Sprintf("all %d replication origins of repairs are in use, so subscribers get the repair like any other change", table.RepairOrigins), nil
}
