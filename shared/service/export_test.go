package service

import (
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/replication"
)

// ComparedTargets is comparedTargets, for tests.
var ComparedTargets = comparedTargets

// UnreadCode returns the code of unreadError for one unreadable node per cause. If denied
// is set, there is also a node that the role may not read completely.
func UnreadCode(denied bool, causes ...error) fault.Code {
	var nodes []replicationNode
	for _, err := range causes {
		nodes = append(nodes, replicationNode{target: cluster.Target{Node: "n1"}, err: err})
	}
	if denied {
		state := replication.State{Unknown: []replication.Unknown{{What: "slots", Incomplete: true}}}
		nodes = append(nodes, replicationNode{target: cluster.Target{Node: "n2"}, state: &state})
	}
	return fault.CodeOf(unreadError(nodes))
}
