package pg

import (
	"cmp"
	"strings"

	"ace/shared/cluster"
)

// maxApplication is the maximum length of application_name in bytes. Servers cut off the
// rest.
const maxApplication = 63

// sessionName returns the application_name of a session that works for no task.
func sessionName(t cluster.Target) string {
	return cmp.Or(t.Options["application_name"], t.Options["fallback_application_name"], "ace")
}

// applicationName returns the application_name of a transaction: the name of the session,
// and the id of the task if there is one. If the result would be too long, the session's
// name is shortened, so the id is always complete. The result is set for one transaction,
// by the statement that applies the other settings, so it needs no further round trip.
// Later transactions of the session, which may serve another task or another client of a
// pooler, do not have it.
//
// Each byte that is not printable ASCII becomes a question mark, as in servers before
// version 16. A server converts the text of a statement to the encoding of its database,
// and a character that the encoding lacks would be an error in each transaction.
func applicationName(session, taskID string) string {
	session = printable(session)
	if taskID == "" {
		return session
	}
	room := max(0, maxApplication-len(taskID)-1)
	if len(session) > room {
		session = session[:room]
	}
	return session + " " + taskID
}

// printable replaces each byte of a text that is not printable ASCII.
func printable(text string) string {
	bytes := []byte(text)
	for i, b := range bytes {
		if b < ' ' || b > '~' {
			bytes[i] = '?'
		}
	}
	return string(bytes)
}

// escapeLiteral escapes a value for a literal in single quotes. It replaces a backslash
// by a question mark, because a role can turn standard_conforming_strings off, and then a
// backslash begins an escape sequence.
func escapeLiteral(value string) string {
	return strings.NewReplacer("'", "''", `\`, "?").Replace(value)
}
