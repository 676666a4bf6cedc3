package pg

import (
	"context"
	"fmt"
	"strconv"

	"ace/shared/table"
)

// subscriptionsSQL: a subscription may carry the table itself, the partitioned table it is a part of, or its partitions.
// Before PostgreSQL 16 there is no column suborigin: the inner query then finds the outer one's.
const subscriptionsSQL = `
SELECT DISTINCT s.subname, coalesce(s.subslotname, ''), s.subenabled,
       (SELECT suborigin FROM pg_subscription o WHERE o.oid = s.oid) = 'none',
       bool_and(r.srsubstate IN ('s', 'r')) OVER (PARTITION BY s.oid)
FROM pg_subscription s
CROSS JOIN (VALUES ('any')) before16 (suborigin)
JOIN pg_subscription_rel r ON r.srsubid = s.oid
JOIN pg_class c ON c.relname = $2
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (r.srrelid = c.oid OR r.srrelid IN (SELECT relid FROM pg_partition_ancestors(c.oid))
       OR r.srrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))
ORDER BY s.subname`

// Subscriptions gives those of this node that carry the table.
func (n *Node) Subscriptions(ctx context.Context, schema, name string) ([]table.Subscription, error) {
	var found []table.Subscription
	return found, n.ask(ctx, "looking for subscriptions", query{sql: subscriptionsSQL, args: textArgs(schema, name), row: func(v [][]byte) error {
		found = append(found, table.Subscription{Name: string(v[0]), Slot: string(v[1]), Enabled: isTrue(v[2]), LocalOnly: isTrue(v[3]), Copied: isTrue(v[4])})
		return nil
	}})
}

// logEnd is where the log ends. What is written by transactions that do not wait for it may not be on disk yet: subscribers get
// there when somebody commits, or when the server logs what runs, every 15 seconds.
const logEnd = "CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn() END"

const doingPosition = "reading the position of the log"

// Position is where the node's log ends now. What its snapshot sees lies before that.
func (n *Node) Position(ctx context.Context) (at table.Position, err error) {
	return at, n.ask(ctx, doingPosition, query{sql: "SELECT pg_catalog.pg_current_snapshot(), " + logEnd, row: func(v [][]byte) error {
		at.Snapshot, at.LSN = string(v[0]), string(v[1])
		return nil
	}})
}

// Position is where the node's log ends now. What this transaction has seen lies before that.
func (r *RepairTx) Position(ctx context.Context) (lsn string, err error) {
	return lsn, r.tx.run(ctx, doingPosition, query{sql: "SELECT " + logEnd, row: func(v [][]byte) error { lsn = string(v[0]); return nil }})
}

// FlushLog has the node's log on disk as far as it has come, by committing an empty message, which PostgreSQL's own
// subscriptions do not ask for: subscribers are sent no more than that, and where nobody else commits they would wait. A standby has nothing to write.
func (n *Node) FlushLog(ctx context.Context) error {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	tx.commits = true // a message of a transaction that is rolled back is not written
	return tx.call(ctx, "writing the log", table.EndTransaction, query{sql: "SET LOCAL synchronous_commit = local"},
		query{sql: "SELECT pg_catalog.pg_logical_emit_message(true, 'ace', ''::pg_catalog.text) WHERE NOT pg_catalog.pg_is_in_recovery()"})
}

// writtenSince says whether the transaction that wrote a row is one that a snapshot does not see. A row knows the lower
// half of the transaction's number: the upper half is such that it is not in the future.
const writtenSince = `(SELECT NOT pg_catalog.pg_visible_in_snapshot(
		(%[1]s.xid OPERATOR(pg_catalog.-) ((%[1]s.xid OPERATOR(pg_catalog.-) %[2]s.xmin::pg_catalog.text::bigint) OPERATOR(pg_catalog.&) 4294967295))::pg_catalog.text::pg_catalog.xid8,
		$%[3]d::pg_catalog.pg_snapshot)
	FROM (SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::bigint AS xid) %[1]s)`

// WrittenSince says for each key whether its row was written after a snapshot of this node was taken. Where there is no
// row it was.
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
	return since, t.run(ctx, "asking when rows were written", append(settings(rangePlans), q)...)
}

// SlotLag gives how many bytes of this node's log up to a position the subscriber of a slot has not confirmed to have
// applied. false: this node has no such slot, so the subscription is of another node.
func (n *Node) SlotLag(ctx context.Context, slot, lsn string) (bytes int64, found bool, err error) {
	err = n.ask(ctx, doingBehind, behind(slot, lsn, &bytes, &found))
	return bytes, found, err
}

// SlotLag is that of the node, asked in this transaction.
func (r *RepairTx) SlotLag(ctx context.Context, slot, lsn string) (bytes int64, found bool, err error) {
	err = r.tx.run(ctx, doingBehind, behind(slot, lsn, &bytes, &found))
	return bytes, found, err
}

const doingBehind = "reading how far a subscriber is"

func behind(slot, lsn string, bytes *int64, found *bool) query {
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

// ask runs queries of the catalogue in a transaction of their own.
func (n *Node) ask(ctx context.Context, doing string, queries ...query) error {
	tx, err := n.beginCatalog(ctx)
	if err != nil {
		return err
	}
	defer tx.Close()
	return tx.call(ctx, doing, table.EndTransaction, queries...)
}

// originsSQL says whether a replication origin makes a difference here, and may be set.
const originsSQL = `
SELECT pg_catalog.current_setting('wal_level') OPERATOR(pg_catalog.=) 'logical',
       (SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege(f, 'EXECUTE'))
        FROM pg_catalog.unnest(ARRAY['pg_catalog.pg_replication_origin_oid(pg_catalog.text)', 'pg_catalog.pg_replication_origin_create(pg_catalog.text)',
                                     'pg_catalog.pg_replication_origin_session_setup(pg_catalog.text)']::pg_catalog.regprocedure[]) f),
       coalesce(pg_catalog.current_setting('max_active_replication_origins', true), pg_catalog.current_setting('max_replication_slots'))::int OPERATOR(pg_catalog.>) 0,
       pg_catalog.to_regprocedure('spock.repair_mode(boolean)') IS NOT NULL`

// originNames bounds how many repairs on one node may have an origin at once: a session needs one for itself.
const originNames = 8

// KeepLocal marks what this transaction writes so that subscribers do not apply it a second time: by Spock's repair mode
// where Spock is, by a replication origin of our own ("ace_repair_1" and so on), which subscriptions with origin = none
// skip. The reason why it could not is for the user; empty if it could or nothing is replicated from here.
func (r *RepairTx) KeepLocal(ctx context.Context) (reason string, err error) {
	var logical, granted, room, spock bool
	err = r.tx.run(ctx, "looking for replication", query{sql: originsSQL, row: func(v [][]byte) error {
		logical, granted, room, spock = isTrue(v[0]), isTrue(v[1]), isTrue(v[2]), isTrue(v[3])
		return nil
	}})
	switch {
	case err != nil:
		return "", err
	case spock:
		return "", r.tx.run(ctx, "entering Spock's repair mode", query{sql: "SELECT spock.repair_mode(true)"})
	case !logical:
		return "", nil
	case !granted:
		return "the role may not set a replication origin (GRANT EXECUTE ON FUNCTION pg_replication_origin_oid(text), pg_replication_origin_create(text), pg_replication_origin_session_setup(text)), so subscribers get the repair like any other change", nil
	case !room:
		return "the server allows no replication origins (max_replication_slots is 0), so subscribers get the repair like any other change", nil
	}
	if pooled, err := r.isPooled(ctx); err != nil || pooled {
		return "a pooler stands before the server, through which no replication origin can be set, so subscribers get the repair like any other change", err
	}
	return r.setOrigin(ctx)
}

// setOrigin takes the first of our origins that no other session has.
func (r *RepairTx) setOrigin(ctx context.Context) (reason string, err error) {
	for i := range originNames {
		name := textArgs(fmt.Sprintf("ace_repair_%d", i+1))
		err = r.tx.run(ctx, "setting a replication origin",
			query{sql: "SAVEPOINT ace_write"},
			query{sql: "SELECT CASE WHEN pg_catalog.pg_replication_origin_oid($1) IS NULL THEN pg_catalog.pg_replication_origin_create($1) END", args: name},
			query{sql: "SELECT pg_catalog.pg_replication_origin_session_setup($1)", args: name},
			query{sql: "RELEASE SAVEPOINT ace_write"})
		switch sqlState(err) {
		case "55006", "23505": // another session has it, or makes it at this moment
			if back := r.tx.rollbackTo(ctx, writeMark); back != nil {
				return "", back
			}
		case "53400":
			return "the server has no replication origin to spare (max_replication_slots, since PostgreSQL 18 max_active_replication_origins), so subscribers get the repair like any other change", r.tx.rollbackTo(ctx, writeMark)
		default:
			return "", err
		}
	}
	return fmt.Sprintf("all %d replication origins of repairs are in use, so subscribers get the repair like any other change", originNames), nil
}
