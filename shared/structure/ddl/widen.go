package ddl

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// Widens reports whether a property can be changed from one value to another such that
// nothing is lost: the object then accepts at least everything that it accepted before.
func Widens(kind catalog.Kind, property catalog.Property, from, to string) bool {
	switch {
	case kind == catalog.Column && property == catalog.Type:
		return widensType(from, to)
	case kind == catalog.Enum && property == catalog.Labels:
		var a, b []string
		return json.Unmarshal([]byte(from), &a) == nil && json.Unmarshal([]byte(to), &b) == nil && contains(b, a)
	case property == catalog.Validated || property == catalog.Valid || property == catalog.Populated:
		return to == "true"
	case kind == catalog.Table && property == catalog.Persistence:
		return to == "permanent"
	case kind == catalog.Extension && property == catalog.Version:
		return isNewer(to, from)
	}
	return false
}

// modified matches a type with a modifier in parentheses, such as numeric(12,2). Its
// groups are the name of the type, the length or precision, and the scale.
var modified = regexp.MustCompile(`^(character varying|character|numeric|bit varying)\((\d+)(?:,(-?\d+))?\)$`)

// widensType reports whether every value of the type from is also a value of the type to,
// so that ALTER TABLE converts rows without a change of their values.
func widensType(from, to string) bool {
	integers := []string{"smallint", "integer", "bigint"}
	if a, b := slices.Index(integers, from), slices.Index(integers, to); a >= 0 && b >= 0 {
		return a < b
	}
	if from == "real" && to == "double precision" {
		return true
	}

	a, b := modified.FindStringSubmatch(from), modified.FindStringSubmatch(to)
	switch {
	case a == nil:
		return from == "character varying" && to == "text"
	case to == "text":
		return a[1] == "character varying"
	case b == nil:
		return a[1] == to && to != "character"
	case a[1] != b[1] || a[1] == "character":
		return false
	}
	return number(b[2])-number(b[3]) >= number(a[2])-number(a[3]) && number(b[3]) >= number(a[3])
}

// isNewer reports whether the first version is newer than the second. It compares
// numbers: 1.10 is newer than 1.9.
func isNewer(version, than string) bool {
	a, b := strings.Split(version, "."), strings.Split(than, ".")
	return slices.CompareFunc(a, b, func(x, y string) int { return number(x) - number(y) }) > 0
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil { // a type without a scale has the scale 0; a part of a version that is no number counts as 0
		return 0
	}
	return n
}

// contains reports whether all labels of part are in whole, in the same order.
func contains(whole, part []string) bool {
	for _, label := range whole {
		if len(part) > 0 && part[0] == label {
			part = part[1:]
		}
	}
	return len(part) == 0
}

// addLabels returns the statements that add the labels of want that an enum lacks. It
// returns nil if the enum has a label that want does not have, or has the labels in
// another order, because PostgreSQL can neither drop nor move a label.
func addLabels(o catalog.Object, have, want []string) []string {
	if !contains(want, have) {
		return nil
	}
	var statements []string
	for i, label := range want {
		if slices.Contains(have, label) {
			continue
		}
		place := ""
		switch {
		case i > 0:
			place = " AFTER " + table.Literal(want[i-1])
		case len(have) > 0:
			place = " BEFORE " + table.Literal(have[0])
		}
		statements = append(statements, "ALTER "+target(o)+" ADD VALUE "+strings.TrimSpace(table.Literal(label))+place)
	}
	return statements
}
