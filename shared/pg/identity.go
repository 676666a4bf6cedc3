package pg

import (
	"context"
	"net"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// Expecting returns a copy of the node for a task that began with the given server. Every
// transaction of the copy checks that it runs on this server before its results are used.
// If server is the zero Identity, the copy accepts every server.
func (n *Node) Expecting(server table.Identity) *Node {
	expecting := *n
	expecting.expected = nil
	if server.Database != "" {
		expecting.expected = &server
	}
	return &expecting
}

// Address returns host, port and database as the cluster definition has them.
func (n *Node) Address() string { return n.address }

const (
	// identityColumns are the columns that identify the server, except those of pg_control.
	// The file path of pg_class contains the OID of the database (base/5/1259), so no lookup
	// in pg_database is needed.
	identityColumns = `, pg_catalog.pg_postmaster_start_time(), pg_catalog.pg_is_in_recovery(), ` +
		`pg_catalog.pg_relation_filepath('pg_catalog.pg_class'::pg_catalog.regclass), pg_catalog.host(pg_catalog.inet_server_addr()), pg_catalog.inet_server_port()`
	// controlColumns are the columns that identify the server by pg_control. Reading that
	// file takes longer than reading all other columns. So withIdentity adds these columns
	// only if the task expects a system identifier, and only until the system identifier of
	// the connection's server is known.
	controlColumns = `, (pg_catalog.pg_control_system()).system_identifier, CASE WHEN pg_catalog.pg_is_in_recovery() ` +
		`THEN (pg_catalog.pg_control_checkpoint()).timeline_id ELSE ` + currentTimeline + ` END`
	// currentTimeline is the timeline on which a primary writes: the first eight digits of
	// the name of its log file. pg_control cannot be used instead: after a promotion, it
	// shows the new timeline only once the next checkpoint is complete.
	currentTimeline = `(pg_catalog.concat('x', pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)))::pg_catalog.bit(32)::pg_catalog.int4`
)

// mayReadControl is the SQL condition that the role may call the functions of
// controlColumns.
const mayReadControl = `pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AND pg_catalog.has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE')`

// knownServer is the key in a connection's custom data under which the identity of the
// connection's server is stored, once it is known.
const knownServer = "ace.server"

// withIdentity adds the columns of the identity to a query that returns one row. The row
// handler of the query compares the identity with the one that an earlier transaction
// found on the same connection. It also compares it with the server that the task
// expects.
func (t *Tx) withIdentity(q query) query {
	q.sql += identityColumns
	marks := t.conn.Conn().PgConn().CustomData()
	known, _ := marks[knownServer].(table.Identity)
	full := t.node.expected != nil && t.node.expected.System != "" && known.System == ""
	if full {
		q.sql += controlColumns
	}

	q.row = func(v [][]byte) error {
		t.noteProcess(v[0])
		found := readIdentity(v, full)
		delete(marks, knownServer)
		switch {
		case known.System == "":
		case found.Started == known.Started:
			found.System, found.Timeline = known.System, known.Timeline
		case t.node.expected != nil:
			return t.node.restarted()
		}
		marks[knownServer] = found
		t.found = found
		return t.node.verify(found)
	}

	return q
}

// controlQuery returns the query that reads the columns of pg_control and adds them to
// the identity that the transaction has found. The role must have the privilege to read
// them.
func (t *Tx) controlQuery() query {
	return query{sql: "SELECT " + controlColumns[2:], row: func(v [][]byte) error {
		t.found.System, t.found.Timeline = string(v[0]), string(v[1])
		t.conn.Conn().PgConn().CustomData()[knownServer] = t.found
		return nil
	}}
}

// restarted returns the error for a connection that leads to another server process than
// before. The reason may be a restart of the same server, to which a pooler has connected
// again. So the error is Unavailable, and a retry may succeed.
func (n *Node) restarted() error {
	return fault.New(fault.Unavailable, "node %q (%s) was restarted, or another server answers there", n.name, n.address)
}

// readIdentity reads the identity from the last columns of a row. full means that the
// columns of pg_control are among them, at the end.
func readIdentity(v [][]byte, full bool) table.Identity {
	var found table.Identity
	if full {
		found.System, found.Timeline = string(v[len(v)-2]), string(v[len(v)-1])
		v = v[:len(v)-2]
	}

	v = v[len(v)-5:]
	found.Started, found.Recovery = string(v[0]), isTrue(v[1])
	if path := strings.Split(string(v[2]), "/"); len(path) > 1 {
		found.Database = path[len(path)-2]
	}
	if v[3] != nil {
		found.Address = net.JoinHostPort(string(v[3]), string(v[4]))
	}

	return found
}

// verify returns a Conflict if the found server is not the expected one.
func (n *Node) verify(found table.Identity) error {
	if n.expected == nil || n.expected.Accepts(found) {
		return nil
	}
	return fault.New(fault.Conflict, "node %q (%s) is not the server that this began with: expected the %s, found the %s. Nothing was read or written there; start again once the node's address leads to one server",
		n.name, n.address, n.expected, found)
}

// checkServer returns the error to report for a transaction that could not begin because
// of err. It reads the identity of the server, and returns a Conflict if the server is
// not the expected one. It returns err if the server is the expected one or if the
// identity cannot be read. It sends ROLLBACK and the query for the identity in one
// message, so that a transaction pooler runs both in the same session.
func (t *Tx) checkServer(ctx context.Context, err error) error {
	if t.node.expected == nil || ctx.Err() != nil || fault.CodeOf(err) == fault.Conflict || t.conn.Conn().IsClosed() {
		return err
	}

	sql := "ROLLBACK; SELECT pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('DateStyle', 'ISO', true)" + identityColumns
	full := t.node.expected.System != ""
	if full {
		sql += controlColumns
	}

	results, asked := t.conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
	if asked != nil || len(results) != 2 || len(results[1].Rows) != 1 {
		return err
	}
	const needed = 7 // columns that readIdentity reads at most
	if len(results[1].Rows[0]) < needed {
		return t.node.answerFault(err)
	}
	if other := t.node.verify(readIdentity(results[1].Rows[0], full)); other != nil {
		return other
	}

	return err
}
