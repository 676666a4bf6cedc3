package pg

import (
	"fmt"
	"strings"

	"ace/shared/table"
)

// noIndexes prevents the planner from reading the table through an index. A TID range
// scan of physical pages is still possible.
var noIndexes = []setting{ //nolint:gochecknoglobals // a constant list
	{"enable_seqscan", "on"}, {"enable_indexscan", "off"}, {"enable_indexonlyscan", "off"}, {"enable_bitmapscan", "off"},
	{"work_mem", "64MB"},
}

// plansFor returns the planner settings of a statement: usual and, if the source must be
// read without indexes (Unindexed), the settings that prevent the use of indexes.
func plansFor(s table.Source, usual []setting) []setting {
	if !s.Unindexed {
		return usual
	}
	return append(append([]setting{}, usual...), noIndexes...)
}

// lookupPlans returns the planner settings of byKey. If the source must be read without
// indexes, the server scans the table once with these settings, and looks up each row in
// a hash table of the keys.
func lookupPlans(s table.Source) []setting {
	if !s.Unindexed {
		return rangePlans
	}
	return append([]setting{{"enable_nestloop", "off"}}, noIndexes...)
}

// scanForKeys returns a statement with the same result as that of byKey. The statement
// scans the table without an index.
func scanForKeys(s table.Source, keys []table.Key, head, lock string) query {
	p, name := keyParams(s), uniqueName(s, "list")
	return query{
		args: p.ofKeys(keys),
		sql: fmt.Sprintf("SELECT %s.ord, %s FROM %s CROSS JOIN %s %s WHERE %s ORDER BY %s.ord%s",
			name, head, s.Relation, p.list(1), name, sameKey(s, qualify(name, p.names())), name,
			strings.ReplaceAll(lock, " FOR UPDATE", " FOR UPDATE OF "+s.Alias)),
	}
}
