package ddl

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// Definition is an object with the objects that are created together with it: the columns
// of a table, its constraints and indexes, and the sequences that its columns own.
type Definition struct {
	catalog.Object
	Parts                 []catalog.Object
	WithOwner, WithGrants bool // whether Create also sets the owner and the privileges
}

// parts returns the parts of the kinds, in the order of kinds.
func (d Definition) parts(kinds ...catalog.Kind) []catalog.Object {
	var found []catalog.Object
	for _, kind := range kinds {
		for _, part := range d.Parts {
			if part.Kind == kind {
				found = append(found, part)
			}
		}
	}
	return found
}

// Script joins statements, each on a new line. If the first statement drops an object
// that the others create again, Script writes BEGIN and COMMIT around them. So the object
// still exists if it cannot be created again.
func Script(statements []string) string {
	drops := func(statement string) bool {
		return strings.HasPrefix(statement, "DROP ") || strings.HasPrefix(statement, "ALTER DOMAIN ") && strings.Contains(statement, " DROP CONSTRAINT ")
	}
	if len(statements) > 1 && drops(statements[0]) {
		statements = slices.Concat([]string{"BEGIN"}, statements, []string{"COMMIT"})
	}
	return strings.Join(statements, ";\n") + ";"
}

// name returns a qualified name in quotes, such as "s"."t". It leaves out empty parts.
func name(parts ...string) string {
	var quoted []string
	for _, part := range parts {
		if part != "" {
			quoted = append(quoted, table.Quote(part))
		}
	}
	return strings.Join(quoted, ".")
}

// role returns a role as GRANT names it; the empty name is PUBLIC.
func role(name string) string {
	if name == "" {
		return "PUBLIC"
	}
	return table.Quote(name)
}

// typeOf returns the words with which SQL names a kind, such as MATERIALIZED VIEW.
func typeOf(o catalog.Object) string {
	switch o.Kind {
	case catalog.Enum, catalog.Composite, catalog.Range:
		return "TYPE"
	case catalog.Function:
		if o.Get(catalog.Procedure) == "true" {
			return "PROCEDURE"
		}
	case catalog.PrimaryKey, catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.ForeignKey, catalog.DomainConstraint:
		return "CONSTRAINT"
	}
	return strings.ToUpper(string(o.Kind))
}

// target returns the kind and the name of an object as COMMENT ON writes them, such as
// COLUMN "s"."t"."c".
func target(o catalog.Object) string {
	switch o.Kind {
	case catalog.Function, catalog.Aggregate:
		plain, arguments, _ := strings.Cut(o.Name, "(")
		return typeOf(o) + " " + name(o.Schema, plain) + "(" + arguments
	case catalog.Column:
		return "COLUMN " + name(o.Schema, o.Relation, o.Name)
	case catalog.Index:
		return "INDEX " + name(o.Schema, o.Name)
	case catalog.PrimaryKey:
		return "CONSTRAINT " + name(o.Get(catalog.ObjectName)) + " ON " + name(o.Schema, o.Relation)
	case catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.ForeignKey, catalog.Trigger, catalog.Rule, catalog.Policy:
		return typeOf(o) + " " + name(o.Name) + " ON " + name(o.Schema, o.Relation)
	case catalog.DomainConstraint:
		return "CONSTRAINT " + name(o.Name) + " ON DOMAIN " + name(o.Schema, o.Relation)
	case catalog.Schema:
		return "SCHEMA " + name(o.Schema)
	}
	return typeOf(o) + " " + name(o.Schema, o.Name)
}

// alterTable returns the beginning of a statement that changes the table or domain to
// which o belongs, such as ALTER TABLE "s"."t".
func alterTable(o catalog.Object) string {
	if o.Kind == catalog.DomainConstraint {
		return "ALTER DOMAIN " + name(o.Schema, o.Relation)
	}
	return "ALTER TABLE " + name(o.Schema, o.Relation)
}

// Rename returns the statements that rename a constraint, an index or a sequence.
func Rename(o catalog.Object, to string) []string {
	if o.Kind == catalog.Index || o.Kind == catalog.Sequence {
		return []string{fmt.Sprintf("ALTER %s RENAME TO %s", target(o), name(to))}
	}
	from := o.Name
	if o.Kind == catalog.PrimaryKey {
		from = o.Get(catalog.ObjectName)
	}
	return []string{fmt.Sprintf("%s RENAME CONSTRAINT %s TO %s", alterTable(o), name(from), name(to))}
}

// SetValue returns the statement after which a sequence returns only values after value.
// The statement never sets the sequence back, even if the sequence has advanced since the
// value was read.
func SetValue(id catalog.ID, value int64, descending bool) []string {
	further := "GREATEST"
	if descending {
		further = "LEAST"
	}
	sequence := name(id.Schema, id.Name)
	return []string{fmt.Sprintf("SELECT pg_catalog.setval(%s, %s(%d, last_value), true) FROM %s", table.Literal(sequence), further, value, sequence)}
}
