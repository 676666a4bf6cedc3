package structure

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ace/shared/structure/catalog"
	"ace/shared/table"
)

// longest is the length in bytes of the longest value that is shown as it is. A longer
// value is shown as a digest.
const longest = 300

// display returns the value of a property for a message.
func display(property catalog.Property, value string) string {
	switch property {
	case catalog.Grants:
		return displayGrants(value)
	case catalog.Parents:
		return displayNames(value, ", ")
	case catalog.CollationName, catalog.OwnedBy:
		return displayName(value)
	case catalog.Members:
		return displayNames(value, " ")
	case catalog.Options, catalog.Labels, catalog.Columns:
		return displayList(value)
	case catalog.Roles:
		return displayList(strings.ReplaceAll(value, `""`, `"PUBLIC"`))
	case catalog.Enabled:
		return displayEnabled(value)
	}
	return shorten(value)
}

func shorten(value string) string {
	switch {
	case value == "":
		return "none"
	case len(value) <= longest:
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return fmt.Sprintf("%d bytes with the SHA-256 %s...", len(value), hex.EncodeToString(sum[:8]))
}

func displayGrants(value string) string {
	var byRole map[string][]string
	if json.Unmarshal([]byte(value), &byRole) != nil || len(byRole) == 0 {
		return "none"
	}
	var parts []string
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		name := "PUBLIC"
		if role != "" {
			name = table.Display(role)
		}
		parts = append(parts, name+": "+strings.Join(byRole[role], ", "))
	}
	return shorten(strings.Join(parts, "; "))
}

func displayNames(value, separator string) string {
	var names [][]string
	if json.Unmarshal([]byte(value), &names) != nil || len(names) == 0 {
		return "none"
	}
	var parts []string
	for _, name := range names {
		if separator == " " { // each item is the name and the type of an attribute
			parts = append(parts, table.Display(name[0])+" "+name[1])
		} else {
			parts = append(parts, table.Name(name[0], name[1]))
		}
	}
	return shorten(strings.Join(parts, ", "))
}

func displayName(value string) string {
	var name []string
	if json.Unmarshal([]byte(value), &name) != nil { // the collation of a database is no JSON array but a plain text
		return shorten(value)
	}
	parts := make([]string, len(name))
	for i, part := range name {
		parts[i] = table.Display(part)
	}
	return shorten(strings.Join(parts, "."))
}

func displayList(value string) string {
	var list []string
	if json.Unmarshal([]byte(value), &list) != nil {
		return shorten(value)
	}
	return shorten(strings.Join(list, ", "))
}

func displayEnabled(value string) string {
	switch value {
	case "O":
		return "enabled"
	case "D":
		return "disabled"
	case "R":
		return "enabled for replicated changes only"
	case "A":
		return "always enabled"
	}
	if strings.HasPrefix(value, "D") { // a foreign key has several triggers, and only some are disabled
		return "partly disabled"
	}
	return value
}

// summary returns the text with which a finding shows an object that other nodes lack,
// such as the type of a column. The default is "present".
func summary(o catalog.Object) string {
	switch o.Kind {
	case catalog.Column, catalog.Domain:
		return o.Get(catalog.Type)
	case catalog.Enum:
		return display(catalog.Labels, o.Get(catalog.Labels))
	case catalog.Composite:
		return display(catalog.Members, o.Get(catalog.Members))
	case catalog.Extension:
		return o.Get(catalog.Version)
	case catalog.Index:
		if o.Get(catalog.Unique) == "true" {
			return shorten("UNIQUE " + o.Get(catalog.Definition))
		}
		return shorten(o.Get(catalog.Definition))
	}
	if definition := o.Get(catalog.Definition); definition != "" {
		return shorten(definition)
	}
	return "present"
}
