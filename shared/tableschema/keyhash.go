package tableschema

import (
	"fmt"
	"slices"
	"strings"

	"ace/shared/table"
)

// hashFunctions are those of types that make up most scattered keys by themselves. They save the making of a record.
var hashFunctions = map[string]string{ //nolint:gochecknoglobals // a constant map
	"uuid":    "uuid_hash_extended",
	"text":    "hashtextextended",
	"varchar": "hashtextextended",
}

// hashedTypes are the types whose equal values have equal hashes on every server of every platform: the server's own hash
// opclass promises it on one, and nothing but the value's bytes goes into it.
var hashedTypes = []string{ //nolint:gochecknoglobals // a constant list
	"bool", "int2", "int4", "int8", "oid", "numeric", "uuid", "text", "varchar", "bpchar", "name", "bytea",
	"date", "time", "timestamp", "timestamptz",
}

// findKeyHash chooses the hash of a key, a function of what orders it. There is none where the columns' types differ, or
// two nodes may hash equal keys differently: enums hash their OIDs, text under a collation of its own what that makes of
// it. A column that is ordered by its text is hashed by that, whatever its type is.
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
			t := base(column.Type)
			if t.Schema != "pg_catalog" || !slices.Contains(hashedTypes, t.Name) || !sameStored(first.Type, column.Type) ||
				!c.sameEncoding || c.key[at].index.Columns[i].OpSchema != "pg_catalog" ||
				column.Collation != nil && !column.Collation.Deterministic {
				return
			}
		}
		types = append(types, base(first.Type).Name)
	}
	c.keyHash = keyHash(types)
}

// keyHash writes the hash of a key whose columns have these types.
func keyHash(types []string) func(refs []string, seed int64) string {
	function, simple := hashFunctions[types[0]]
	return func(refs []string, seed int64) string {
		if simple && len(types) == 1 {
			return fmt.Sprintf("pg_catalog.%s(%s, '%d'::bigint)", function, refs[0], seed)
		}
		return fmt.Sprintf("pg_catalog.hash_record_extended(ROW(%s), '%d'::bigint)", strings.Join(refs, ", "), seed)
	}
}
