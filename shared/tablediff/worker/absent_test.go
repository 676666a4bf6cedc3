package worker

import (
	"strconv"
	"testing"

	"ace/shared/table"
	"ace/shared/tablediff/plan"
)

// A key without a row on any node counts as resolved, so it is checked even if many keys
// are on one node only.
func TestRecordAbsent_KeysOnNoNodeFindRoomAfterManyOthers(t *testing.T) {
	t.Parallel()
	r := &unitRun{plan: &plan.Plan{}, nodes: make([]plan.Node, 2)}
	there := int64(1)
	for i := range 2 * maxAbsentKeys {
		r.recordAbsentNodes(table.Key{strconv.Itoa(i)}, []*int64{&there, nil})
	}
	nowhere := table.Key{"nowhere"}
	r.recordAbsentNodes(nowhere, []*int64{nil, nil})

	for node, want := range []int{1, maxAbsentKeys + 1} {
		keys := r.totals.Absent[node]
		if len(keys) != want || keys[len(keys)-1].String() != nowhere.String() {
			t.Errorf("node %d: %d keys, want %d with %s at the end", node, len(keys), want, nowhere)
		}
	}
}
