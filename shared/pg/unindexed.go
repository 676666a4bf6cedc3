package pg

import (
	"fmt"
	"strings"

	"ace/shared/table"
)

// noIndexes keeps the planner from reading the table through an index. A range of physical pages is
// still read by itself.
var noIndexes = []setting{ //nolint:gochecknoglobals // a constant list
	{"enable_seqscan", "on"}, {"enable_indexscan", "off"}, {"enable_indexonlyscan", "off"}, {"enable_bitmapscan", "off"},
	{"work_mem", "64MB"},
}

// plansFor returns the planner settings of a statement that usually runs with these: where an index
// of the source may be out of order, no statement may use one.
func plansFor(s table.Source, usual []setting) []setting {
	if !s.Unindexed {
		return usual
	}
	return append(append([]setting{}, usual...), noIndexes...)
}

// lookupPlans returns the planner settings of byKey. Without an index the table is read once, and
// each of its rows looked up in the list of keys.
func lookupPlans(s table.Source) []setting {
	if !s.Unindexed {
		return rangePlans
	}
	return append([]setting{{"enable_nestloop", "off"}}, noIndexes...)
}

// scanForKeys writes the statement of byKey without the use of an index, with the same result.
func scanForKeys(s table.Source, keys []table.Key, head, lock string) query {
	p, name := keyParams(s), uniqueName(s, "list")
	return query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT %s.ord, %s FROM %s CROSS JOIN %s %s WHERE %s ORDER BY %s.ord%s",
			name, head, s.Relation, p.list(1), name, sameKey(s, qualify(name, p.names())), name,
			strings.ReplaceAll(lock, " FOR UPDATE", " FOR UPDATE OF "+s.Alias)),
	}
}
