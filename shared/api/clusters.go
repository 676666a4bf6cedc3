package api

// ClustersRequest asks for the cluster definitions. An empty ClusterName means all of
// them.
type ClustersRequest struct{ ClusterName string }

// ClusterList answers ClustersRequest. The clusters are sorted by name.
type ClusterList struct {
	Clusters []Cluster `json:"clusters"`
}

// Cluster is a cluster definition without its secrets. If the definition cannot be used,
// only ClusterName and Error are set.
type Cluster struct {
	ClusterName   string            `json:"cluster_name"`
	Databases     []ClusterDatabase `json:"databases,omitempty"` // the first is the default
	Nodes         []ClusterNode     `json:"nodes,omitempty"`     // the active nodes
	InactiveNodes []string          `json:"inactive_nodes,omitempty"`
	Warnings      []string          `json:"warnings,omitempty"` // messages about settings of the definition that have no effect
	Error         string            `json:"error,omitempty"`
}

// ClusterDatabase is a database that exists on every node.
type ClusterDatabase struct {
	DBName  string            `json:"dbname"`
	Options map[string]string `json:"options,omitempty"` // connection parameters of libpq
}

// ClusterNode is one server. Its DBName and Options, if set, override those of the
// database.
type ClusterNode struct {
	Node    string            `json:"node"`
	Host    string            `json:"host"`
	Port    int               `json:"port"`
	DBName  string            `json:"dbname,omitempty"`
	Options map[string]string `json:"options,omitempty"`
}

// DecodeClusters decodes and validates the parameters of the list of clusters.
func DecodeClusters(p Params) (ClustersRequest, error) {
	r := newReader(p)
	req := ClustersRequest{ClusterName: r.text("cluster_name", "")}
	return req, r.finish(optionalCluster(req.ClusterName))
}

// optionalCluster returns the problem of name, the value of an optional parameter
// cluster_name. It returns nil if name is empty or valid.
func optionalCluster(name string) problems {
	var found problems
	if name != "" {
		found.add("cluster_name", clusterNameProblem(name))
	}
	return found
}

// ClusterCheckRequest asks to connect to every node. An empty ClusterName means the nodes
// of all clusters.
type ClusterCheckRequest struct{ ClusterName string }

// ClusterCheckList answers ClusterCheckRequest. The clusters are sorted by name.
type ClusterCheckList struct {
	Clusters []ClusterCheck `json:"clusters"`
}

// ClusterCheck has the checks of a cluster: one for each database of each node, in the
// order of the definition. Error is set if the definition cannot be used.
type ClusterCheck struct {
	ClusterName string      `json:"cluster_name"`
	Nodes       []NodeCheck `json:"nodes,omitempty"`
	Error       string      `json:"error,omitempty"`
}

// NodeCheck is the result of a connection to one database of a node.
type NodeCheck struct {
	Node    string `json:"node"`
	DBName  string `json:"dbname"`
	Address string `json:"address"` // host, port and database
	// Usable reports that tasks can read from the node. Otherwise Error has the reason,
	// as a task would report it. Remedy states what to do; it is "" if Error already
	// states that.
	Usable bool   `json:"usable"`
	Error  string `json:"error,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// Server is absent if the node did not answer.
	Server *NodeServer `json:"server,omitempty"`
}

// NodeServer describes the server that answered, and what the role may do there.
type NodeServer struct {
	Version   string `json:"version"`
	Role      string `json:"role"`
	Superuser bool   `json:"superuser"`
	// CanRepair reports that a repair with the default parameters can run, if the role has
	// the privileges on the table. If CanRepair is false, RepairObstacles has the reasons,
	// each with what to do.
	CanRepair            bool     `json:"can_repair"`
	RepairObstacles      []string `json:"repair_obstacles,omitempty"`
	InRecovery           bool     `json:"in_recovery"` // the server is a standby
	TrackCommitTimestamp bool     `json:"track_commit_timestamp"`
	ClockDifference      Seconds  `json:"clock_difference"` // the node's clock minus that of the service
	ClockError           Seconds  `json:"clock_error"`      // the largest possible error of ClockDifference
}

// DecodeClusterCheck decodes and validates the parameters of the check of clusters.
func DecodeClusterCheck(p Params) (ClusterCheckRequest, error) {
	r := newReader(p)
	req := ClusterCheckRequest{ClusterName: r.text("cluster_name", "")}
	return req, r.finish(optionalCluster(req.ClusterName))
}
