package api

import (
	"time"
)

// The ways to read the rows of a document again. Both have the same result.
const (
	// BehaviorMultiprocessing divides the keys into units of work that run in parallel,
	// like the blocks of a comparison.
	BehaviorMultiprocessing = "multiprocessing"
	// BehaviorHostDB joins the keys with the table on each node, over one connection and
	// in as few statements as memory allows.
	BehaviorHostDB = "hostdb"
)

// TableRerunRequest asks to compare the rows of a diff document again, on the nodes of
// the document. The JSON form of the request is stored as the parameters of the task.
type TableRerunRequest struct {
	ClusterName  string    `json:"cluster_name"`
	DiffFile     DiffFile  `json:"diff_file"`
	Table        TableName `json:"table_name"`
	DBName       string    `json:"dbname,omitempty"` // "" means the first database of the cluster
	Quiet        bool      `json:"quiet"`
	Behavior     string    `json:"behavior"`
	MaxCPURatio  float64   `json:"max_cpu_ratio"` // ignored by hostdb, which uses one worker
	Output       string    `json:"output"`
	MaxDiffRows  int64     `json:"max_diff_rows"` // maximum number of rows listed per pair of nodes; the counts include all rows
	ConfirmDelay Duration  `json:"confirm_delay"` // 0 means that differing rows are not read again
	Checksum     string    `json:"checksum"`
	// Redact are columns whose values the document has only as keyed hashes, in addition to
	// those of DiffFile.
	Redact []string `json:"redact,omitempty"`
}

// NewTableRerunRequest returns a request with all defaults. The caller must set the
// cluster, the document and the table.
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

// DecodeTableRerun decodes and validates the parameters of table-rerun. It returns all
// problems in one fault with code Invalid.
func DecodeTableRerun(p Params) (TableRerunRequest, error) {
	r, req := newReader(p), NewTableRerunRequest()
	req.ClusterName = r.text("cluster_name", "")
	req.DiffFile = parseWith(r, "diff_file", ParseDiffFile)
	req.Table = parseWith(r, "table_name", ParseTableName)
	req.DBName = r.text("dbname", "")
	req.Quiet = r.flag("quiet")
	req.Behavior = r.text("behavior", req.Behavior)
	req.MaxCPURatio = parse(r, "max_cpu_ratio", req.MaxCPURatio, allowedRatio, parseDecimal)
	req.Output = r.text("output", req.Output)
	req.MaxDiffRows = parse(r, "max_diff_rows", req.MaxDiffRows, maxDiffRowsRange().String(), parseInt64)
	req.ConfirmDelay = parse(r, "confirm_delay", req.ConfirmDelay, allowedDelay, parseConfirmDelay)
	req.Checksum = r.text("checksum", req.Checksum)
	req.Redact = parseWith(r, "redact", parseIdentifiers)
	return req, r.finish(req.problems())
}

// Validate returns all problems of the request in one fault with code Invalid.
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
	found.add("redact", columnsProblem("redact", r.Redact))
	return found
}

func diffFileProblem(f DiffFile) string {
	if f == (DiffFile{}) {
		return "diff_file is required"
	}
	return ""
}
