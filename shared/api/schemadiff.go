package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What a comparison of several tables compares.
const (
	CompareStructure = "structure"
	CompareData      = "data"
)

const (
	allSchemas = "*"

	allowedSchemas    = `* for all schemas, or names separated by commas, such as public,"My Schema"`
	allowedBaselines  = "none or last"
	allowedComparison = CompareStructure + ", " + CompareData + " or both separated by a comma"
	allowedIgnored    = "kinds of findings separated by commas, such as index,owner"
)

func tablesAtOnceRange() wholeRange { return wholeRange{1, 64} }

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

	// Every table must have the columns that the following parameters name.
	TableFilter   string   `json:"table_filter,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
	Redact        []string `json:"redact,omitempty"`
}

// SchemaDiffRequest asks to compare the tables of one or more schemas between nodes. The
// JSON form of the request is stored as the parameters of the task.
type SchemaDiffRequest struct {
	ClusterName     string   `json:"cluster_name"`
	Schemas         Schemas  `json:"schema_name"`
	DBName          string   `json:"dbname,omitempty"`
	Nodes           []string `json:"nodes,omitempty"` // nil means all active nodes
	Compare         []string `json:"compare"`
	Ignore          []string `json:"ignore,omitempty"` // kinds of findings about structure to leave out
	Tables          Patterns `json:"tables,omitempty"` // nil means all tables of the schemas
	SkipTables      Patterns `json:"skip_tables,omitempty"`
	MaxTablesAtOnce int      `json:"max_tables_at_once"`
	FailFast        bool     `json:"fail_fast,omitempty"`

	TuningRequest
}

// Schemas are names of schemas as in the system catalog. The name * alone stands for all
// schemas of users.
type Schemas []string

// All reports whether all schemas of users are meant.
func (s Schemas) All() bool { return len(s) == 1 && s[0] == allSchemas }

// NewSchemaDiffRequest returns a request with all defaults. The caller must set the
// cluster and the schemas.
func NewSchemaDiffRequest() SchemaDiffRequest {
	return SchemaDiffRequest{
		Compare:         []string{CompareStructure, CompareData},
		MaxTablesAtOnce: 2,
		TuningRequest:   TuningOf(NewTableDiffRequest()),
	}
}

// TuningOf returns the parameters of a table-diff that do not depend on its table.
func TuningOf(r TableDiffRequest) TuningRequest {
	return TuningRequest{
		BlockRows: r.BlockRows, MaxCPURatio: r.MaxCPURatio, BatchSize: r.BatchSize, Output: r.Output, Quiet: r.Quiet,
		MaxDiffRows: r.MaxDiffRows, ConfirmDelay: r.ConfirmDelay, Checksum: r.Checksum, Baseline: r.Baseline,
		TableFilter: r.TableFilter, IgnoreColumns: r.IgnoreColumns, Redact: r.Redact,
	}
}

// TableDiff returns the request for the comparison of one of the tables.
func (r SchemaDiffRequest) TableDiff(table TableName) TableDiffRequest {
	t := r.TuningRequest
	return TableDiffRequest{
		ClusterName: r.ClusterName, Table: table, DBName: r.DBName, Nodes: r.Nodes,
		BlockRows: t.BlockRows, MaxCPURatio: t.MaxCPURatio, BatchSize: t.BatchSize, Output: t.Output, Quiet: t.Quiet,
		MaxDiffRows: t.MaxDiffRows, ConfirmDelay: t.ConfirmDelay, Checksum: t.Checksum, Baseline: t.Baseline,
		TableFilter: t.TableFilter, IgnoreColumns: t.IgnoreColumns, Redact: t.Redact,
	}
}

// Name returns the schemas in the form in which the task's table_name has them, such as
// public.*, or * for all schemas.
func (r SchemaDiffRequest) Name() string {
	if r.Schemas.All() {
		return allSchemas
	}
	names := make([]string, len(r.Schemas))
	for i, schema := range r.Schemas {
		names[i] = quoteIdentifier(schema) + ".*"
	}
	return strings.Join(names, ",")
}

// DecodeSchemaDiff decodes and validates the parameters of schema-diff. It returns all
// problems in one fault with code Invalid.
func DecodeSchemaDiff(p Params) (SchemaDiffRequest, error) {
	r, req := newReader(p), NewSchemaDiffRequest()
	req.ClusterName = r.text("cluster_name", "")
	req.Schemas = parseWith(r, "schema_name", parseSchemas)
	req.DBName = r.text("dbname", "")
	req.Nodes = parse(r, "nodes", nil, allowedNodes, parseNodes)
	req.Compare = parse(r, "compare", req.Compare, allowedComparison, parseComparison)
	req.Ignore = parse(r, "ignore", nil, allowedIgnored, parseWords)
	req.Tables = parseWith(r, "tables", ParsePatterns)
	req.SkipTables = parseWith(r, "skip_tables", ParsePatterns)
	req.MaxTablesAtOnce = int(parse(r, "max_tables_at_once", int64(req.MaxTablesAtOnce), tablesAtOnceRange().String(), parseInt64))
	req.FailFast = r.flag("fail_fast")
	req.readTuning(r)
	return req, r.finish(req.problems())
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
}

func (r SchemaDiffRequest) problems() problems {
	var found problems
	found.add("cluster_name", clusterNameProblem(r.ClusterName))
	found.add("schema_name", schemasProblem(r.Schemas))
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
	return found
}

// Validate returns all problems of the request in one fault with code Invalid.
func (r SchemaDiffRequest) Validate() error { return r.problems().err() }

func schemasProblem(names Schemas) string {
	if len(names) == 0 {
		return "schema_name is required"
	}
	if name, twice := repeated(names); twice {
		return fmt.Sprintf("schema_name names %s twice; it must be %s", quote(name), allowedSchemas)
	}
	return ""
}

// parseSchemas parses the names of schemas separated by commas, or *.
func parseSchemas(text string) (Schemas, error) {
	if strings.TrimSpace(text) == allSchemas {
		return Schemas{allSchemas}, nil
	}
	names, err := parseIdentifiers(text)
	if err != nil {
		return nil, fmt.Errorf("%w; it must be %s", err, allowedSchemas)
	}
	return names, nil
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

// SetResult is the result of a comparison of several tables. It is also in the record of
// a task that failed because some tables could not be compared.
type SetResult struct {
	// Verdict is absent if no difference was found, but some tables could not be compared.
	Verdict        string          `json:"verdict,omitempty"`
	Tables         SetTables       `json:"tables"`
	MismatchedRows int64           `json:"mismatched_rows"` // the sum over all tables
	Findings       SetFindings     `json:"findings"`
	DiffFile       string          `json:"diff_file,omitempty"` // key, in the archive, of the document or of its rendering in the requested format
	Summary        json.RawMessage `json:"summary,omitempty"`   // the summary of the document
	// OutputError is the reason that diff_file names the JSON document although another
	// format was requested.
	OutputError string `json:"output_error,omitempty"`
}

// SetTables counts the tables of a comparison by their verdicts.
type SetTables struct {
	Identical int `json:"identical"`
	Different int `json:"different"`
	Missing   int `json:"missing"` // the tables that at least one node lacks
	Keyless   int `json:"keyless"` // the tables without a usable key, which were not compared
	Skipped   int `json:"skipped"` // the tables that were not compared because of skip_tables or fail_fast
	Failed    int `json:"failed"`
}

// Total returns the number of all tables.
func (t SetTables) Total() int {
	return t.Identical + t.Different + t.Missing + t.Keyless + t.Skipped + t.Failed
}

// Describe returns the counts other than 0 as a text, such as "2 different, 38
// identical".
func (t SetTables) Describe() string {
	var parts []string
	for _, of := range []struct {
		count int
		word  string
	}{
		{t.Different, SetDifferent},
		{t.Missing, SetMissing},
		{t.Keyless, SetKeyless},
		{t.Failed, SetFailed},
		{t.Identical, SetIdentical},
		{t.Skipped, SetSkipped},
	} {
		if of.count > 0 {
			parts = append(parts, strconv.Itoa(of.count)+" "+of.word)
		}
	}
	return strings.Join(parts, ", ")
}

// SetFindings counts the findings about structure by their rank.
type SetFindings struct {
	Blocks  int `json:"blocks"`
	Drifts  int `json:"drifts"`
	Differs int `json:"differs"`
}

// The verdicts of a table in a comparison of several tables.
const (
	SetIdentical = "identical"
	SetDifferent = "different"
	SetMissing   = "missing"
	SetKeyless   = "keyless"
	SetSkipped   = "skipped"
	SetFailed    = "failed"
)

// SetVerdicts returns the verdicts of a table in a comparison of several tables, the
// worst first.
func SetVerdicts() []string {
	return []string{SetFailed, SetKeyless, SetMissing, SetDifferent, SetIdentical, SetSkipped}
}
