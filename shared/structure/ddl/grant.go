package ddl

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"ace/shared/structure/catalog"
)

// owner returns the statement that changes the owner of an object.
func owner(o catalog.Object, to string) string {
	return "ALTER " + target(o) + " OWNER TO " + name(to)
}

// defaultGrants returns the privileges that roles other than the owner have on a new
// object of a kind, in the form of catalog.Grants.
func defaultGrants(kind catalog.Kind) string {
	switch kind {
	case catalog.Function, catalog.Aggregate:
		return `{"":["EXECUTE"]}`
	case catalog.Enum, catalog.Composite, catalog.Range, catalog.Domain:
		return `{"":["USAGE"]}`
	}
	return "{}"
}

// grants returns the statements that change the privileges on o from have to want, two
// values of catalog.Grants.
func grants(o catalog.Object, have, want string) []string {
	from, to := privileges(have), privileges(want)
	var statements []string
	for _, who := range slices.Sorted(maps.Keys(from)) {
		for _, privilege := range from[who] {
			if !slices.Contains(to[who], privilege) {
				statements = append(statements, "REVOKE "+grantTarget(o, privilege)+" FROM "+role(who))
			}
		}
	}
	for _, who := range slices.Sorted(maps.Keys(to)) {
		for _, privilege := range to[who] {
			if slices.Contains(from[who], privilege) {
				continue
			}
			option := ""
			if strings.HasSuffix(privilege, "*") {
				option = " WITH GRANT OPTION"
			}
			statements = append(statements, "GRANT "+grantTarget(o, privilege)+" TO "+role(who)+option)
		}
	}
	return statements
}

func privileges(text string) map[string][]string {
	var byRole map[string][]string
	if json.Unmarshal([]byte(text), &byRole) != nil {
		return nil
	}
	return byRole
}

// grantTarget returns a privilege with its object, such as SELECT ON TABLE "s"."t".
func grantTarget(o catalog.Object, privilege string) string {
	privilege = strings.TrimSuffix(privilege, "*")
	switch o.Kind {
	case catalog.Column:
		return privilege + " (" + name(o.Name) + ") ON TABLE " + name(o.Schema, o.Relation)
	case catalog.View, catalog.MaterializedView, catalog.ForeignTable:
		return privilege + " ON TABLE " + name(o.Schema, o.Name)
	case catalog.Aggregate:
		return privilege + " ON FUNCTION" + strings.TrimPrefix(target(o), "AGGREGATE")
	}
	return privilege + " ON " + target(o)
}
