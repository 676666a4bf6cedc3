package pg

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// A server needs longer to plan most catalog queries than to execute them. The texts of
// these queries are the same for every table. So a session prepares them once and keeps
// their plans for the next tables.
//
// A transaction pooler may run each transaction in another session. A prepared statement
// would then be missing in one session and left over in another. So a connection uses
// prepared statements only if the process at its other end is the one that accepted the
// connection: a pooler announces a process id of its own. A transaction that may run user
// code (table.Access.Foreign) uses none either, because its session is reset at its end.

// keptStatements is the key in a connection's custom data under which its prepared
// statements are stored. If the key is missing, the connection uses none.
const keptStatements = "ace.statements"

// missingStatement is the SQLSTATE for a prepared statement that does not exist.
const missingStatement = "26000"

// prepared are the names of a session's prepared statements, by their texts.
type prepared map[string]string

// statements returns the prepared statements that the transaction may use and extend. It
// returns nil if the transaction may use none.
func (t *Tx) statements() prepared {
	if t.access.Foreign {
		return nil
	}
	kept, _ := t.conn.Conn().PgConn().CustomData()[keptStatements].(prepared)
	return kept
}

// noteProcess allows prepared statements on the connection if its server process, whose
// id is backend, accepted the connection. A transaction that may run user code forgets
// the prepared statements, because its end removes them.
func (t *Tx) noteProcess(backend []byte) {
	conn := t.conn.Conn().PgConn()
	switch {
	case t.access.Foreign, string(backend) != strconv.FormatUint(uint64(conn.PID()), 10):
		t.forgetStatements()
	case conn.CustomData()[keptStatements] == nil:
		conn.CustomData()[keptStatements] = prepared{}
	}
}

// forgetStatements must be called when the session may have lost its prepared statements.
func (t *Tx) forgetStatements() { delete(t.conn.Conn().PgConn().CustomData(), keptStatements) }

// sendQuery sends a query. If the query is fixed and the transaction may use prepared
// statements, the query is prepared first, unless the session has prepared it already.
func (s *stream) sendQuery(q query) {
	kept := s.tx.statements()
	if !q.fixed || kept == nil {
		s.pipeline.SendQueryParams(q.sql, q.args, nil, nil, nil)
		return
	}

	name, known := kept[q.sql]
	if !known {
		sum := sha256.Sum256([]byte(q.sql))
		name = "ace_" + hex.EncodeToString(sum[:16])
		// An earlier transaction may have prepared the statement and ended before it read the
		// server's confirmation.
		s.pipeline.SendDeallocate(name)
		s.pipeline.SendPrepare(name, q.sql, nil)
		s.preparing = append(s.preparing, statement{name, q.sql})
	}
	s.pipeline.SendQueryPrepared(name, q.args, nil, nil)
}

// statement is a statement that the server is asked to prepare.
type statement struct{ name, sql string }

// confirm records that the server has prepared the first statement of s.preparing.
func (s *stream) confirm() {
	if kept := s.tx.statements(); kept != nil {
		kept[s.preparing[0].sql] = s.preparing[0].name
	}
	s.preparing = s.preparing[1:]
}
