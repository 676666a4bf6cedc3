package api

import (
	"time"
)

// The ways to read the keys of a document again. The outcome is the same.
const (
	// BehaviorMultiprocessing fans chunks of the keys out like the blocks of a comparison.
	BehaviorMultiprocessing = "multiprocessing"
	// BehaviorHostDB joins the keys on each node, in as few statements as memory allows, over one connection.
	BehaviorHostDB = "hostdb"
)

// TableRerunRequest asks to compare the rows of a diff document again, on the nodes it is about. Its JSON form is what a
// task stores as its parameters.
type TableRerunRequest struct {
	ClusterName  string    `json:"cluster_name"`
	DiffFile     DiffFile  `json:"diff_file"`
	Table        TableName `json:"table_name"`
	DBName       string    `json:"dbname,omitempty"` // "" is the first database of the cluster
	Quiet        bool      `json:"quiet"`
	Behavior     string    `json:"behavior"`
	MaxCPURatio  float64   `json:"max_cpu_ratio"` // hostdb takes one worker whatever it says
	Output       string    `json:"output"`
	MaxDiffRows  int64     `json:"max_diff_rows"` // rows written per pair; counts stay exact beyond
	ConfirmDelay Duration  `json:"confirm_delay"` // 0 is no second look at differing rows
	Checksum     string    `json:"checksum"`
}

// NewTableRerunRequest gives a request with every default filled in; cluster, document and table are still to be named.
func NewTableRerunRequest() TableRerunRequest {
	return TableRerunRequest{
		Behavior:     BehaviorMultiprocessing,
		MaxCPURatio:  0.8,
		Output:       FormatJSON,
		MaxDiffRows:  1_000_000,
		ConfirmDelay: Duration(time.Second),
		Checksum:     ChecksumAuto,
	}
}

// DecodeTableRerun reads and validates the parameters of table-rerun. All problems come in one fault with code Invalid.
func DecodeTableRerun(p Params) (TableRerunRequest, error) {
	r, req := newReader(p), NewTableRerunRequest()
	req.ClusterName = r.text("cluster_name", "")
	req.DiffFile = worded(r, "diff_file", ParseDiffFile)
	req.Table = worded(r, "table_name", ParseTableName)
	req.DBName = r.text("dbname", "")
	req.Quiet = r.flag("quiet")
	req.Behavior = r.text("behavior", req.Behavior)
	req.MaxCPURatio = parsed(r, "max_cpu_ratio", req.MaxCPURatio, allowedRatio, parseDecimal)
	req.Output = r.text("output", req.Output)
	req.MaxDiffRows = parsed(r, "max_diff_rows", req.MaxDiffRows, maxDiffRowsRange().String(), parseInt64)
	req.ConfirmDelay = parsed(r, "confirm_delay", req.ConfirmDelay, allowedDelay, parseConfirmDelay)
	req.Checksum = r.text("checksum", req.Checksum)
	return req, r.finish(req.problems())
}

// Validate gives one fault with code Invalid for everything that is wrong with the request.
func (r TableRerunRequest) Validate() error { return r.problems().err() }

func (r TableRerunRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("diff_file", diffFileProblem(r.DiffFile))
	found.add("table_name", tableNameProblem(r.Table))
	found.add("behavior", oneOf("behavior", r.Behavior, BehaviorMultiprocessing, BehaviorHostDB))
	found.add("max_cpu_ratio", ratioProblem(r.MaxCPURatio))
	found.add("output", formatProblem("output", r.Output))
	found.add("max_diff_rows", maxDiffRowsRange().problem("max_diff_rows", r.MaxDiffRows))
	found.add("confirm_delay", delayProblem(r.ConfirmDelay))
	found.add("checksum", checksumProblem(r.Checksum))
	return found
}

func diffFileProblem(f DiffFile) string {
	if f == (DiffFile{}) {
		return "diff_file is required"
	}
	return ""
}
