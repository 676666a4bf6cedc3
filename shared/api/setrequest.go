package api

import (
	"errors"
	"slices"
	"strings"
)

// What a comparison of several tables compares.
const (
	CompareStructure = "structure"
	CompareData      = "data"
)

const (
	allowedBaselines  = "none or last"
	allowedComparison = CompareStructure + ", " + CompareData + " or both separated by a comma"
	allowedIgnored    = "kinds of findings separated by commas, such as index,owner"
)

func tablesAtOnceRange() wholeRange { return wholeRange{1, 64} }

// SetRequest has the parameters that all comparisons of several tables have.
type SetRequest struct {
	ClusterName     string   `json:"cluster_name"`
	DBName          string   `json:"dbname,omitempty"`
	Nodes           []string `json:"nodes,omitempty"` // nil means all active nodes
	Compare         []string `json:"compare"`
	Ignore          []string `json:"ignore,omitempty"` // kinds of findings about structure to leave out
	Tables          Patterns `json:"tables,omitempty"` // nil means all tables of the set
	SkipTables      Patterns `json:"skip_tables,omitempty"`
	MaxTablesAtOnce int      `json:"max_tables_at_once"`
	FailFast        bool     `json:"fail_fast,omitempty"`

	TuningRequest
}

// TuningRequest has the parameters of table-diff that a comparison of several tables
// passes to the comparison of each table.
type TuningRequest struct {
	BlockRows    int      `json:"block_rows"`
	MaxCPURatio  float64  `json:"max_cpu_ratio"`
	BatchSize    int      `json:"batch_size"`
	Output       string   `json:"output"`
	Quiet        bool     `json:"quiet"`
	MaxDiffRows  int64    `json:"max_diff_rows"`
	ConfirmDelay Duration `json:"confirm_delay"`
	Checksum     string   `json:"checksum"`
	Baseline     string   `json:"baseline,omitempty"` // BaselineLast, or "" for none
	// SequentialScan is as in TableDiffRequest.
	SequentialScan string `json:"sequential_scan,omitempty"`

	// Every table must have the columns that the following parameters name.
	TableFilter   string   `json:"table_filter,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
	Redact        []string `json:"redact,omitempty"`
}

func newSetRequest() SetRequest {
	return SetRequest{
		Compare:         []string{CompareStructure, CompareData},
		MaxTablesAtOnce: 2,
		TuningRequest:   TuningOf(NewTableDiffRequest()),
	}
}

// TuningOf returns those parameters of a table-diff that a TuningRequest has.
func TuningOf(r TableDiffRequest) TuningRequest {
	return TuningRequest{
		BlockRows: r.BlockRows, MaxCPURatio: r.MaxCPURatio, BatchSize: r.BatchSize, Output: r.Output, Quiet: r.Quiet,
		MaxDiffRows: r.MaxDiffRows, ConfirmDelay: r.ConfirmDelay, Checksum: r.Checksum, Baseline: r.Baseline, SequentialScan: r.SequentialScan,
		TableFilter: r.TableFilter, IgnoreColumns: r.IgnoreColumns, Redact: r.Redact,
	}
}

// TableDiff returns the request for the comparison of one of the tables.
func (r SetRequest) TableDiff(table TableName) TableDiffRequest {
	t := r.TuningRequest
	return TableDiffRequest{
		ClusterName: r.ClusterName, Table: table, DBName: r.DBName, Nodes: r.Nodes,
		BlockRows: t.BlockRows, MaxCPURatio: t.MaxCPURatio, BatchSize: t.BatchSize, Output: t.Output, Quiet: t.Quiet,
		MaxDiffRows: t.MaxDiffRows, ConfirmDelay: t.ConfirmDelay, Checksum: t.Checksum, Baseline: t.Baseline, SequentialScan: t.SequentialScan,
		TableFilter: t.TableFilter, IgnoreColumns: t.IgnoreColumns, Redact: t.Redact,
	}
}

func (r *SetRequest) readCluster(from *reader) {
	r.ClusterName = from.text("cluster_name", "")
}

// read reads all parameters except cluster_name.
func (r *SetRequest) read(from *reader) {
	r.DBName = from.text("dbname", "")
	r.Nodes = parse(from, "nodes", nil, allowedNodes, parseNodes)
	r.Compare = parse(from, "compare", r.Compare, allowedComparison, parseComparison)
	r.Ignore = parse(from, "ignore", nil, allowedIgnored, parseWords)
	r.Tables = parseWith(from, "tables", ParsePatterns)
	r.SkipTables = parseWith(from, "skip_tables", ParsePatterns)
	r.MaxTablesAtOnce = int(parse(from, "max_tables_at_once", int64(r.MaxTablesAtOnce), tablesAtOnceRange().String(), parseInt64))
	r.FailFast = from.flag("fail_fast")
	r.readTuning(from)
}

func (r *TuningRequest) readTuning(from *reader) {
	r.BlockRows = parse(from, "block_rows", r.BlockRows, allowedCount, parseCount)
	r.MaxCPURatio = parse(from, "max_cpu_ratio", r.MaxCPURatio, allowedRatio, parseDecimal)
	r.Output = from.text("output", r.Output)
	r.BatchSize = parse(from, "batch_size", r.BatchSize, allowedCount, parseCount)
	r.Quiet = from.flag("quiet")
	r.MaxDiffRows = parse(from, "max_diff_rows", r.MaxDiffRows, maxDiffRowsRange().String(), parseInt64)
	r.ConfirmDelay = parse(from, "confirm_delay", r.ConfirmDelay, allowedDelay, parseConfirmDelay)
	r.Checksum = from.text("checksum", r.Checksum)
	r.Baseline = parse(from, "baseline", "", allowedBaselines, parseLastBaseline)
	r.TableFilter = parseWith(from, "table_filter", parseFilter)
	r.IgnoreColumns = parseWith(from, "ignore_columns", parseIdentifiers)
	r.Redact = parseWith(from, "redact", parseIdentifiers)
	r.SequentialScan = parse(from, "sequential_scan", "", allowedSequentialScan(), parseSequentialScan)
}

// problems returns the problems of all parameters except cluster_name.
func (r SetRequest) problems() problems {
	var found problems
	found.add("nodes", nodesProblem(r.Nodes))
	found.add("tables", r.Tables.problem("tables"))
	found.add("skip_tables", r.SkipTables.problem("skip_tables"))
	found.add("max_tables_at_once", tablesAtOnceRange().problem("max_tables_at_once", int64(r.MaxTablesAtOnce)))
	return append(found, r.tuningProblems()...)
}

func (r TuningRequest) tuningProblems() problems {
	var found problems
	found.add("block_rows", countProblem("block_rows", r.BlockRows))
	found.add("max_cpu_ratio", ratioProblem(r.MaxCPURatio))
	found.add("output", formatProblem("output", r.Output))
	found.add("batch_size", countProblem("batch_size", r.BatchSize))
	found.add("max_diff_rows", maxDiffRowsRange().problem("max_diff_rows", r.MaxDiffRows))
	found.add("confirm_delay", delayProblem(r.ConfirmDelay))
	found.add("checksum", checksumProblem(r.Checksum))
	found.add("table_filter", filterProblem(r.TableFilter))
	found.add("ignore_columns", columnsProblem("ignore_columns", r.IgnoreColumns))
	found.add("redact", columnsProblem("redact", r.Redact))
	found.add("sequential_scan", sequentialScanProblem(r.SequentialScan))
	return found
}

// parseComparison parses the words structure and data, in any order and each at most
// once. In the result, structure is first.
func parseComparison(text string) ([]string, error) {
	parts, err := parseWords(text)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if part != CompareStructure && part != CompareData {
			return nil, errors.New(allowedComparison)
		}
	}
	slices.Sort(parts)
	slices.Reverse(parts) // structure first, as in the default
	return parts, nil
}

// parseWords parses words separated by commas. They have only lower-case letters and
// underscores, and are all different.
func parseWords(text string) ([]string, error) {
	words := strings.Split(text, ",")
	for i, word := range words {
		words[i] = strings.TrimSpace(word)
		if words[i] == "" || strings.Trim(words[i], "abcdefghijklmnopqrstuvwxyz_") != "" {
			return nil, errors.New("not a list of words")
		}
	}
	if _, twice := repeated(words); twice {
		return nil, errors.New("a word is repeated")
	}
	return words, nil
}

func parseLastBaseline(text string) (string, error) {
	switch text {
	case baselineNone:
		return "", nil
	case BaselineLast:
		return text, nil
	}
	return "", errors.New(allowedBaselines)
}
