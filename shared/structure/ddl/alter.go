package ddl

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// Alter returns the statements that change a property of have to the value that want has.
// It returns nil if no statement is safe.
func Alter(have catalog.Object, want Definition, property catalog.Property) []string {
	switch property {
	case catalog.Owner:
		return []string{owner(have, want.Get(property))}
	case catalog.Grants:
		return grants(have, have.Get(property), want.Get(property))
	case catalog.Comment:
		return []string{comment(withComment(have, want.Get(property)))}
	}

	switch have.Kind {
	case catalog.Column:
		return alterColumnProperty(have, want, property)
	case catalog.Table:
		return alterRelation(have, want.Object, property)
	case catalog.Sequence:
		return alterSequence(have, want.Object, property)
	case catalog.PrimaryKey, catalog.UniqueKey, catalog.Check, catalog.Exclusion, catalog.ForeignKey, catalog.DomainConstraint:
		return alterConstraint(have, want.Object, property)
	case catalog.Index:
		return alterIndex(have, want.Object, property)
	case catalog.Trigger, catalog.Rule, catalog.EventTrigger:
		return alterFiring(have, want, property)
	case catalog.Policy:
		return alterPolicy(have, want, property)
	case catalog.Statistics:
		return recreate(have, want.Object)
	default:
		return alterTypeOrCode(have, want, property)
	}
}

// recreate returns the statements that drop the object have and create the object want,
// including its comment. They set the owner only if both objects have the same owner.
func recreate(have, want catalog.Object) []string {
	d := Definition{Object: want, WithOwner: have.Get(catalog.Owner) == want.Get(catalog.Owner)}
	return append([]string{"DROP " + target(have)}, Create(d)...)
}

func withComment(o catalog.Object, text string) catalog.Object {
	o.Properties = mapWithout(o.Properties, catalog.Comment)
	o.Properties[catalog.Comment] = text
	return o
}

// comment returns the statement that sets the comment of an object.
func comment(o catalog.Object) string {
	text := "NULL"
	if o.Get(catalog.Comment) != "" {
		text = table.Literal(o.Get(catalog.Comment))
	}
	return "COMMENT ON " + target(o) + " IS " + text
}

func alterColumnProperty(have catalog.Object, want Definition, property catalog.Property) []string {
	value := want.Get(property)
	switch property {
	case catalog.Type:
		if have.Get(catalog.Generated) != "" || !widensType(have.Get(property), value) {
			return nil
		}
		return []string{alterColumn(have) + " TYPE " + value + collate(want.Object)}
	case catalog.NotNull:
		return alterNotNull(have, value)
	case catalog.Default:
		if value == "" {
			return []string{alterColumn(have) + " DROP DEFAULT"}
		}
		return []string{alterColumn(have) + " SET DEFAULT " + value}
	case catalog.Identity:
		return alterIdentity(have, want)
	case catalog.Storage:
		return []string{alterColumn(have) + " SET STORAGE " + value}
	case catalog.Compression:
		if value == "" {
			value = "DEFAULT"
		}
		return []string{alterColumn(have) + " SET COMPRESSION " + value}
	case catalog.Target:
		return []string{alterColumn(have) + " SET STATISTICS " + value}
	case catalog.Options:
		return alterOptions(alterColumn(have), have.List(property), want.List(property))
	}
	return nil
}

func alterNotNull(have catalog.Object, value string) []string {
	switch {
	case value == "false":
		return []string{alterColumn(have) + " DROP NOT NULL"}
	case value == "true" && have.Get(catalog.NotNull) == "false":
		return []string{alterColumn(have) + " SET NOT NULL"}
	}
	return nil
}

func alterIdentity(have catalog.Object, want Definition) []string {
	value := want.Get(catalog.Identity)
	switch {
	case value == "":
		return []string{alterColumn(have) + " DROP IDENTITY"}
	case have.Get(catalog.Identity) == "":
		return []string{alterColumn(have) + " ADD" + identityClause(want.Object, want.identitySequence(want.Object))}
	}
	return []string{alterColumn(have) + " SET GENERATED " + value}
}

// alterOptions returns the statements that set and reset storage parameters. alter is the
// beginning of each statement, such as ALTER TABLE "s"."t".
func alterOptions(alter string, have, want []string) []string {
	var set, reset []string
	for _, option := range want {
		if !slices.Contains(have, option) {
			set = append(set, parameter(option))
		}
	}
	for _, option := range have {
		key, _, _ := strings.Cut(option, "=")
		if !slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, key+"=") }) {
			reset = append(reset, key)
		}
	}

	var statements []string
	if len(set) > 0 {
		statements = append(statements, alter+" SET ("+strings.Join(set, ", ")+")")
	}
	if len(reset) > 0 {
		statements = append(statements, alter+" RESET ("+strings.Join(reset, ", ")+")")
	}
	return statements
}

func alterRelation(have, want catalog.Object, property catalog.Property) []string {
	alter, value := "ALTER TABLE "+name(have.Schema, have.Name), want.Get(property)
	if value == have.Get(property) {
		return nil
	}
	switch property {
	case catalog.RowSecurity:
		return rowSecurity(alter, have.Get(property), value)
	case catalog.ReplicaIdentity:
		if index := want.Get(catalog.ReplicaIndex); index != "" {
			return []string{alter + " REPLICA IDENTITY USING INDEX " + name(index)}
		}
		return []string{alter + " REPLICA IDENTITY " + strings.ToUpper(value)}
	case catalog.Persistence:
		if value == "permanent" {
			return []string{alter + " SET LOGGED"}
		}
	case catalog.Options:
		return alterOptions(alter, have.List(property), want.List(property))
	case catalog.Parents:
		return alterParents(alter, have, want)
	}
	return nil
}

func rowSecurity(alter, have, want string) []string {
	enabled := func(state string) bool { return state == "enabled" || state == "forced" }
	forced := func(state string) bool { return state == "forced" || state == "disabled, but forced" }
	var statements []string
	if enabled(have) != enabled(want) {
		statements = append(statements, alter+map[bool]string{true: " ENABLE", false: " DISABLE"}[enabled(want)]+" ROW LEVEL SECURITY")
	}
	if forced(have) != forced(want) {
		statements = append(statements, alter+map[bool]string{true: " FORCE", false: " NO FORCE"}[forced(want)]+" ROW LEVEL SECURITY")
	}
	return statements
}

// alterParents returns the statement that attaches have as a partition. It returns nil
// unless want is a partition and have is a table without a parent, because any other
// change of the parents could lose rows.
func alterParents(alter string, have, want catalog.Object) []string {
	parents := want.Names(catalog.Parents)
	if have.Get(catalog.Bounds) != "" || want.Get(catalog.Bounds) == "" || len(have.Names(catalog.Parents)) > 0 || len(parents) != 1 {
		return nil
	}
	return []string{"ALTER TABLE " + name(parents[0]...) + " ATTACH PARTITION " + strings.TrimPrefix(alter, "ALTER TABLE ") + " " + want.Get(catalog.Bounds)}
}

// alterSequence returns the statement that changes a property of a sequence. It returns
// nil if the nodes may return different values on purpose. This is assumed for the start
// if the minimum or the maximum differs, too, or if the increment is not 1 or -1. It is
// assumed for the minimum and the maximum if the start differs, too.
func alterSequence(have, want catalog.Object, property catalog.Property) []string {
	alter, value := "ALTER SEQUENCE "+name(have.Schema, have.Name), want.Get(property)
	differs := func(p catalog.Property) bool { return have.Get(p) != want.Get(p) }
	switch property {
	case catalog.Start:
		if differs(catalog.Minimum) || differs(catalog.Maximum) || !slices.Contains([]string{"1", "-1"}, have.Get(catalog.Increment)) {
			return nil
		}
	case catalog.Minimum, catalog.Maximum:
		if differs(catalog.Start) {
			return nil
		}
	}

	switch property {
	case catalog.Type:
		return []string{alter + " AS " + value}
	case catalog.Start:
		return []string{alter + " START WITH " + value}
	case catalog.Increment:
		return []string{alter + " INCREMENT BY " + value}
	case catalog.Minimum:
		return []string{alter + " MINVALUE " + value}
	case catalog.Maximum:
		return []string{alter + " MAXVALUE " + value}
	case catalog.Cache:
		return []string{alter + " CACHE " + value}
	case catalog.Cycle:
		return []string{alter + map[string]string{"true": " CYCLE", "false": " NO CYCLE"}[value]}
	case catalog.OwnedBy:
		if have.Get(catalog.Internal) == "false" && want.Get(catalog.Internal) == "false" {
			return []string{ownedBy(have, want.List(property))}
		}
	case catalog.Persistence:
		return []string{alter + map[string]string{"permanent": " SET LOGGED", "unlogged": " SET UNLOGGED"}[value]}
	}
	return nil
}

func alterConstraint(have, want catalog.Object, property catalog.Property) []string {
	drop := alterTable(have) + " DROP CONSTRAINT " + name(have.Name)
	switch {
	case property == catalog.Validated && want.Get(property) == "true":
		return []string{alterTable(have) + " VALIDATE CONSTRAINT " + name(have.Name)}
	case property == catalog.ObjectName:
		return Rename(have, want.Get(property))
	case property == catalog.Clustered:
		return cluster(have, want.Get(property) == "true")
	case have.Kind == catalog.ForeignKey && property == catalog.Deferrable:
		words := map[string]string{"false": "NOT DEFERRABLE", "true": "DEFERRABLE INITIALLY IMMEDIATE", "initially deferred": "DEFERRABLE INITIALLY DEFERRED"}
		return []string{alterTable(have) + " ALTER CONSTRAINT " + name(have.Name) + " " + words[want.Get(property)]}
	case have.Kind == catalog.PrimaryKey || have.Kind == catalog.UniqueKey || property == catalog.Validated || property == catalog.Enabled:
		return nil // other constraints and the replica identity may depend on a key
	}
	statements := []string{drop + ", ADD " + constraint(want)}
	if have.Kind == catalog.DomainConstraint {
		statements = []string{drop, alterTable(want) + " ADD " + constraint(want)}
	}
	return append(statements, Definition{Object: want}.extras()...)
}

func alterIndex(have, want catalog.Object, property catalog.Property) []string {
	switch property {
	case catalog.Valid:
		if want.Get(property) == "true" {
			return []string{"REINDEX INDEX " + name(have.Schema, have.Name)}
		}
	case catalog.Definition, catalog.Unique:
		if have.Get(catalog.Unique) == "false" { // a unique index is not recreated, because it may be the replica identity
			return recreate(have, want)
		}
	case catalog.Clustered:
		return cluster(have, want.Get(property) == "true")
	}
	return nil
}

// cluster returns the statement that selects the index o for CLUSTER or, if selected is
// false, the statement after which no index of the table is selected.
func cluster(o catalog.Object, selected bool) []string {
	if selected {
		return []string{alterTable(o) + " CLUSTER ON " + name(indexName(o))}
	}
	return []string{alterTable(o) + " SET WITHOUT CLUSTER"}
}

// indexName returns the name of an index, or of the index of a constraint.
func indexName(o catalog.Object) string {
	if o.Kind == catalog.PrimaryKey {
		return o.Get(catalog.ObjectName)
	}
	return o.Name
}

func alterFiring(have catalog.Object, want Definition, property catalog.Property) []string {
	switch {
	case property == catalog.Enabled:
		return []string{enable(have, want.Get(property))}
	case have.Kind == catalog.EventTrigger:
		return nil
	}
	return recreate(have, want.Object)
}

func alterPolicy(have catalog.Object, want Definition, property catalog.Property) []string {
	for _, fixed := range []catalog.Property{catalog.Command, catalog.Permissive} {
		if property == fixed || have.Get(fixed) != want.Get(fixed) {
			return recreate(have, want.Object)
		}
	}
	if property != catalog.Roles && want.Get(property) == "" {
		return recreate(have, want.Object)
	}
	return []string{"ALTER " + target(have) + policyClauses(want.Object)}
}

func alterTypeOrCode(have catalog.Object, want Definition, property catalog.Property) []string {
	value := want.Get(property)
	switch {
	case have.Kind == catalog.Enum:
		return addLabels(have, have.List(property), want.List(property))
	case have.Kind == catalog.Domain:
		return alterDomain(have, property, value)
	case have.Kind == catalog.Extension && property == catalog.Version && isNewer(value, have.Get(property)):
		return []string{fmt.Sprintf("ALTER EXTENSION %s UPDATE TO %s", name(have.Name), table.Literal(value))}
	case have.Kind == catalog.Extension && property == catalog.InSchema:
		return []string{fmt.Sprintf("ALTER EXTENSION %s SET SCHEMA %s", name(have.Name), name(value))}
	case have.Kind == catalog.Function:
		return create(want)
	case have.Kind == catalog.View || have.Kind == catalog.MaterializedView:
		return alterView(have, want, property)
	}
	return nil
}

func alterDomain(have catalog.Object, property catalog.Property, value string) []string {
	alter := "ALTER " + target(have)
	switch {
	case property == catalog.NotNull && value == "true":
		return []string{alter + " SET NOT NULL"}
	case property == catalog.NotNull:
		return []string{alter + " DROP NOT NULL"}
	case property == catalog.Default && value == "":
		return []string{alter + " DROP DEFAULT"}
	case property == catalog.Default:
		return []string{alter + " SET DEFAULT " + value}
	}
	return nil
}

// alterView returns the statement that changes a property of a view or of a materialized
// view. It returns nil for the query of a materialized view, because only DROP and CREATE
// change it, and DROP would drop its indexes and its rows.
func alterView(have catalog.Object, want Definition, property catalog.Property) []string {
	switch {
	case property == catalog.Options:
		return alterOptions("ALTER "+target(have), have.List(property), want.List(property))
	case property == catalog.Definition && have.Kind == catalog.View:
		return []string{fmt.Sprintf("CREATE OR REPLACE VIEW %s%s AS %s", name(want.Schema, want.Name), with(want.List(catalog.Options)), query(want.Object))}
	case property == catalog.Populated && want.Get(property) == "true":
		return []string{"REFRESH MATERIALIZED VIEW " + name(have.Schema, have.Name)}
	}
	return nil
}
