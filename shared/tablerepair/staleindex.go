package tablerepair

import (
	"ace/shared/fault"
	"ace/shared/table"
	"ace/shared/tableschema"
)

// checkIndexes fails if a node's indexes may be out of order because a collation has
// changed. Such an index may miss a row when a key is looked up. On a node that is
// written to (written is set), a unique index may also accept duplicates. key is the name
// of the key's index.
func checkIndexes(d *table.Description, key string, written bool) error {
	for _, o := range tableschema.StaleIndexes(d, key, written) {
		if o.Index == key || o.Unique {
			return fault.New(fault.Invalid, "%s: look-ups may miss rows, so nothing is repaired; %s",
				tableschema.DescribeStale(d.Node, o), tableschema.StaleRemedy(o))
		}
	}
	return nil
}

func (t *targetBuilder) checkIndexes() error {
	return checkIndexes(t.node, t.common.KeyIndex(t.places[1]), true)
}
