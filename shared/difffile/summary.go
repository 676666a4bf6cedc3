package difffile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ace/shared/api"
)

// Summary describes a comparison. Counts of rows are exact for the snapshots that were
// read.
type Summary struct {
	TaskID              string             `json:"task_id"`
	ClusterName         string             `json:"cluster_name"`
	DBName              string             `json:"dbname"`
	Schema              string             `json:"schema"`
	Table               string             `json:"table"`
	PrimaryKey          []string           `json:"primary_key"` // names of the columns of the key that was used, in the order of the key
	Columns             []Column           `json:"columns"`
	Nodes               []string           `json:"nodes"`              // the names of the nodes, in the cluster's order
	RerunOf             string             `json:"rerun_of,omitempty"` // the document whose keys a rerun compared again
	Behavior            string             `json:"behavior,omitempty"` // how a rerun looked up the keys
	TableFilter         string             `json:"table_filter"`
	IgnoreColumns       []string           `json:"ignore_columns"`
	Redact              []string           `json:"redact,omitempty"` // columns whose values are replaced by keyed hashes; also in reruns, and in the reports of repairs
	BlockRows           int64              `json:"block_rows"`
	Blocks              int64              `json:"blocks"`
	MismatchedBlocks    int64              `json:"mismatched_blocks"`
	Baseline            string             `json:"baseline,omitempty"`         // the task whose baseline an incremental comparison used
	BlocksUnchanged     *int64             `json:"blocks_unchanged,omitempty"` // number of blocks, or of page ranges of all nodes, whose rows are unchanged since the baseline; only of an incremental comparison
	BlocksCompared      *int64             `json:"blocks_compared,omitempty"`  // number of the other blocks or page ranges; only of an incremental comparison
	Strategy            string             `json:"strategy"`
	Snapshots           string             `json:"snapshots"`
	Workers             int                `json:"workers"`
	StartedAt           Time               `json:"started_at"`
	FinishedAt          Time               `json:"finished_at"`
	TimeTaken           api.Seconds        `json:"time_taken"`
	Timings             map[string]float64 `json:"timings"`    // phase -> number of seconds that it took
	TotalRows           int64              `json:"total_rows"` // number of distinct keys over all nodes
	RowsPerNode         map[string]int64   `json:"rows_per_node"`
	MismatchedRows      int64              `json:"mismatched_rows"` // number of distinct keys that differ in at least one pair
	ResolvedRows        int64              `json:"resolved_rows"`   // number of keys that differed when first read, but not when read again
	UnsettledRows       int64              `json:"unsettled_rows"`  // number of mismatched keys whose rows were still changing when last read
	Pairs               Pairs              `json:"pairs"`
	Outliers            map[string]Outlier `json:"outliers,omitempty"`     // node -> how often its rows are the exception; only if there are three or more nodes
	DiffRowLimitReached bool               `json:"diff_row_limit_reached"` // "diffs" does not have all rows; the counts are complete
	Warnings            []string           `json:"warnings"`
	ServerVersions      map[string]string  `json:"server_versions"`        // node -> version of its server
	Servers             map[string]Server  `json:"servers,omitempty"`      // node -> the database that its rows were read from
	CommitTimes         []string           `json:"commit_times,omitempty"` // the nodes whose last writes "written" lists; they record commit times
}

// Outlier counts the differing keys for which the row of one node is the exception. A
// missing row counts like any other version of a row.
type Outlier struct {
	Alone    int64 `json:"alone"`    // keys for which all other nodes agree on another version
	Minority int64 `json:"minority"` // keys for which another version of the row is on more nodes than this node's version
}

// Server identifies the database of a node. Empty fields are unknown.
type Server struct {
	SystemIdentifier string `json:"system_identifier,omitempty"`
	Timeline         string `json:"timeline,omitempty"`
	DatabaseOID      string `json:"database_oid,omitempty"`
	Standby          bool   `json:"standby,omitempty"`
}

// Column is a compared column. Type is PostgreSQL's full name of the type, as format_type
// returns it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Redacted means that the document has, for each value of the column, a keyed hash of
	// the value as a string, whatever the type is. NULL is null.
	Redacted bool `json:"redacted,omitempty"`
}

// Pair is two nodes in the cluster's order.
type Pair [2]string

// String returns the pair's name in a document.
func (p Pair) String() string { return p[0] + "/" + p[1] }

// PairSummary counts the differing keys of one pair.
type PairSummary struct {
	Nodes     Pair             `json:"-"`
	OnlyOn    map[string]int64 `json:"only_on"`   // node -> number of keys that the other node lacks
	Different int64            `json:"different"` // number of keys that both nodes have with different rows
	// Columns has, for each column, the number of keys whose two rows differ in that
	// column. Only the keys that Different counts are included. Once max_diff_rows is
	// reached, further rows are only counted, and the columns in which they differ are
	// unknown. So if diff_row_limit_reached is set, these numbers are lower bounds.
	Columns map[string]int64 `json:"columns"`
}

// rowsOn returns the number of rows that a complete document has for a node of this pair.
func (p PairSummary) rowsOn(node string) int64 { return p.OnlyOn[node] + p.Different }

func (p PairSummary) differs() bool {
	return p.rowsOn(p.Nodes[0]) > 0 || p.rowsOn(p.Nodes[1]) > 0
}

// hasKeyVariants reports whether rows of the pair differ in a key column, which means
// that the nodes spell an equal key differently.
func (p PairSummary) hasKeyVariants(key []string) bool {
	return slices.ContainsFunc(key, func(column string) bool { return p.Columns[column] > 0 })
}

// Pairs lists the pairs in the cluster's order: (n1, n2), (n1, n3), (n2, n3). In JSON
// they are one object.
type Pairs []PairSummary

// MarshalJSON writes the pairs as an object in their order.
func (p Pairs) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, pair := range p {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = appendString(out, pair.Nodes.String()); err != nil {
			return nil, err
		}
		body, err := marshal(pair)
		if err != nil {
			return nil, err
		}
		out = append(append(out, ':'), body...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads the pairs in the order of the object.
func (p *Pairs) UnmarshalJSON(raw []byte) error {
	*p = Pairs{}
	return eachMember(raw, func(name string, value []byte) error {
		var pair PairSummary
		if err := json.Unmarshal(value, &pair); err != nil {
			return err
		}
		var err error
		pair.Nodes, err = parsePair(name)
		*p = append(*p, pair)
		return err
	})
}

func parsePair(name string) (Pair, error) {
	first, second, ok := strings.Cut(name, "/")
	if !ok || first == "" || second == "" || first == second || strings.Contains(second, "/") {
		return Pair{}, fmt.Errorf("pair %q is not of the form n1/n2", name)
	}
	return Pair{first, second}, nil
}

// Time is a time that is written in UTC with milliseconds, like 2024-03-15T12:34:56.789Z.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes the time with three digits of milliseconds, even if they are zero.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"` + timeLayout + `"`)), nil
}

// check returns an error if the summary is not that of a valid document.
func (s *Summary) check() error {
	if err := s.checkNames(); err != nil {
		return err
	}
	if err := s.checkNodes(); err != nil {
		return err
	}
	if err := s.checkColumns(); err != nil {
		return err
	}
	return s.checkPairs()
}

// checkNames returns an error if a name is longer than MaxName. Errors and lists show
// these names, so their length must be bounded.
func (s *Summary) checkNames() error {
	names := slices.Concat([]string{s.TaskID, s.ClusterName, s.DBName, s.Schema, s.Table, s.RerunOf, s.Baseline}, s.PrimaryKey, s.Nodes, s.Redact)
	for _, c := range s.Columns {
		names = append(names, c.Name, c.Type)
	}
	for _, name := range names {
		if len(name) > MaxName {
			return fmt.Errorf("the name %.40q... has %d bytes; allowed are %d", name, len(name), MaxName)
		}
	}
	return nil
}

func (s *Summary) checkNodes() error {
	for i, node := range s.Nodes {
		if node == "" || strings.Contains(node, "/") || !utf8.ValidString(node) || slices.Contains(s.Nodes[:i], node) {
			return fmt.Errorf("nodes has %q; a node name must be unique, not empty, valid UTF-8 and without a slash", node)
		}
	}
	return nil
}

func (s *Summary) checkColumns() error {
	names := make(map[string]bool, len(s.Columns))
	for _, c := range s.Columns {
		if names[c.Name] {
			return fmt.Errorf("columns has %q twice", c.Name)
		}
		names[c.Name] = true
	}
	for _, name := range s.PrimaryKey {
		if !names[name] {
			return fmt.Errorf("primary_key has %q, which is not one of the columns", name)
		}
	}
	for _, c := range s.Columns {
		if c.Redacted && (!slices.Contains(s.Redact, c.Name) || slices.Contains(s.PrimaryKey, c.Name)) {
			return fmt.Errorf("the column %q is redacted, but redact does not name it or it is part of the key", c.Name)
		}
	}
	if len(s.PrimaryKey) == 0 {
		return fmt.Errorf("primary_key is empty")
	}
	return nil
}

func (s *Summary) checkPairs() error {
	last := -1
	for _, p := range s.Pairs {
		first, second := slices.Index(s.Nodes, p.Nodes[0]), slices.Index(s.Nodes, p.Nodes[1])
		rank := first*len(s.Nodes) + second
		if first < 0 || second <= first || rank <= last {
			return fmt.Errorf("pairs has %q; each pair must be two of the nodes %v in their order, and pairs must be unique and in order", p.Nodes, s.Nodes)
		}
		last = rank
	}
	return nil
}

// encode returns the summary's JSON, with empty lists and objects instead of null.
func (s Summary) encode() ([]byte, error) {
	s.IgnoreColumns = orEmptyList(s.IgnoreColumns)
	s.Warnings = orEmptyList(s.Warnings)
	s.Timings = orEmptyMap(s.Timings)
	s.RowsPerNode = orEmptyMap(s.RowsPerNode)
	s.ServerVersions = orEmptyMap(s.ServerVersions)

	s.Pairs = slices.Clone(s.Pairs)
	for i, p := range s.Pairs {
		first, second := p.Nodes[0], p.Nodes[1]
		s.Pairs[i].OnlyOn = map[string]int64{first: p.OnlyOn[first], second: p.OnlyOn[second]}
		s.Pairs[i].Columns = orEmptyMap(p.Columns)
	}

	compact, err := marshal(s)
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, compact, "", "  ")
	return indented.Bytes(), err
}

func orEmptyList[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func orEmptyMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// marshal is like json.Marshal, but does not escape <, > and &.
func marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}
