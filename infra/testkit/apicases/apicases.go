// Package apicases lists requests that the API must refuse, with the exact answers, so
// that every transport and deployment of the API can be tested with the same table. It is
// for tests only.
//
// The requests name a cluster demo with the nodes n1, n2 and n3 and the database acedb.
// This cluster need not exist, because the requests are refused before a definition is
// read.
package apicases

import (
	"encoding/json"
	"slices"
	"strings"
)

// Case is a request and the answer to it: a status, and the text of {"error": "..."}.
type Case struct {
	Name        string
	Method      string
	Path        string
	RawQuery    string
	ContentType string // "" sends none
	Body        string
	Status      int
	Error       string
}

const (
	tableDiff   = "/ace/table-diff"
	tableRerun  = "/ace/table-rerun"
	tableRepair = "/ace/table-repair"
	tableUndo   = "/ace/table-undo"
	form        = "application/x-www-form-urlencoded"
	object      = "application/json"

	onTable   = "cluster_name=demo&table_name="                           // complete it with a table
	valid     = onTable + "public.users"                                  // a request that is accepted
	validJSON = `{"cluster_name": "demo", "table_name": "public.users", ` // complete it with a parameter and }
)

// Answer returns the exact body of the response, which is empty for a HEAD.
func (c Case) Answer() string {
	if c.Method == "HEAD" {
		return ""
	}
	var body strings.Builder
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]string{"error": c.Error}) // strings always encode
	return body.String()
}

// The ends of messages that many errors share.
const (
	allowedParams = "; the parameters are cluster_name, table_name, dbname, block_rows, max_cpu_ratio, output, nodes, batch_size, " +
		"table_filter, quiet, max_diff_rows, ignore_columns, confirm_delay, checksum, baseline, redact, sequential_scan"
	allowedCluster = "; it must be 1 to 63 of the characters A-Z a-z 0-9 . _ - with a letter or digit first"
	allowedNodes   = `; it must be "all" or at least two different nodes of the cluster separated by commas`
	mustBeQuoted   = ` must be in a double-quoted name, as in "My Schema"."my-table"`
)

// Bad returns every request that must be refused.
func Bad() []Case {
	return slices.Concat(BadTableDiff(), BadTableRerun(), BadTableRepair(), BadTableUndo(), BadSchemaDiff(), BadRepsetDiff(), BadReplicationDiff(), BadInventory(), BadRules(), BadAudit())
}

// BadTableDiff returns every request about table-diff that must be refused.
func BadTableDiff() []Case {
	return slices.Concat(clusters(), tables(), names(), numbers(), limits(), lists(), words(), formBodies(),
		objectBodies(), objectValues(), routing())
}

// get returns a GET of table-diff that must be refused.
func get(name, rawQuery, message string) Case { return getFrom(tableDiff, name, rawQuery, message) }

// getFrom returns a GET of any path that must be refused.
func getFrom(path, name, rawQuery, message string) Case {
	return Case{Name: name, Method: "GET", Path: path, RawQuery: rawQuery, Status: 400, Error: message}
}

// post returns a POST to table-diff that must be refused.
func post(name, rawQuery, contentType, body, message string) Case {
	return Case{
		Name: name, Method: "POST", Path: tableDiff, RawQuery: rawQuery,
		ContentType: contentType, Body: body, Status: 400, Error: message,
	}
}
