package api

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"
)

const allowedSchema = `a schema as SQL writes it, such as public or "My Schema"`

// maxTableCursor is the maximum number of bytes of two names and a separator. A byte that
// is not valid UTF-8 is written as five bytes (see package rawtext).
const maxTableCursor = 2*5*maxIdentifier + 1

// TablesRequest asks for a page of the list of tables of a cluster's database, sorted by
// schema and name.
type TablesRequest struct {
	ClusterName string
	DBName      string // "" means the first database of the cluster
	Schema      string // the name of the schema as in the system catalog; "" means all schemas
	Limit       int
	After       TableName // the last table of the previous page; the zero value for the first page
}

// TableList is a page of the list of tables. Next is empty on the last page.
type TableList struct {
	DBName string        `json:"dbname"`
	Tables []ListedTable `json:"tables"`
	// UnreadNodes are the nodes whose catalogs could not be read. The list has the tables of
	// the other nodes.
	UnreadNodes []UnreadNode `json:"unread_nodes,omitempty"`
	Next        string       `json:"next,omitempty"`
}

// UnreadNode is a node whose catalog could not be read, with the reason.
type UnreadNode struct {
	Node   string `json:"node"`
	Error  string `json:"error"`
	Remedy string `json:"remedy,omitempty"`
}

// ListedTable is a table that at least one node has.
type ListedTable struct {
	TableName string `json:"table_name"`
	// EstimatedRows is the largest estimate of the nodes. It is absent if no node has one.
	EstimatedRows *int64 `json:"estimated_rows,omitempty"`
	// Key has the columns by which a comparison of the nodes that have the table would match
	// rows. If there is no such key, Key is empty, and NoKey is the reason.
	Key            []string        `json:"key,omitempty"`
	NoKey          string          `json:"no_key,omitempty"`
	MissingOn      []string        `json:"missing_on,omitempty"` // nodes that lack the table
	LastComparison *LastComparison `json:"last_comparison,omitempty"`
}

// LastComparison is the newest comparison of the table whose document is in the archive.
type LastComparison struct {
	TaskID         string `json:"task_id"`
	TaskType       string `json:"task_type"` // a table-rerun compared only the rows of a document
	FinishedAt     Time   `json:"finished_at"`
	Verdict        string `json:"verdict"`
	TotalRows      int64  `json:"total_rows"`
	MismatchedRows int64  `json:"mismatched_rows"`
	// TableFilter, Nodes and IgnoreColumns are parameters of the comparison. If one of
	// them is present, the verdict is only about some of the rows, nodes or columns.
	TableFilter   string   `json:"table_filter,omitempty"`
	Nodes         []string `json:"nodes,omitempty"`
	IgnoreColumns []string `json:"ignore_columns,omitempty"`
}

// DecodeTables decodes and validates the parameters of the list of tables.
func DecodeTables(p Params) (TablesRequest, error) {
	r := newReader(p)
	req := TablesRequest{
		ClusterName: r.text("cluster_name", ""),
		DBName:      r.text("dbname", ""),
		Schema:      parse(r, "schema", "", allowedSchema, parseSchema),
		Limit:       int(parse(r, "limit", defaultLimit, limitRange().String(), parseInt64)),
		After:       parse(r, "after", TableName{}, allowedAfter, parseTableCursor),
	}
	var found problems
	found.add("cluster_name", clusterNameProblem(req.ClusterName))
	found.add("limit", limitRange().problem("limit", int64(req.Limit)))
	return req, r.finish(found)
}

// parseSchema parses one identifier by the rules of SQL.
func parseSchema(text string) (string, error) {
	name, rest, err := scanIdentifier(text)
	if err == nil && rest != "" {
		err = errors.New(allowedSchema)
	}
	return name, err
}

// TableCursor returns the value of next for a page whose last table is name.
func TableCursor(name TableName) string {
	return base64.RawURLEncoding.EncodeToString([]byte(name.Schema + "\x00" + name.Name))
}

func parseTableCursor(text string) (TableName, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return TableName{}, err
	}
	schema, name, found := strings.Cut(string(raw), "\x00")
	if !found || schema == "" || name == "" || len(raw) > maxTableCursor || strings.Contains(name, "\x00") || !utf8.Valid(raw) {
		return TableName{}, errors.New(allowedAfter)
	}
	return TableName{schema, name}, nil
}
