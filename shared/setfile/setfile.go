// Package setfile defines the document of a comparison of several tables (format
// ace-set/1). It has the result of each table, with the key of the document that lists
// the table's differing rows, and the findings about structure.
//
// A document has at most some thousand tables, so it is encoded and decoded as a whole.
// It contains names of tables and error messages, and no rows.
package setfile

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"ace/shared/api"
	"ace/shared/fault"
	"ace/shared/finding"
)

// Format is the format that this package writes and reads.
const Format = "ace-set/1"

// Document is the document of a comparison of several tables.
type Document struct {
	Format    string            `json:"format"`
	Summary   Summary           `json:"summary"`
	Structure []finding.Finding `json:"structure"` // the findings about structure, the worst first
	Tables    []Table           `json:"tables"`    // the results of the tables, in the order of their names
}

// Summary describes the comparison as a whole.
type Summary struct {
	TaskID      string       `json:"task_id"`
	TaskType    string       `json:"task_type"`
	ClusterName string       `json:"cluster_name"`
	DBName      string       `json:"dbname"`
	Name        string       `json:"name"`                  // what was compared, such as public.*
	Nodes       []string     `json:"nodes"`                 // the names of the nodes, in the cluster's order
	Compare     []string     `json:"compare"`               // structure, data or both
	Only        api.Patterns `json:"tables_only,omitempty"` // the value of the parameter tables
	Skip        api.Patterns `json:"skip_tables,omitempty"`
	Ignore      []string     `json:"ignore,omitempty"`
	StartedAt   api.Time     `json:"started_at"`
	FinishedAt  api.Time     `json:"finished_at"`
	TimeTaken   api.Seconds  `json:"time_taken"`

	// Verdict is absent if no difference was found, but some tables could not be compared.
	Verdict        string          `json:"verdict,omitempty"`
	Tables         api.SetTables   `json:"tables"`
	TotalRows      int64           `json:"total_rows"`      // the sum of total_rows of all tables
	MismatchedRows int64           `json:"mismatched_rows"` // the sum of mismatched_rows of all tables
	Findings       api.SetFindings `json:"findings"`
	Restricted     int             `json:"restricted,omitempty"` // the tables of which only the replicated rows or columns were compared
	Error          string          `json:"error,omitempty"`      // the number of tables that could not be compared, and the reason for the first of them; absent if all could be compared
}

// Table is the result of one table.
type Table struct {
	Table          api.TableName `json:"table"`
	Verdict        string        `json:"verdict"`              // one of api.SetVerdicts
	TaskID         string        `json:"task_id,omitempty"`    // the id of the table-diff that compared the table
	DiffFile       string        `json:"diff_file,omitempty"`  // the key of the document of the table-diff
	TotalRows      int64         `json:"total_rows,omitempty"` // number of distinct keys over all nodes
	MismatchedRows int64         `json:"mismatched_rows"`
	MissingOn      []string      `json:"missing_on,omitempty"` // the nodes that lack the table
	Error          string        `json:"error,omitempty"`      // why the table was not compared, or why its comparison failed

	// TableFilter and IgnoreColumns are set in a repset-diff if the set does not replicate
	// all rows and columns of the table. The rows and columns that are not replicated were
	// not compared.
	TableFilter   string   `json:"table_filter,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
}

// IsRestricted reports whether only some rows or columns of the table were compared,
// because the others are not replicated.
func (t Table) IsRestricted() bool { return t.TableFilter != "" || len(t.IgnoreColumns) > 0 }

// Restriction describes which rows and columns of the table were compared, such as "only
// rows with (id > 100), without the columns a, b". It is "" if all rows and columns were
// compared.
func (t Table) Restriction() string {
	var parts []string
	if t.TableFilter != "" {
		parts = append(parts, "only rows with "+strings.TrimSpace(t.TableFilter))
	}
	switch len(t.IgnoreColumns) {
	case 0:
	case 1:
		parts = append(parts, "without the column "+t.IgnoreColumns[0])
	default:
		parts = append(parts, "without the columns "+strings.Join(t.IgnoreColumns, ", "))
	}
	return strings.Join(parts, ", ")
}

// Summarize sets the counts and the verdict of the summary from the tables and findings.
//
// The verdict is "differ" if a row differs, a node lacks a table, or a finding has the
// rank "blocks" or "drifts". Otherwise the verdict is "match" if every table was
// identical or skipped and Error is empty. In all other cases the verdict is "".
func (d *Document) Summarize() {
	s := &d.Summary
	s.Tables, s.TotalRows, s.MismatchedRows, s.Findings = api.SetTables{}, 0, 0, api.SetFindings{}
	s.Restricted = 0
	for _, t := range d.Tables {
		s.TotalRows += t.TotalRows
		s.MismatchedRows += t.MismatchedRows
		*counterOf(&s.Tables, t.Verdict)++
		if t.IsRestricted() {
			s.Restricted++
		}
	}

	ranks := finding.Count(d.Structure)
	s.Findings = api.SetFindings{Blocks: ranks[finding.Blocks], Drifts: ranks[finding.Drifts], Differs: ranks[finding.Differs]}

	s.Verdict = ""
	switch {
	case s.MismatchedRows > 0 || s.Tables.Different > 0 || s.Tables.Missing > 0 || s.Findings.Blocks+s.Findings.Drifts > 0:
		s.Verdict = api.VerdictDiffer
	case s.Tables.Failed == 0 && s.Tables.Keyless == 0 && s.Error == "":
		s.Verdict = api.VerdictMatch
	}
}

// counterOf returns a pointer to the counter for a table's verdict. A table with an
// unknown verdict is counted as failed, so that a document with such a table never has
// the verdict match.
func counterOf(t *api.SetTables, verdict string) *int {
	switch verdict {
	case api.SetIdentical:
		return &t.Identical
	case api.SetDifferent:
		return &t.Different
	case api.SetMissing:
		return &t.Missing
	case api.SetKeyless:
		return &t.Keyless
	case api.SetSkipped:
		return &t.Skipped
	}
	return &t.Failed
}

// WorstFirst returns the tables sorted by verdict (see api.SetVerdicts), then by the
// number of differing rows, the largest first, then by name.
func (d Document) WorstFirst() []Table {
	order := api.SetVerdicts()
	tables := slices.Clone(d.Tables)
	slices.SortStableFunc(tables, func(a, b Table) int {
		if by := slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict); by != 0 {
			return by
		}
		if a.MismatchedRows != b.MismatchedRows {
			return int(min(max(b.MismatchedRows-a.MismatchedRows, -1), 1))
		}
		return strings.Compare(a.Table.String(), b.Table.String())
	})
	return tables
}

// Encode returns the JSON of a document.
func Encode(d Document) ([]byte, error) {
	d.Format = Format
	if d.Structure == nil {
		d.Structure = []finding.Finding{}
	}
	if d.Tables == nil {
		d.Tables = []Table{}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(d); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "the document cannot be encoded")
	}
	return out.Bytes(), nil
}

// maxDocument is the maximum number of bytes of a document that Read accepts.
const maxDocument = 256 << 20

// Read reads a document. If the content is not a document of this format, the error has
// the code Invalid.
func Read(r io.Reader) (Document, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return Document{}, err
	}
	var d Document
	if len(body) > maxDocument || json.Unmarshal(body, &d) != nil || d.Format != Format {
		return Document{}, fault.New(fault.Invalid, "it is not a document of format %s", Format)
	}
	return d, nil
}
