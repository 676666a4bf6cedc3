package replication

import (
	"time"

	"ace/shared/finding"
)

// Format is the format of the documents that this version writes.
const Format = "ace-replication/1"

// Document is the archived document of a comparison of replication.
type Document struct {
	Format  string  `json:"format"`
	Summary Summary `json:"summary"`
	// Findings are sorted, the worst first.
	Findings []finding.Finding `json:"findings"`
	Nodes    map[string]*State `json:"nodes"` // by the name of the node, without the nodes that could not be read
}

// Summary describes a comparison of replication.
type Summary struct {
	TaskID      string               `json:"task_id"`
	ClusterName string               `json:"cluster_name"`
	DBName      string               `json:"dbname"`
	StartedAt   time.Time            `json:"started_at"`
	FinishedAt  time.Time            `json:"finished_at"`
	Verdict     string               `json:"verdict,omitempty"` // match or differ; "" if there is no finding, but a node was not read completely
	Findings    map[finding.Rank]int `json:"findings"`          // how many findings have each rank
	Unread      []Unread             `json:"unread_nodes,omitempty"`
}

// Unread is a node whose state could not be read, or not completely.
type Unread struct {
	Node   string `json:"node"`
	Error  string `json:"error"`
	Remedy string `json:"remedy,omitempty"`
}
