package ddl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ace/shared/structure/catalog"
)

// createTable returns the statements that create a table with everything that belongs to
// it. Foreign keys are last, because the tables that they reference may not exist yet.
func createTable(d Definition) []string {
	var statements []string
	for _, sequence := range d.parts(catalog.Sequence) {
		statements = append(statements, createSequence(sequence)...)
	}
	statements = append(statements, tableSQL(d))
	for _, sequence := range d.parts(catalog.Sequence) {
		if sequence.Get(catalog.Internal) != "true" {
			statements = append(statements, ownedBy(sequence, sequence.List(catalog.OwnedBy)))
		}
	}

	for _, column := range d.columns() {
		statements = append(statements, columnDetails(column, d.WithGrants)...)
	}
	for _, part := range d.parts(catalog.PrimaryKey, catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.Index, catalog.Trigger, catalog.Rule, catalog.Policy) {
		if part.Kind == catalog.Check && len(d.Names(catalog.Parents)) == 0 && part.Get(catalog.Validated) == "true" {
			statements = append(statements, Definition{Object: part}.extras()...) // tableSQL has written the check itself
			continue
		}
		statements = append(statements, Create(Definition{Object: part})...)
	}
	for _, property := range []catalog.Property{catalog.RowSecurity, catalog.ReplicaIdentity} {
		statements = append(statements, alterRelation(catalog.Object{ID: d.ID, Properties: map[catalog.Property]string{
			catalog.RowSecurity: "disabled", catalog.ReplicaIdentity: "default",
		}}, d.Object, property)...)
	}
	for _, part := range d.parts(catalog.ForeignKey) {
		statements = append(statements, Create(Definition{Object: part})...)
	}
	return statements
}

// columns returns the columns that the table does not merely inherit from a parent, in
// the order of their positions.
func (d Definition) columns() []catalog.Object {
	columns := slices.DeleteFunc(d.parts(catalog.Column), func(o catalog.Object) bool { return o.Get(catalog.Inherited) == "true" })
	slices.SortFunc(columns, func(a, b catalog.Object) int { return cmp.Compare(position(a), position(b)) })
	return columns
}

func position(o catalog.Object) int {
	n, err := strconv.Atoi(o.Get(catalog.Position))
	if err != nil {
		return 0
	}
	return n
}

// tableSQL returns the CREATE TABLE statement.
func tableSQL(d Definition) string {
	sql := "CREATE "
	if d.Get(catalog.Persistence) == "unlogged" {
		sql += "UNLOGGED "
	}
	sql += "TABLE " + name(d.Schema, d.Name)

	parents := d.Names(catalog.Parents)
	if bounds := d.Get(catalog.Bounds); bounds != "" && len(parents) > 0 {
		sql += " PARTITION OF " + name(parents[0]...) + " " + bounds
	} else {
		sql += " (" + strings.Join(d.elements(), ", ") + ")" + inherits(parents)
	}

	if key := d.Get(catalog.PartitionKey); key != "" {
		sql += " PARTITION BY " + key
	}
	if method := d.Get(catalog.AccessMethod); method != "" && method != "heap" {
		sql += " USING " + name(method)
	}
	return sql + with(d.List(catalog.Options))
}

func inherits(parents [][]string) string {
	if len(parents) == 0 {
		return ""
	}
	var list []string
	for _, parent := range parents {
		list = append(list, name(parent...))
	}
	return " INHERITS (" + strings.Join(list, ", ") + ")"
}

// elements returns the elements of CREATE TABLE: the definitions of the columns and, if
// the table has no parent, of its validated check constraints. createTable adds all
// other constraints by statements of their own.
func (d Definition) elements() []string {
	var list []string
	for _, column := range d.columns() {
		list = append(list, columnSQL(column, d.identitySequence(column)))
	}
	if len(d.Names(catalog.Parents)) == 0 {
		for _, check := range d.parts(catalog.Check) {
			if check.Get(catalog.Validated) == "true" {
				list = append(list, constraint(check))
			}
		}
	}
	return list
}

// identitySequence returns the sequence of an identity column, or nil if it is unknown.
func (d Definition) identitySequence(column catalog.Object) *catalog.Object {
	for _, sequence := range d.parts(catalog.Sequence) {
		owner := sequence.List(catalog.OwnedBy)
		if sequence.Get(catalog.Internal) == "true" && len(owner) == 3 && owner[2] == column.Name {
			return &sequence
		}
	}
	return nil
}

// columnSQL returns the definition of a column.
func columnSQL(o catalog.Object, identity *catalog.Object) string {
	sql := name(o.Name) + " " + o.Get(catalog.Type)
	if method := o.Get(catalog.Compression); method != "" {
		sql += " COMPRESSION " + method
	}
	sql += collate(o)
	if o.Get(catalog.NotNull) == "true" {
		sql += " NOT NULL"
	}
	switch {
	case o.Get(catalog.Generated) != "":
		sql += " GENERATED ALWAYS AS " + o.Get(catalog.Generated)
	case o.Get(catalog.Identity) != "":
		sql += identityClause(o, identity)
	case o.Get(catalog.Default) != "":
		sql += " DEFAULT " + o.Get(catalog.Default)
	}
	return sql
}

func identityClause(o catalog.Object, sequence *catalog.Object) string {
	sql := " GENERATED " + o.Get(catalog.Identity) + " AS IDENTITY"
	if sequence == nil {
		return sql
	}
	return sql + " (SEQUENCE NAME " + name(sequence.Schema, sequence.Name) + " " + sequenceOptions(*sequence) + ")"
}

// createColumn returns the statements that add a column to a table and create the
// sequences that the column owns.
func createColumn(d Definition) []string {
	var statements []string
	for _, sequence := range d.parts(catalog.Sequence) {
		statements = append(statements, createSequence(sequence)...)
	}
	statements = append(statements, alterTable(d.Object)+" ADD COLUMN "+columnSQL(d.Object, d.identitySequence(d.Object)))
	for _, sequence := range d.parts(catalog.Sequence) {
		if sequence.Get(catalog.Internal) != "true" {
			statements = append(statements, ownedBy(sequence, sequence.List(catalog.OwnedBy)))
		}
	}
	details := d.Object
	details.Properties = mapWithout(d.Properties, catalog.Comment)
	return append(statements, columnDetails(details, false)...)
}

func mapWithout(properties map[catalog.Property]string, property catalog.Property) map[catalog.Property]string {
	rest := map[catalog.Property]string{}
	for key, value := range properties {
		if key != property {
			rest[key] = value
		}
	}
	return rest
}

// columnDetails returns the statements that set the properties which CREATE TABLE cannot
// set in every version: statistics target, storage, options, comment and privileges.
func columnDetails(o catalog.Object, withGrants bool) []string {
	var statements []string
	if o.Get(catalog.Target) != "-1" && o.Get(catalog.Target) != "" {
		statements = append(statements, alterColumn(o)+" SET STATISTICS "+o.Get(catalog.Target))
	}
	if storage := o.Get(catalog.Storage); storage == "EXTERNAL" || storage == "MAIN" && o.Get(catalog.Type) == "text" {
		statements = append(statements, alterColumn(o)+" SET STORAGE "+storage)
	}
	if options := o.List(catalog.Options); len(options) > 0 {
		statements = append(statements, alterColumn(o)+" SET"+strings.TrimPrefix(with(options), " WITH"))
	}
	if o.Get(catalog.Comment) != "" {
		statements = append(statements, comment(o))
	}
	if withGrants {
		statements = append(statements, grants(o, "{}", o.Get(catalog.Grants))...)
	}
	return statements
}

func alterColumn(o catalog.Object) string {
	return fmt.Sprintf("%s ALTER COLUMN %s", alterTable(o), name(o.Name))
}
