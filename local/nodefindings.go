package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ace/shared/api"
	"ace/shared/app"
	"ace/shared/fault"
	"ace/shared/table"
)

const (
	// maxSkew is the difference of two clocks beyond which there is a warning.
	maxSkew = time.Second
	// maxNames is the maximum number of names of tables that a finding lists.
	maxNames = 3

	synchronise = "synchronise the clocks, for example with chrony: times of different hosts cannot be compared"
)

// reportClocks warns if the clocks of a cluster's nodes differ.
func reportClocks(f *findings, checks []app.NodeCheck) {
	readable := slices.DeleteFunc(slices.Clone(checks), func(c app.NodeCheck) bool { return c.Err != nil || c.UnreadErr != nil })
	if len(readable) == 0 {
		return
	}
	bySkew := func(a, b app.NodeCheck) int { return int(a.Condition.ClockSkew - b.Condition.ClockSkew) }
	first, last := slices.MaxFunc(readable, bySkew), slices.MinFunc(readable, bySkew)
	ahead := first.Condition.ClockSkew - last.Condition.ClockSkew
	if ahead-first.Condition.ClockError-last.Condition.ClockError > maxSkew {
		f.warn(synchronise, "the clock of node %s is %s ahead of that of node %s", first.Login.Node, seconds(ahead), last.Login.Node)
	}
}

// seconds returns a duration in seconds with one decimal.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// reportNode reports on one database of one node.
func reportNode(f *findings, check app.NodeCheck) {
	if check.Err != nil {
		remedy := ""
		if fault.CodeOf(check.Err) == fault.Unavailable {
			remedy = "check that the server runs and that this host may connect to it: address, firewall, pg_hba.conf"
		}
		f.fail(check.Err, remedy)
		return
	}

	login, found := check.Login, check.Condition
	f.ok("%s: PostgreSQL %s, role %q", login.Address, login.Version, login.Role)
	if login.Superuser {
		f.warn("", "role %q is a superuser: %s", login.Role, lesserRole)
	}
	if check.UnreadErr != nil {
		f.warn("", "tables, collations, subscriptions and the clock were not checked: %s", fault.PublicMessage(check.UnreadErr))
		return
	}

	if found.Standby {
		f.note("the node is a standby: it can be compared, but not repaired")
	}
	switch certain := found.ClockSkew.Abs() - found.ClockError; {
	case certain <= maxSkew:
	case found.ClockSkew > 0:
		f.warn(synchronise, "its clock is %s ahead of this host's", seconds(found.ClockSkew))
	default:
		f.warn(synchronise, "this host's clock is %s ahead of that of this node", seconds(-found.ClockSkew))
	}
	if !found.CommitTimestamps {
		f.note("track_commit_timestamp is off: documents do not show when a row was written last. ALTER SYSTEM SET track_commit_timestamp = on and a restart record it for later commits")
	}
	reportTables(f, login.Role, found.Tables)
	reportCollations(f, found.Collations)
	if !found.Standby { // a standby runs no subscription
		reportSubscriptions(f, found.Subscriptions)
	}
}

// reportTables reports how many tables can be compared, and which cannot.
func reportTables(f *findings, role string, tables []table.Usability) {
	var usable int
	var unreadable, hidden, keyless []table.Usability
	tables = slices.DeleteFunc(slices.Clone(tables), func(t table.Usability) bool { return t.Partition || t.Extension })
	for _, t := range tables {
		if !t.Readable {
			unreadable = append(unreadable, t)
		}
		if t.Readable && t.Hidden {
			hidden = append(hidden, t)
		}
		if !t.HasKey {
			keyless = append(keyless, t)
		}
		if t.Readable && !t.Hidden && t.HasKey {
			usable++
		}
	}

	switch {
	case len(tables) == 0:
		f.warn("check the name of the database in the definition", "the database has no table")
	case usable == 0:
		f.warn("", "none of %s can be compared", numbered(len(tables), "table"))
	default:
		f.ok("%d of %s can be compared", usable, numbered(len(tables), "table"))
	}
	if len(unreadable) > 0 {
		f.warn(grants(role, unreadable), "the role may not read %s: %s", numbered(len(unreadable), "table"), firstNames(unreadable))
	}
	if len(hidden) > 0 {
		f.warn(fmt.Sprintf("run ALTER ROLE %s BYPASSRLS, or use a role that owns the tables", table.Quote(role)),
			"row security hides rows from the role in %s: %s", numbered(len(hidden), "table"), firstNames(hidden))
	}
	if len(keyless) > 0 {
		f.warn("add a primary key, or a unique index on NOT NULL columns",
			"%s without a key cannot be compared: %s", numbered(len(keyless), "table"), firstNames(keyless))
	}
}

// grants returns the SQL statements that grant a role the privileges to read the tables.
func grants(role string, tables []table.Usability) string {
	if len(tables) <= maxNames {
		var statements []string
		for _, t := range tables {
			statements = append(statements, fmt.Sprintf("GRANT USAGE ON SCHEMA %[1]s TO %[3]s; GRANT SELECT ON TABLE %[1]s.%[2]s TO %[3]s;",
				table.Quote(t.Schema), table.Quote(t.Name), table.Quote(role)))
		}
		return strings.Join(statements, "\n")
	}

	var schemas []string
	for _, t := range tables {
		if name := table.Quote(t.Schema); !slices.Contains(schemas, name) {
			schemas = append(schemas, name)
		}
	}
	more := ""
	if len(schemas) > maxNames {
		more = fmt.Sprintf("\nand so on for %s", numbered(len(schemas)-maxNames, "further schema"))
		schemas = schemas[:maxNames]
	}
	in := strings.Join(schemas, ", ")
	return fmt.Sprintf("GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT SELECT ON ALL TABLES IN SCHEMA %[1]s TO %[2]s;%[3]s", in, table.Quote(role), more)
}

// firstNames returns the names of the first maxNames tables and the number of the others,
// such as "public.a, public.b, public.c and 5 more".
func firstNames(tables []table.Usability) string {
	var names []string
	for _, t := range tables[:min(len(tables), maxNames)] {
		names = append(names, api.TableName{Schema: t.Schema, Name: t.Name}.String())
	}
	return withRest(names, len(tables))
}

// withRest joins names with commas. all is the number of all names, of which names has
// only the first. withRest appends the number of the others, such as "a, b and 5 more".
func withRest(names []string, all int) string {
	text := strings.Join(names, ", ")
	if rest := all - len(names); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// reportCollations warns of collations whose version is no longer the one that the server
// has recorded.
func reportCollations(f *findings, stale []table.StaleCollation) {
	for _, c := range stale {
		name, rebuild, refresh := "collation "+c.Name, "REINDEX INDEX CONCURRENTLY for each of them", "ALTER COLLATION "+c.Name+" REFRESH VERSION"
		if c.Name == "" {
			name = "the default collation of the database"
			rebuild, refresh = "REINDEX DATABASE CONCURRENTLY "+c.Database, "ALTER DATABASE "+c.Database+" REFRESH COLLATION VERSION"
		}
		uses := "no index uses it"
		if c.Indexes > 0 {
			uses = fmt.Sprintf("%s may be out of order: %s", numbered(c.Indexes, "index"), withRest(c.First, c.Indexes))
		}
		f.warn(fmt.Sprintf("run %s, then %s", rebuild, refresh), "%s was version %s and is version %s now; %s", name, c.Recorded, c.Actual, uses)
	}
}

// reportSubscriptions reports whether each subscription runs. It warns of subscriptions
// that do not receive changes, and of those that have failed before.
func reportSubscriptions(f *findings, subscriptions []table.Subscription) {
	for _, s := range subscriptions {
		const readLog = "the reason is in the server's log"
		switch {
		case !s.Enabled:
			f.warn("correct the reason, then run ALTER SUBSCRIPTION "+table.Quote(s.Name)+" ENABLE",
				"subscription %q is disabled: changes of its publisher do not arrive", s.Name)
		case s.Errors > 0 && !s.Running:
			f.warn(readLog, "subscription %q fails (%s): changes of its publisher do not arrive", s.Name, numbered(int(s.Errors), "error"))
		case !s.Running:
			f.warn(readLog, "subscription %q has no worker: changes of its publisher do not arrive", s.Name)
		case s.Errors > 0:
			f.warn("find the reason in the server's log. If it has passed, pg_stat_reset_subscription_stats sets the counter to 0",
				"subscription %q runs, but has failed before (%s)", s.Name, numbered(int(s.Errors), "error"))
		default:
			f.ok("subscription %q runs", s.Name)
		}
	}
}
