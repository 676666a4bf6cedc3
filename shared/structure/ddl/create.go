package ddl

import (
	"fmt"
	"strings"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// Create returns the statements that create an object with its parts, its comment and, if
// WithOwner or WithGrants is set, its owner or privileges. It returns nil for a kind of
// object that it cannot create.
func Create(d Definition) []string {
	statements := create(d)
	if len(statements) == 0 {
		return nil
	}
	return append(statements, d.extras()...)
}

// create returns the statements of Create, without those that set the comment, the owner
// and the privileges of the object itself (see extras).
func create(d Definition) []string {
	switch d.Kind {
	case catalog.Schema:
		return []string{"CREATE SCHEMA " + name(d.Schema)}
	case catalog.Extension:
		return []string{fmt.Sprintf("CREATE EXTENSION %s WITH SCHEMA %s", name(d.Name), name(d.Get(catalog.InSchema)))}
	case catalog.Enum:
		return []string{fmt.Sprintf("CREATE TYPE %s AS ENUM (%s)", name(d.Schema, d.Name), literals(d.List(catalog.Labels)))}
	case catalog.Composite:
		return []string{fmt.Sprintf("CREATE TYPE %s AS (%s)", name(d.Schema, d.Name), members(d.Object))}
	case catalog.Domain:
		return createDomain(d)
	case catalog.Sequence:
		return createSequence(d.Object)
	case catalog.Table:
		return createTable(d)
	case catalog.Column:
		return createColumn(d)
	case catalog.Function, catalog.Statistics:
		return []string{strings.TrimSpace(d.Get(catalog.Definition))}
	case catalog.Trigger, catalog.Rule:
		return createFiring(d.Object)
	case catalog.View:
		return []string{fmt.Sprintf("CREATE VIEW %s%s AS %s", name(d.Schema, d.Name), with(d.List(catalog.Options)), query(d.Object))}
	case catalog.MaterializedView:
		return createMaterializedView(d)
	case catalog.PrimaryKey, catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.ForeignKey, catalog.DomainConstraint:
		return createConstraint(d.Object)
	case catalog.Index:
		return createIndex(d.Object)
	case catalog.Policy:
		return []string{createPolicy(d.Object)}
	}
	return nil
}

// extras returns the statements that set the comment, the owner and the privileges of an
// object. There is no statement for the owner of a sequence that a column owns, because
// the owner of the table always owns the sequence, too.
func (d Definition) extras() []string {
	var statements []string
	if d.Get(catalog.Comment) != "" {
		statements = append(statements, comment(d.Object))
	}
	if d.WithOwner && d.Get(catalog.Owner) != "" && (d.Kind != catalog.Sequence || len(d.List(catalog.OwnedBy)) == 0) {
		statements = append(statements, owner(d.Object, d.Get(catalog.Owner)))
	}
	if d.WithGrants {
		statements = append(statements, grants(d.Object, defaultGrants(d.Kind), d.Get(catalog.Grants))...)
	}
	return statements
}

func literals(list []string) string {
	quoted := make([]string, len(list))
	for i, one := range list {
		quoted[i] = table.Literal(one)
	}
	return strings.Join(quoted, ", ")
}

func members(o catalog.Object) string {
	var parts []string
	for _, member := range o.Names(catalog.Members) {
		parts = append(parts, name(member[0])+" "+member[1])
	}
	return strings.Join(parts, ", ")
}

// collate returns the COLLATE clause of a column or domain, or "" if its collation is the
// default of its type.
func collate(o catalog.Object) string {
	if collation := o.List(catalog.CollationName); len(collation) > 0 {
		return " COLLATE " + name(collation...)
	}
	return ""
}

// with returns the WITH clause for storage parameters, or "" if there are none.
func with(options []string) string {
	var parts []string
	for _, option := range options {
		parts = append(parts, parameter(option))
	}
	if len(parts) == 0 {
		return ""
	}
	return " WITH (" + strings.Join(parts, ", ") + ")"
}

// parameter converts a storage parameter from the form in the catalog (fillfactor=80) to
// that in a statement (fillfactor = '80').
func parameter(option string) string {
	key, value, _ := strings.Cut(option, "=")
	return key + " = " + table.Literal(value)
}

// query returns the query of a view without the final semicolon.
func query(o catalog.Object) string {
	return strings.TrimSuffix(strings.TrimSpace(o.Get(catalog.Definition)), ";")
}

func createDomain(d Definition) []string {
	sql := fmt.Sprintf("CREATE DOMAIN %s AS %s%s", name(d.Schema, d.Name), d.Get(catalog.Type), collate(d.Object))
	if d.Get(catalog.Default) != "" {
		sql += " DEFAULT " + d.Get(catalog.Default)
	}
	if d.Get(catalog.NotNull) == "true" {
		sql += " NOT NULL"
	}
	statements := []string{sql}
	for _, part := range d.parts(catalog.DomainConstraint) {
		statements = append(statements, Create(Definition{Object: part})...)
	}
	return statements
}

// createSequence returns the statement that creates a sequence. It returns nil for the
// sequence of an identity column, because the sequence is created with the column.
func createSequence(o catalog.Object) []string {
	if o.Get(catalog.Internal) == "true" {
		return nil
	}
	unlogged := ""
	if o.Get(catalog.Persistence) == "unlogged" {
		unlogged = "UNLOGGED "
	}
	return []string{fmt.Sprintf("CREATE %sSEQUENCE %s AS %s %s", unlogged, name(o.Schema, o.Name), o.Get(catalog.Type), sequenceOptions(o))}
}

func sequenceOptions(o catalog.Object) string {
	cycle := "NO CYCLE"
	if o.Get(catalog.Cycle) == "true" {
		cycle = "CYCLE"
	}
	return fmt.Sprintf("START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s %s", o.Get(catalog.Start), o.Get(catalog.Increment),
		o.Get(catalog.Minimum), o.Get(catalog.Maximum), o.Get(catalog.Cache), cycle)
}

// ownedBy returns the statement that makes a column the owner of a sequence. An empty
// list means that no column owns it.
func ownedBy(o catalog.Object, column []string) string {
	if len(column) == 0 {
		return "ALTER SEQUENCE " + name(o.Schema, o.Name) + " OWNED BY NONE"
	}
	return "ALTER SEQUENCE " + name(o.Schema, o.Name) + " OWNED BY " + name(column...)
}

func createMaterializedView(d Definition) []string {
	statements := []string{fmt.Sprintf("CREATE MATERIALIZED VIEW %s%s AS %s", name(d.Schema, d.Name), with(d.List(catalog.Options)), query(d.Object))}
	if d.Get(catalog.Populated) == "false" {
		statements[0] += " WITH NO DATA"
	}
	for _, part := range d.parts(catalog.Index) {
		statements = append(statements, Create(Definition{Object: part})...)
	}
	return statements
}

// constraint returns the constraint as CREATE TABLE and ALTER TABLE ... ADD write it.
func constraint(o catalog.Object) string {
	own := o.Name
	if o.Kind == catalog.PrimaryKey {
		own = o.Get(catalog.ObjectName)
	}
	sql := "CONSTRAINT " + name(own) + " " + o.Get(catalog.Definition)
	switch o.Get(catalog.Deferrable) {
	case "true":
		sql += " DEFERRABLE"
	case "initially deferred":
		sql += " DEFERRABLE INITIALLY DEFERRED"
	}
	switch {
	case o.Get(catalog.Enforced) == "false":
		sql += " NOT ENFORCED"
	case o.Get(catalog.Validated) == "false":
		sql += " NOT VALID"
	}
	return sql
}

func createConstraint(o catalog.Object) []string {
	statements := []string{alterTable(o) + " ADD " + constraint(o)}
	if o.Get(catalog.Clustered) == "true" {
		statements = append(statements, cluster(o, true)...)
	}
	return statements
}

func createIndex(o catalog.Object) []string {
	unique := ""
	if o.Get(catalog.Unique) == "true" {
		unique = "UNIQUE "
	}
	statements := []string{fmt.Sprintf("CREATE %sINDEX %s ON %s %s", unique, name(o.Name), name(o.Schema, o.Relation), o.Get(catalog.Definition))}
	if o.Get(catalog.Clustered) == "true" {
		statements = append(statements, cluster(o, true)...)
	}
	return statements
}

// createFiring returns the statements that create a trigger or a rule, and set when it
// fires.
func createFiring(o catalog.Object) []string {
	statements := []string{strings.TrimSuffix(strings.TrimSpace(o.Get(catalog.Definition)), ";")}
	if o.Get(catalog.Enabled) != "O" {
		statements = append(statements, enable(o, o.Get(catalog.Enabled)))
	}
	return statements
}

// enable returns the statement that sets when a trigger or a rule fires. state is a value
// of pg_trigger.tgenabled: O (enabled), D (disabled), R (replica) or A (always).
func enable(o catalog.Object, state string) string {
	verb := map[string]string{"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}[state]
	if o.Kind == catalog.EventTrigger {
		return "ALTER EVENT TRIGGER " + name(o.Name) + " " + verb
	}
	return fmt.Sprintf("%s %s %s %s", alterTable(o), verb, typeOf(o), name(o.Name))
}

func createPolicy(o catalog.Object) string {
	as := "PERMISSIVE"
	if o.Get(catalog.Permissive) == "false" {
		as = "RESTRICTIVE"
	}
	return fmt.Sprintf("CREATE POLICY %s ON %s AS %s FOR %s%s", name(o.Name), name(o.Schema, o.Relation), as, o.Get(catalog.Command), policyClauses(o))
}

func policyClauses(o catalog.Object) string {
	var roles []string
	for _, one := range o.List(catalog.Roles) {
		roles = append(roles, role(one))
	}
	sql := " TO " + strings.Join(roles, ", ")
	if using := o.Get(catalog.Using); using != "" {
		sql += " USING (" + using + ")"
	}
	if check := o.Get(catalog.WithCheck); check != "" {
		sql += " WITH CHECK (" + check + ")"
	}
	return sql
}
