package table

import (
	"fmt"
	"slices"
	"strings"
)

// Grants describes the privileges that a role lacks on a table and on the objects that
// the table depends on. The zero value means that the role lacks none.
type Grants struct {
	Role  string
	Table string // as Name returns it
	// Schemas are the schemas on which the role lacks USAGE.
	Schemas    []string
	Privileges []Privilege
	// Statements are the SQL statements that grant everything else that is missing, such as
	// EXECUTE on a function.
	Statements []string
}

// Privilege is a privilege that is missing on some columns of a table, or on the whole
// table if Columns is empty.
type Privilege struct {
	Name    string // SELECT, INSERT, UPDATE or DELETE
	Columns []string
}

// maxGrantColumns is the maximum number of columns that a GRANT names. For more columns,
// the GRANT names the whole table, because a message with many names is hard to read.
const maxGrantColumns = 40

// Need adds a privilege that the role lacks on the given columns. It does nothing if
// there are no columns. has means that the role has the privilege on other columns of the
// table. If has is false, or if there are more than maxGrantColumns columns, the GRANT
// names the whole table instead of the columns.
func (g *Grants) Need(name string, columns []string, has bool) {
	if len(columns) == 0 {
		return
	}
	if !has || len(columns) > maxGrantColumns {
		columns = nil
	}
	g.Privileges = append(g.Privileges, Privilege{Name: name, Columns: columns})
}

// NeedTable adds a privilege on the whole table.
func (g *Grants) NeedTable(name string) {
	g.Privileges = append(g.Privileges, Privilege{Name: name})
}

// Add adds the missing privileges of o to g. It ignores a privilege of o if g has one
// with the same name, such as SELECT, even for other columns. g and o must be about the
// same role and table.
func (g *Grants) Add(o Grants) {
	if g.Role == "" {
		g.Role, g.Table = o.Role, o.Table
	}
	for _, p := range o.Privileges {
		if !slices.ContainsFunc(g.Privileges, func(q Privilege) bool { return q.Name == p.Name }) {
			g.Privileges = append(g.Privileges, p)
		}
	}
	g.Schemas = union(g.Schemas, o.Schemas)
	g.Statements = union(g.Statements, o.Statements)
}

func union(list, more []string) []string {
	list = slices.Clone(list)
	for _, name := range more {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// Without returns a copy of g in which no privilege is missing on the given columns. A
// privilege that is missing on the whole table remains.
func (g Grants) Without(columns []string) Grants {
	g.Privileges = slices.Clone(g.Privileges)
	g.Privileges = slices.DeleteFunc(g.Privileges, func(p Privilege) bool {
		return len(p.Columns) > 0 && !slices.ContainsFunc(p.Columns, func(name string) bool { return !slices.Contains(columns, name) })
	})
	for i, p := range g.Privileges {
		g.Privileges[i].Columns = slices.DeleteFunc(slices.Clone(p.Columns), func(name string) bool { return slices.Contains(columns, name) })
	}
	return g
}

// IsZero reports whether nothing is missing.
func (g Grants) IsZero() bool { return len(g.Schemas)+len(g.Privileges)+len(g.Statements) == 0 }

// SQL returns the statements that grant everything that is missing, without semicolons.
func (g Grants) SQL() []string {
	var all []string
	if len(g.Schemas) > 0 {
		all = append(all, "GRANT USAGE ON SCHEMA "+strings.Join(quoteAll(g.Schemas), ", ")+" TO "+Quote(g.Role))
	}

	if len(g.Privileges) > 0 {
		list := make([]string, len(g.Privileges))
		for i, p := range g.Privileges {
			list[i] = p.Name
			if len(p.Columns) > 0 {
				list[i] += " (" + strings.Join(quoteAll(p.Columns), ", ") + ")"
			}
		}
		all = append(all, "GRANT "+strings.Join(list, ", ")+" ON "+g.Table+" TO "+Quote(g.Role))
	}

	return append(all, g.Statements...)
}

// GrantReplicaRole returns the statement that grants a role the privilege to set
// session_replication_role. Servers before PostgreSQL 15 have no such privilege. For such
// a server it returns an SQL comment with what to do instead.
func GrantReplicaRole(serverVersion int, role string) string {
	if serverVersion >= 150000 {
		return "GRANT SET ON PARAMETER session_replication_role TO " + Quote(role)
	}
	return "-- only a superuser may set session_replication_role before PostgreSQL 15: connect as one, or repair with fire_triggers=true"
}

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Quote(name)
	}
	return quoted
}

// Denied holds the statements that grant what a role lacks on one node.
type Denied struct {
	Node   string   `json:"node"`
	Role   string   `json:"role"`
	Grants []string `json:"grants"` // the statements, without semicolons
}

// DeniedError is the error of a role that may not read a table. It is the cause of a
// fault.
type DeniedError struct {
	Node    string
	Missing Grants
}

// Error returns the node and the statements that grant what is missing.
func (e *DeniedError) Error() string {
	return DeniedText("reading the table", []Denied{e.Denied()})
}

// Denied returns the node, the role and the statements that grant what is missing.
func (e *DeniedError) Denied() Denied {
	return Denied{Node: e.Node, Role: e.Missing.Role, Grants: e.Missing.SQL()}
}

// DeniedText returns a message with the statements to run on each of the nodes. Nodes
// with the same role and statements are named together. purpose is what the privileges
// are needed for, such as "reading the table".
func DeniedText(purpose string, nodes []Denied) string {
	var texts []string
	for i, d := range nodes {
		same := func(o Denied) bool { return o.Role == d.Role && slices.Equal(o.Grants, d.Grants) }
		if slices.ContainsFunc(nodes[:i], same) {
			continue
		}
		var names []string
		for _, o := range nodes[i:] {
			if same(o) {
				names = append(names, fmt.Sprintf("%q", o.Node))
			}
		}
		noun := "node "
		if len(names) > 1 {
			noun = "nodes "
		}
		texts = append(texts, fmt.Sprintf("%s%s: role %q lacks privileges for %s; run there: %s",
			noun, strings.Join(names, ", "), d.Role, purpose, strings.Join(d.Grants, "; ")))
	}
	return strings.Join(texts, ". ")
}
