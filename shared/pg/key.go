package pg

import (
	"encoding/json"
	"fmt"
	"strings"

	"ace/shared/table"
)

// indexRow is an index as indexesSQL returns it.
type indexRow struct {
	method      string // name of the access method
	usable      bool   // the index is valid, ready and live
	partitioned bool
	exclusion   bool
	temporal    bool // the index is that of a key WITHOUT OVERLAPS
	partial     bool
	expressions bool
	immediate   bool // the index is not that of a DEFERRABLE constraint
	columns     []indexColumn
}

type indexColumn struct {
	Name     string `json:"name"`
	NotNull  bool   `json:"not_null"`
	Unproven string `json:"unproven"` // the statement that validates the NOT NULL constraint; empty if the constraint is valid already
	Plain    bool   `json:"plain"`
	OpSchema string `json:"op_schema"`
	Less     string `json:"less"`
	AtLeast  string `json:"at_least"`
	Equal    string `json:"equal"`
}

// readIndex reads an index from a result row of indexesSQL, with the reasons why the
// index cannot serve as the key.
func readIndex(v [][]byte) (table.Index, error) {
	index := table.Index{Name: string(v[0]), Primary: isTrue(v[1]), Identity: isTrue(v[2])}
	row := indexRow{
		method: string(v[3]), usable: isTrue(v[4]), partitioned: isTrue(v[5]), exclusion: isTrue(v[6]), temporal: isTrue(v[7]),
		partial: isTrue(v[8]), expressions: isTrue(v[9]), immediate: isTrue(v[10]),
	}

	if v[11] != nil {
		if err := json.Unmarshal(v[11], &row.columns); err != nil {
			return index, fmt.Errorf("index columns: %w", err)
		}
	}

	for _, col := range row.columns {
		index.Columns = append(index.Columns, table.KeyColumn{
			Name: col.Name, OpSchema: col.OpSchema, Less: col.Less, AtLeast: col.AtLeast, Equal: col.Equal,
		})
	}

	index.Against = row.against(index.Primary)
	return index, nil
}

// against returns the reasons why the index cannot serve as the key. If it is not a
// unique btree, against returns only this reason, because the other checks do not apply
// to such an index. primary means that the index is that of the primary key.
func (r indexRow) against(primary bool) []string {
	switch {
	case r.temporal:
		return []string{fmt.Sprintf("is a temporal key (WITHOUT OVERLAPS), a GiST index, which has no order: add a unique index on (%s)", r.names())}
	case r.exclusion:
		return []string{"is an exclusion constraint, not a unique index"}
	case r.method != "btree":
		return []string{fmt.Sprintf("is a %s index, not a btree", r.method)}
	}

	var reasons []string
	for _, found := range []struct {
		is     bool
		reason string
	}{
		{!r.usable && r.partitioned, "is not valid: some partition has no valid index that is attached to it"},
		{!r.usable && !r.partitioned, "is not valid: REINDEX it, or drop it"},
		{r.partial, "is partial"},
		{r.expressions, "has expressions"},
		{!primary && !r.immediate, "is deferrable"},
	} {
		if found.is {
			reasons = append(reasons, found.reason)
		}
	}

	for _, col := range r.columns {
		if reason := col.against(primary); reason != "" {
			reasons = append(reasons, reason)
		}
	}

	if len(r.columns) == 0 && !r.expressions {
		reasons = append(reasons, "has no plain columns")
	}

	return reasons
}

// names returns the names of the columns for messages.
func (r indexRow) names() string {
	names := make([]string, len(r.columns))
	for i, col := range r.columns {
		names[i] = col.Name
	}
	return strings.Join(names, ", ")
}

// against returns the reason why an index with this column cannot serve as the key. It
// returns "" if there is none.
func (c indexColumn) against(primary bool) string {
	switch {
	case !c.NotNull:
		return fmt.Sprintf("allows NULL in %q", c.Name)
	case c.Unproven != "":
		return fmt.Sprintf("may have NULL in %q, whose NOT NULL constraint is not validated: %s", c.Name, c.Unproven)
	case c.Equal == "" || !c.Plain && !primary:
		return fmt.Sprintf("does not order %q by the default order of the column's type", c.Name)
	}
	return ""
}
