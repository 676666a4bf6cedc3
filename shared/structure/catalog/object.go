package catalog

import (
	"cmp"
	"encoding/json"
	"strings"

	"ace/shared/table"
)

// Kind is a kind of object. Documents contain its text, so the text must not change.
type Kind string

// The kinds of objects that Read returns.
const (
	Database         Kind = "database"
	Schema           Kind = "schema"
	Extension        Kind = "extension"
	CollationVersion Kind = "collation version" // the recorded and the actual version of a collation that columns use
	Collation        Kind = "collation"
	Enum             Kind = "enum"
	Composite        Kind = "composite type"
	Range            Kind = "range type"
	Domain           Kind = "domain"
	DomainConstraint Kind = "domain constraint"
	Function         Kind = "function" // also procedures and window functions
	Aggregate        Kind = "aggregate"
	Sequence         Kind = "sequence"
	Table            Kind = "table" // also partitioned tables and partitions
	ForeignTable     Kind = "foreign table"
	Column           Kind = "column"
	PrimaryKey       Kind = "primary key"
	UniqueKey        Kind = "unique key"
	Check            Kind = "check"
	Exclusion        Kind = "exclusion"
	ForeignKey       Kind = "foreign key"
	Index            Kind = "index"
	Statistics       Kind = "statistics"
	Trigger          Kind = "trigger"
	Rule             Kind = "rule"
	Policy           Kind = "policy"
	View             Kind = "view"
	MaterializedView Kind = "materialized view"
	Publication      Kind = "publication"
	PublicationTable Kind = "publication table" // a table of a publication that does not publish all tables
	EventTrigger     Kind = "event trigger"
)

// ID identifies an object within a database.
type ID struct {
	Kind     Kind
	Schema   string // empty for an object that is in no schema, such as an extension
	Relation string // the table, view or domain to which the object belongs, or empty
	Name     string // empty for the database, a schema and the primary key of a table
}

// Compare orders identities by schema, relation, kind and name.
func (id ID) Compare(other ID) int {
	return cmp.Or(strings.Compare(id.Schema, other.Schema), strings.Compare(id.Relation, other.Relation),
		strings.Compare(string(id.Kind), string(other.Kind)), strings.Compare(id.Name, other.Name))
}

// String returns the qualified name for messages, quoted only where SQL requires it. It
// returns "database" for the database, whose name may differ between nodes.
func (id ID) String() string {
	if id.Kind == Database {
		return "database"
	}

	var parts []string
	for _, part := range []string{id.Schema, id.Relation} {
		if part != "" {
			parts = append(parts, table.Display(part))
		}
	}
	switch {
	case id.Kind == Function || id.Kind == Aggregate: // The name contains the types of the arguments.
		name, arguments, _ := strings.Cut(id.Name, "(")
		parts = append(parts, table.Display(name)+"("+arguments)
	case id.Name != "":
		parts = append(parts, table.Display(id.Name))
	}
	return strings.Join(parts, ".")
}

// Object is an object with its properties. The value of a property is a text from the
// system catalogs of the node. A property that is a list is a JSON array.
type Object struct {
	ID
	Properties map[Property]string
}

// Get returns a property, or "" if the object does not have it.
func (o Object) Get(p Property) string { return o.Properties[p] }

// List returns a property that is a list of texts, or nil if the object does not have the
// property.
func (o Object) List(p Property) []string {
	var list []string
	if json.Unmarshal([]byte(o.Properties[p]), &list) != nil {
		return nil
	}
	return list
}

// Names returns a property that is a list of lists of texts, or nil if the object does
// not have the property. Each item is a qualified name (schema and name) or, in
// Members, the name and the type of an attribute.
func (o Object) Names(p Property) [][]string {
	var list [][]string
	if json.Unmarshal([]byte(o.Properties[p]), &list) != nil {
		return nil
	}
	return list
}

// Catalog is the structure of one database on one node.
type Catalog struct {
	Version   int // the setting server_version_num of the server, such as 150018
	Objects   []Object
	Sequences []SequenceState
}
