package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ace/shared/fault"
	"ace/shared/table"
)

// keyCandidate is a unique index of the table.
type keyCandidate struct {
	name    string
	primary bool
	against []string // why it cannot serve as the key
	columns []table.KeyColumn
}

type keyColumnRow struct {
	Name     string `json:"name"`
	NotNull  bool   `json:"not_null"`
	Plain    bool   `json:"plain"`
	OpSchema string `json:"op_schema"`
	Less     string `json:"less"`
	AtLeast  string `json:"at_least"`
	Equal    string `json:"equal"`
}

func readKeyCandidate(v [][]byte) (keyCandidate, error) {
	k := keyCandidate{name: string(v[0]), primary: isTrue(v[1])}
	reasons := []struct {
		ok     bool
		reason string
	}{
		{isTrue(v[2]), "is not a valid btree index"},
		{isTrue(v[3]), "is partial"},
		{isTrue(v[4]), "has expressions"},
		{isTrue(v[5]), "is deferrable"},
	}
	for _, r := range reasons {
		if !r.ok {
			k.against = append(k.against, r.reason)
		}
	}
	var columns []keyColumnRow
	if v[6] != nil {
		if err := json.Unmarshal(v[6], &columns); err != nil {
			return k, fmt.Errorf("index columns: %w", err)
		}
	}
	for _, col := range columns {
		if !col.NotNull {
			k.against = append(k.against, fmt.Sprintf("allows NULL in %q", col.Name))
		}
		if !col.Plain && !k.primary {
			k.against = append(k.against, fmt.Sprintf("orders %q otherwise than the column's type does", col.Name))
		}
		k.columns = append(k.columns, table.KeyColumn{
			Name: col.Name, OpSchema: col.OpSchema, Less: col.Less, AtLeast: col.AtLeast, Equal: col.Equal,
		})
	}
	if len(columns) == 0 {
		k.against = append(k.against, "has no plain columns")
	}
	return k, nil
}

// chooseKey takes the primary key, else the first unique index that names every row: the replica identity before others.
func (c *catalogue) chooseKey(context.Context) error {
	var refused []string
	for _, k := range c.candidates {
		if len(k.against) == 0 {
			c.d.Key, c.d.KeyIndex, c.d.Primary = k.columns, k.name, k.primary
			return nil
		}
		refused = append(refused, fmt.Sprintf("%q %s", k.name, strings.Join(k.against, " and ")))
	}
	relation := table.Name(c.schema, c.name)
	if len(refused) == 0 {
		return fault.New(fault.Invalid, "node %q: %s has no primary key and no unique index: rows cannot be told apart", c.d.Node, relation)
	}
	return fault.New(fault.Invalid, "node %q: %s has no primary key, and none of its unique indexes can serve as one: %s",
		c.d.Node, relation, strings.Join(refused, "; "))
}
