package tableschema

import (
	"fmt"

	"ace/shared/table"
)

// Descriptions of roles whose privileges are sufficient for a comparison or a repair, for
// messages.
const (
	readingRole = "a role that may only SELECT is enough for a comparison"
	writingRole = "a role with SELECT, INSERT, UPDATE and DELETE on the table, and SET on session_replication_role, is enough for a repair"
)

// SuperuserWarnings returns a warning if the connected role is a superuser. User code
// that a task must run, such as functions of the table, could then do anything on the
// server. writes means that the task is a repair. The warning names the privileges that
// are enough for the task.
func SuperuserWarnings(d *table.Description, writes bool) []string {
	if !d.Superuser {
		return nil
	}
	enough := readingRole
	if writes {
		enough = writingRole
	}
	return []string{fmt.Sprintf("functions of the table and of a table_filter run with the rights of a superuser on node %s: %s (docs/SECURITY.md)", d.Node, enough)}
}
