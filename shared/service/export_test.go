package service

import (
	"ace/shared/cluster"
	"ace/shared/fault"
	"ace/shared/replication"
)

// ComparedTargets is comparedTargets, for tests.
var ComparedTargets = comparedTargets

// UnreadCode returns the code of unreadError for nodes that could not be read, and for a
// node that the role may not read completely if denied is set.
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
