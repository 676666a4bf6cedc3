package apicases

import "strings"

// BadAudit returns requests for the audit log that must be refused.
func BadAudit() []Case {
	bad := func(name, query, message string) Case {
		return getFrom("/ace/audit", "audit with "+name, query, message)
	}
	return []Case{
		bad("a bad cluster", "cluster_name=a/b", `cluster_name is "a/b"`+allowedCluster),
		bad("a limit of 0", "limit=0", `limit is "0"; it must be a whole number from 1 to 1000`),
		bad("a bad cursor", "after=td_20240315_123456", `after is "td_20240315_123456"; it must be the value of next of the previous page`),
		bad("no time", "since=yesterday", `since is "yesterday"; it must be a date such as 2024-03-15 or a time such as 2024-03-15T12:34:56Z`),
		bad("a long name", "caller="+strings.Repeat("x", 513), "caller has 513 bytes; it must be a name of 1 to 512 bytes"),
		bad("an unknown parameter", "user=ci", `unknown parameter "user"; the parameters are caller, cluster_name, since, until, limit, after`),
	}
}
