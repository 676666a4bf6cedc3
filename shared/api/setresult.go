package api

import (
	"encoding/json"
	"strconv"
	"strings"
)

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
