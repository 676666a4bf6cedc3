package api

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The algorithms with which rows are digested.
const (
	ChecksumAuto   = "auto"   // PostgreSQL's own hash functions (see package rowdigest), or SHA-256 if these differ between the nodes
	ChecksumSHA256 = "sha256" // SHA-256 on all nodes, which is slower
)

// Whether a comparison may read tables by sequential scans.
const (
	SequentialScanAuto   = "auto"   // if the scans do not evict the pages of other sessions from the shared buffers, and are probably not slower than key ranges
	SequentialScanAlways = "always" // wherever it is possible
	SequentialScanNever  = "never"
)

// BaselineLast stands for the newest comparison with the same settings that stored a
// baseline.
const BaselineLast = "last"

const (
	baselineNone    = "none"
	allowedBaseline = "none, last or the id of a table-diff task"

	allNodes        = "all"
	maxTableFilter  = 8192
	maxColumns      = 1600 // the most columns that a table can have in PostgreSQL
	maxConfirmDelay = Duration(10 * time.Minute)

	allowedCount   = "a whole number greater than 0"
	allowedRatio   = "a number greater than 0 and at most 1"
	allowedDelay   = "a time from 0 to 10m such as 1s, 500ms or 0"
	allowedNodes   = `"all" or at least two different nodes of the cluster separated by commas`
	allowedColumns = "column names separated by commas, each once"
)

func maxDiffRowsRange() wholeRange { return wholeRange{1, 1_000_000_000} }

// TableDiffRequest asks to compare one table between nodes. The JSON form of the request
// is stored as the parameters of the task.
type TableDiffRequest struct {
	ClusterName   string    `json:"cluster_name"`
	Table         TableName `json:"table_name"`
	DBName        string    `json:"dbname,omitempty"` // "" means the first database of the cluster
	BlockRows     int       `json:"block_rows"`
	MaxCPURatio   float64   `json:"max_cpu_ratio"`
	BatchSize     int       `json:"batch_size"` // number of blocks per unit of work
	Output        string    `json:"output"`
	Nodes         []string  `json:"nodes,omitempty"`        // nil means all active nodes
	TableFilter   string    `json:"table_filter,omitempty"` // one boolean SQL expression; "" means all rows
	Quiet         bool      `json:"quiet"`
	MaxDiffRows   int64     `json:"max_diff_rows"`            // maximum number of rows listed per pair of nodes; the counts include all rows
	IgnoreColumns []string  `json:"ignore_columns,omitempty"` // names as in the system catalog
	ConfirmDelay  Duration  `json:"confirm_delay"`            // 0 means that differing rows are not read again
	Checksum      string    `json:"checksum"`
	// Baseline is the earlier comparison on which this comparison builds: a task id or
	// BaselineLast. Only blocks that may have changed since the earlier comparison are
	// digested. "" means that everything is compared.
	Baseline string `json:"baseline,omitempty"`
	// Redact are columns whose values the document has only as keyed hashes. The names are
	// as in the system catalog.
	Redact []string `json:"redact,omitempty"`
	// SequentialScan is SequentialScanAuto or SequentialScanAlways. "" means
	// SequentialScanNever.
	SequentialScan string `json:"sequential_scan,omitempty"`
}

// NewTableDiffRequest returns a request with all defaults. The caller must set the
// cluster and the table.
func NewTableDiffRequest() TableDiffRequest {
	return TableDiffRequest{
		BlockRows:    10_000,
		MaxCPURatio:  0.8,
		BatchSize:    50,
		Output:       FormatJSON,
		MaxDiffRows:  1_000_000,
		ConfirmDelay: Duration(time.Second),
		Checksum:     ChecksumAuto,
	}
}

// DecodeTableDiff decodes and validates the parameters of table-diff. It returns all
// problems in one fault with code Invalid.
func DecodeTableDiff(p Params) (TableDiffRequest, error) {
	r, req := newReader(p), NewTableDiffRequest()
	req.ClusterName = r.text("cluster_name", "")
	req.Table = parseWith(r, "table_name", ParseTableName)
	req.DBName = r.text("dbname", "")
	req.BlockRows = parse(r, "block_rows", req.BlockRows, allowedCount, parseCount)
	req.MaxCPURatio = parse(r, "max_cpu_ratio", req.MaxCPURatio, allowedRatio, parseDecimal)
	req.Output = r.text("output", req.Output)
	req.Nodes = parse(r, "nodes", nil, allowedNodes, parseNodes)
	req.BatchSize = parse(r, "batch_size", req.BatchSize, allowedCount, parseCount)
	req.TableFilter = parseWith(r, "table_filter", parseFilter)
	req.Quiet = r.flag("quiet")
	req.MaxDiffRows = parse(r, "max_diff_rows", req.MaxDiffRows, maxDiffRowsRange().String(), parseInt64)
	req.IgnoreColumns = parseWith(r, "ignore_columns", parseIdentifiers)
	req.ConfirmDelay = parse(r, "confirm_delay", req.ConfirmDelay, allowedDelay, parseConfirmDelay)
	req.Checksum = r.text("checksum", req.Checksum)
	req.Baseline = parse(r, "baseline", "", allowedBaseline, parseBaseline)
	req.Redact = parseWith(r, "redact", parseIdentifiers)
	req.SequentialScan = parse(r, "sequential_scan", "", allowedSequentialScan(), parseSequentialScan)
	return req, r.finish(req.problems())
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r TableDiffRequest) Validate() error { return r.problems().err() }

func (r TableDiffRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("table_name", tableNameProblem(r.Table))
	found.add("block_rows", countProblem("block_rows", r.BlockRows))
	found.add("max_cpu_ratio", ratioProblem(r.MaxCPURatio))
	found.add("output", formatProblem("output", r.Output))
	found.add("nodes", nodesProblem(r.Nodes))
	found.add("batch_size", countProblem("batch_size", r.BatchSize))
	found.add("table_filter", filterProblem(r.TableFilter))
	found.add("max_diff_rows", maxDiffRowsRange().problem("max_diff_rows", r.MaxDiffRows))
	found.add("ignore_columns", columnsProblem("ignore_columns", r.IgnoreColumns))
	found.add("confirm_delay", delayProblem(r.ConfirmDelay))
	found.add("checksum", checksumProblem(r.Checksum))
	found.add("baseline", baselineProblem(r.Baseline))
	found.add("redact", columnsProblem("redact", r.Redact))
	found.add("sequential_scan", sequentialScanProblem(r.SequentialScan))
	return found
}

func tableNameProblem(name TableName) string {
	if name == (TableName{}) {
		return "table_name is required"
	}
	return ""
}

func countProblem(name string, count int) string {
	if count > 0 {
		return ""
	}
	return notAllowed(name, strconv.Itoa(count), allowedCount)
}

func ratioProblem(ratio float64) string {
	if ratio > 0 && ratio <= 1 { // false for NaN
		return ""
	}
	return notAllowed("max_cpu_ratio", strconv.FormatFloat(ratio, 'g', -1, 64), allowedRatio)
}

func delayProblem(delay Duration) string {
	if allowsDelay(delay) {
		return ""
	}
	return notAllowed("confirm_delay", delay.String(), allowedDelay)
}

// parseBaseline parses the value of the parameter baseline. It returns "" for "none".
func parseBaseline(text string) (string, error) {
	if text == baselineNone {
		return "", nil
	}
	if text == "" || baselineProblem(text) != "" {
		return "", errors.New(allowedBaseline)
	}
	return text, nil
}

func baselineProblem(text string) string {
	if text == "" || text == BaselineLast || diffIDPattern.MatchString(text) {
		return ""
	}
	return notAllowed("baseline", text, allowedBaseline)
}

func checksumProblem(checksum string) string {
	return oneOf("checksum", checksum, ChecksumAuto, ChecksumSHA256)
}

func sequentialScans() []string {
	return []string{SequentialScanAuto, SequentialScanAlways, SequentialScanNever}
}

func allowedSequentialScan() string { return joinOr(sequentialScans()) }

// parseSequentialScan parses the value of the parameter sequential_scan. It returns ""
// for the default.
func parseSequentialScan(text string) (string, error) {
	if text == SequentialScanNever {
		return "", nil
	}
	if text == "" || sequentialScanProblem(text) != "" {
		return "", errors.New(allowedSequentialScan())
	}
	return text, nil
}

func sequentialScanProblem(value string) string {
	if value == "" {
		return ""
	}
	return oneOf("sequential_scan", value, sequentialScans()...)
}

// parseNodes parses node names separated by commas. It returns nil for "all".
func parseNodes(text string) ([]string, error) {
	if text == allNodes {
		return nil, nil
	}
	names := strings.Split(text, ",")
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
		if names[i] == "" {
			return nil, errors.New(allowedNodes)
		}
	}
	return names, nil
}

func allowsDelay(d Duration) bool { return d >= 0 && d <= maxConfirmDelay }

func parseConfirmDelay(text string) (Duration, error) {
	d, err := ParseDuration(text)
	if err == nil && !allowsDelay(d) {
		err = errors.New(allowedDelay)
	}
	return d, err
}

func nodesProblem(names []string) string {
	if names == nil {
		return ""
	}
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("nodes names %s twice; it must be %s", quote(name), allowedNodes)
	}
	if len(names) < 2 {
		return notAllowed("nodes", strings.Join(names, ","), allowedNodes)
	}
	return ""
}

func columnsProblem(param string, names []string) string {
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("%s names %s twice; it must be %s", param, quote(name), allowedColumns)
	}
	if len(names) > maxColumns {
		return fmt.Sprintf("%s names %d columns; the maximum is %d", param, len(names), maxColumns)
	}
	return ""
}
