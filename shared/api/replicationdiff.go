package api

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"ace/shared/finding"
)

// replicationKinds returns the kinds of findings about replication. Package replication
// explains them.
func replicationKinds() []string {
	return []string{
		"cluster", "subscription", "lag", "initial_copy", "errors", "conflicts", "publication", "table", "slot", "origin", "loop", "settings",
	}
}

// ReplicationDiffRequest asks to compare how the nodes of a cluster replicate. The JSON
// form of the request is stored as the parameters of the task.
type ReplicationDiffRequest struct {
	ClusterName   string   `json:"cluster_name"`
	DBName        string   `json:"dbname,omitempty"`
	Nodes         []string `json:"nodes,omitempty"` // nil means all active nodes
	MaxLagBytes   int64    `json:"max_lag_bytes"`
	MaxLagSeconds int64    `json:"max_lag_seconds"`
	ConfirmDelay  Duration `json:"confirm_delay"`
	Ignore        []string `json:"ignore,omitempty"` // kinds of findings to leave out
	Quiet         bool     `json:"quiet"`
}

// NewReplicationDiffRequest returns a request with all defaults. The caller must set the
// cluster.
func NewReplicationDiffRequest() ReplicationDiffRequest {
	return ReplicationDiffRequest{MaxLagBytes: 16 << 20, MaxLagSeconds: 60, ConfirmDelay: Duration(2 * time.Second)}
}

const maxLagSeconds = 7 * 24 * 60 * 60

func lagBytesRange() wholeRange   { return wholeRange{0, 1 << 50} }
func lagSecondsRange() wholeRange { return wholeRange{0, maxLagSeconds} }

func allowedKinds() string { return "some of " + strings.Join(replicationKinds(), ", ") }

// DecodeReplicationDiff decodes and validates the parameters of replication-diff. It
// returns all problems in one fault with code Invalid.
func DecodeReplicationDiff(p Params) (ReplicationDiffRequest, error) {
	r, req := newReader(p), NewReplicationDiffRequest()
	req.ClusterName = r.text("cluster_name", "")
	req.DBName = r.text("dbname", "")
	req.Nodes = parse(r, "nodes", nil, allowedNodes, parseNodes)
	req.MaxLagBytes = parse(r, "max_lag_bytes", req.MaxLagBytes, lagBytesRange().String(), parseInt64)
	req.MaxLagSeconds = parse(r, "max_lag_seconds", req.MaxLagSeconds, lagSecondsRange().String(), parseInt64)
	req.ConfirmDelay = parse(r, "confirm_delay", req.ConfirmDelay, allowedDelay, parseConfirmDelay)
	req.Ignore = parse(r, "ignore", nil, allowedKinds(), parseReplicationKinds)
	req.Quiet = r.flag("quiet")
	return req, r.finish(req.problems())
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r ReplicationDiffRequest) Validate() error { return r.problems().err() }

func (r ReplicationDiffRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("nodes", nodesProblem(r.Nodes))
	found.add("max_lag_bytes", lagBytesRange().problem("max_lag_bytes", r.MaxLagBytes))
	found.add("max_lag_seconds", lagSecondsRange().problem("max_lag_seconds", r.MaxLagSeconds))
	found.add("confirm_delay", delayProblem(r.ConfirmDelay))
	for _, kind := range r.Ignore {
		if !slices.Contains(replicationKinds(), kind) {
			found.add("ignore", notAllowed("ignore", kind, allowedKinds()))
		}
	}
	return found
}

// parseReplicationKinds parses kinds of findings separated by commas.
func parseReplicationKinds(text string) ([]string, error) {
	kinds := strings.Split(text, ",")
	for i, kind := range kinds {
		kinds[i] = strings.TrimSpace(kind)
		if !slices.Contains(replicationKinds(), kinds[i]) {
			return nil, errors.New(allowedKinds())
		}
	}
	return kinds, nil
}

func replicationDiffParams() []Param {
	req := NewReplicationDiffRequest()
	kind := "(" + strings.Join(replicationKinds(), "|") + ")"
	confirm := confirmDelayParam(req.ConfirmDelay)
	confirm.Purpose = "how long after a problem was found it must still exist; 0 reads the nodes only once"
	return []Param{
		clusterParam(), dbnameParam(),
		{
			Name: "nodes", Kind: KindList, Default: allNodes, Purpose: "the nodes to compare", Allowed: allowedNodes,
			Example: "n1,n3", Values: Values{MinItems: 2, All: true},
		},
		{
			Name: "max_lag_bytes", Kind: KindInteger, Default: strconv.FormatInt(req.MaxLagBytes, 10),
			Purpose: "a subscriber is behind if it lacks more bytes of WAL", Allowed: lagBytesRange().String(), Values: lagBytesRange().values(),
		},
		{
			Name: "max_lag_seconds", Kind: KindInteger, Default: strconv.FormatInt(req.MaxLagSeconds, 10),
			Purpose: "a subscriber is behind if changes take longer", Allowed: lagSecondsRange().String(), Values: lagSecondsRange().values(),
		},
		confirm,
		{
			Name: "ignore", Kind: KindText, Purpose: "kinds of findings to leave out, separated by commas", Allowed: allowedKinds(),
			Example: "conflicts,settings", Values: Values{Pattern: `^\s*` + kind + `\s*(,\s*` + kind + `\s*)*$`},
		},
		quietParam(),
	}
}

// ReplicationResult is the result of a comparison of how nodes replicate. It is also in
// the record of a task that failed because a node could not be read.
type ReplicationResult struct {
	// Verdict is differ if there are findings, and match if there are none. It is absent if
	// there are no findings but some node could not be read completely.
	Verdict  string              `json:"verdict,omitempty"`
	Findings ReplicationFindings `json:"findings"`
	// Worst has the first 20 findings of the document, which is sorted by rank.
	Worst      []finding.Finding `json:"worst,omitempty"`
	ReportFile string            `json:"report_file"` // the key of the document in the archive
	// UnreadNodes are the nodes that could not be read completely.
	UnreadNodes []UnreadNode `json:"unread_nodes,omitempty"`
	// Unknown is the number of facts that the role could not read or that the comparison
	// could not decide. The document lists them.
	Unknown int `json:"unknown,omitempty"`
}

// MaxWorst is the maximum number of findings in ReplicationResult.Worst.
const MaxWorst = 20

// Total returns the number of findings of all ranks.
func (f ReplicationFindings) Total() int { return f.Broken + f.Behind + f.Asymmetric + f.Different }

// ReplicationFindings counts the findings about replication by their rank.
type ReplicationFindings struct {
	Broken     int `json:"broken"`     // changes do not arrive, and will not without intervention
	Behind     int `json:"behind"`     // changes arrive late
	Asymmetric int `json:"asymmetric"` // the nodes do not replicate the same to each other
	Different  int `json:"different"`  // the nodes are set up differently, but replicate the same
}
