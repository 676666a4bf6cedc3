package tableschema

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/table"
)

// hashFunctions maps types to their hash functions. A key of a single column of such a
// type is hashed by this function, which is faster than the hash of a record. The listed
// types are usual for keys whose order is not the physical order of the rows, such as
// random uuids.
var hashFunctions = map[string]string{ //nolint:gochecknoglobals // a constant map
	"uuid":    "uuid_hash_extended",
	"text":    "hashtextextended",
	"varchar": "hashtextextended",
}

// hashedTypes has the types whose equal values have equal hashes on every server and
// platform. On one server, this is true of every type with a hash operator class. It is
// true across servers for the listed types, because the hash depends on nothing but the
// bytes of the value.
var hashedTypes = []string{ //nolint:gochecknoglobals // a constant list
	"bool", "int2", "int4", "int8", "oid", "numeric", "uuid", "text", "varchar", "bpchar", "name", "bytea",
	"date", "time", "timestamp", "timestamptz",
}

// findKeyHash chooses the function that hashes a key. The function is applied to the
// expressions by which the key is ordered (Source.Order). So a column that is ordered by
// its text is hashed by its text, whatever its type is. Every other column must have the
// same type on all nodes. No function is chosen if two nodes may hash equal keys
// differently. For example, enums are hashed by their OIDs, texts with a nondeterministic
// collation by their sort keys, and equal texts have different bytes under different
// server encodings.
func (c *Common) findKeyHash(nodes []*table.Description) {
	var types []string
	for i, name := range c.Key {
		if c.ByText[i] && c.sameEncoding {
			types = append(types, "text")
			continue
		}
		first, _ := nodes[0].Column(name)
		for at, node := range nodes {
			column, _ := node.Column(name)
			t := column.Type.Underlying()
			if t.Schema != "pg_catalog" || !slices.Contains(hashedTypes, t.Name) || !sameStored(first.Type, column.Type) ||
				!c.sameEncoding || c.key[at].index.Columns[i].OpSchema != "pg_catalog" ||
				column.Collation != nil && !column.Collation.Deterministic {
				return
			}
		}
		types = append(types, first.Type.Underlying().Name)
	}
	c.keyHash = keyHash(types)
}

// keyHash returns a function that returns the SQL expression for the hash of a key. types
// are the types of the key's columns, and refs are the expressions for these columns.
func keyHash(types []string) func(refs []string, seed int64) string {
	function, simple := hashFunctions[types[0]]
	return func(refs []string, seed int64) string {
		if simple && len(types) == 1 {
			return fmt.Sprintf("pg_catalog.%s(%s, '%d'::bigint)", function, refs[0], seed)
		}
		return fmt.Sprintf("pg_catalog.hash_record_extended(ROW(%s), '%d'::bigint)", strings.Join(refs, ", "), seed)
	}
}
