package table

import "time"

// Abilities describe a node and what its role may do there, apart from the privileges on
// single tables.
type Abilities struct {
	ServerVersion    int           // server_version_num, such as 150018
	Role             string        // the name of the current role
	Standby          bool          // the server is in recovery
	CommitTimestamps bool          // track_commit_timestamp is on
	ClockSkew        time.Duration // the node's clock minus this host's
	ClockError       time.Duration // the largest possible error of ClockSkew: half of the round trip
	ReadOnly         string        // the setting that makes the node read-only for the role; empty if there is none
	NamesServer      bool          // the role may execute pg_control_system
	ReplicaRole      bool          // the role may set session_replication_role
}

// RepairObstacles returns the reasons why a repair with the default parameters cannot
// write to the node, each with what to do. It does not consider privileges on tables.
func (a Abilities) RepairObstacles() []string {
	var found []string
	if a.Standby {
		found = append(found, "the node is a standby, which accepts no writes: repair its primary")
	}
	if a.ReadOnly != "" {
		found = append(found, a.ReadOnly+", so the node accepts no writes: reset it")
	}

	const lacks = "the role lacks a privilege; run there: "
	if !a.NamesServer {
		found = append(found, lacks+"GRANT EXECUTE ON FUNCTION pg_control_system() TO "+Quote(a.Role))
	}
	if !a.ReplicaRole {
		found = append(found, lacks+GrantReplicaRole(a.ServerVersion, a.Role))
	}
	return found
}
